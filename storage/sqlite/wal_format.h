// The bytes of a SQLite WAL and of the head of its wal-index, decoded. Source: "Database File Format" (section 4) and "WAL-mode File
// Format" of the SQLite manual, and wal.c of 3.40.1. Pure: bytes in, facts out; a byte that fails its check gives nullopt.
//
//   WAL:       header (32 bytes), then frames of 24 bytes + one page. Integers are big endian; the checksum words are read in the
//              byte order that the magic number names. A frame's checksum runs on from the frame before it, the first one's from the header.
//   wal-index: shared memory in native byte order: the header twice (48 bytes each), then what checkpoints and readers agree upon.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/position.h"

namespace ccr::storage::sqlite {

inline constexpr std::size_t wal_header_bytes = 32;
inline constexpr std::size_t frame_header_bytes = 24;
inline constexpr std::size_t wal_index_head_bytes = 136;  // two headers and the checkpoint information behind them
inline constexpr std::uint64_t lock_page_offset = 1 * GiB;  // bytes there carry POSIX locks; SQLite never writes that page

// SQLite's pages: a power of two, 512..65536.
constexpr bool is_page_size(std::uint64_t size) noexcept { return size >= 512 && size <= 65536 && (size & (size - 1)) == 0; }
constexpr PageNumber lock_page(std::uint32_t page_size) noexcept { return static_cast<PageNumber>(lock_page_offset / page_size + 1); }
constexpr std::uint64_t frame_bytes(std::uint32_t page_size) noexcept { return frame_header_bytes + page_size; }
// Frames count from 1.
constexpr std::uint64_t frame_offset(std::uint32_t frame, std::uint32_t page_size) noexcept {
  return wal_header_bytes + (std::uint64_t(frame) - 1) * frame_bytes(page_size);
}
// How many whole frames a WAL of this length has room for.
constexpr std::uint32_t frames_in(std::uint64_t wal_bytes, std::uint32_t page_size) noexcept {
  return wal_bytes < wal_header_bytes ? 0 : static_cast<std::uint32_t>((wal_bytes - wal_header_bytes) / frame_bytes(page_size));
}

// Two random numbers that tell one filling of the WAL from the next; SQLite usually counts the first one up at a reset.
struct WalSalts {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const WalSalts&) const = default;
};

struct WalChecksum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const WalChecksum&) const = default;
};

struct WalHeader {
  bool big_endian = false;  // byte order of the checksums in this WAL
  std::uint32_t page_size = 0;
  std::uint32_t checkpoint_sequence = 0;
  WalSalts salts;
  WalChecksum checksum;  // what frame 1 runs on from
};

struct FrameHeader {
  PageNumber page = 0;
  PageNumber commit_pages = 0;  // of the database after this commit; 0: not the last frame of a transaction
  WalSalts salts;
  WalChecksum checksum;
};

struct WalIndex {
  std::uint32_t change = 0;  // iChange: grows by one with each commit, survives resets, starts anew when the index is rebuilt
  std::uint32_t page_size = 0;
  std::uint32_t last_frame = 0;  // mxFrame: the last frame of the last commit
  PageNumber page_count = 0;     // 0: ask the file
  WalChecksum frame_checksum;
  WalSalts salts;
  std::uint32_t backfilled = 0;          // frames that a checkpoint has brought into the file
  std::uint32_t backfill_attempted = 0;  // frames that a checkpoint has begun to bring into the file

  bool fully_backfilled() const noexcept { return backfilled == last_frame; }
  // The same commit of the same filling, however far checkpoints have come.
  bool operator==(const WalIndex& other) const noexcept {
    return salts == other.salts && last_frame == other.last_frame && change == other.change;
  }
};

// `bytes` in whole pairs of 32-bit words.
WalChecksum wal_checksum(bool big_endian, WalChecksum from, ByteView bytes) noexcept;

std::optional<WalHeader> decode_wal_header(ByteView bytes);
FrameHeader decode_frame_header(ByteView bytes);                // wants frame_header_bytes; says nothing about validity
std::optional<WalIndex> decode_wal_index(ByteView bytes);       // wants wal_index_head_bytes; nullopt: torn, or not there yet

}  // namespace ccr::storage::sqlite
