#include "storage/sqlite/wal_format.h"

#include <bit>
#include <cstring>

namespace ccr::storage::sqlite {
namespace {

constexpr std::uint32_t wal_magic = 0x377f0682;  // its lowest bit: checksum words are big endian
constexpr std::uint32_t wal_version = 3007000;
constexpr std::uint32_t wal_index_version = 3007000;
constexpr std::size_t index_header_bytes = 48;
constexpr std::size_t index_checked_bytes = 40;  // what the header's own checksum covers

std::uint32_t native32(const std::byte* at) noexcept {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint32_t big32(const std::byte* at) noexcept {
  const std::uint32_t value = native32(at);
  return std::endian::native == std::endian::big ? value : __builtin_bswap32(value);
}

template <bool Swap>
WalChecksum run_checksum(WalChecksum from, ByteView bytes) noexcept {
  std::uint32_t first = from.first;
  std::uint32_t second = from.second;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const std::uint32_t even = native32(bytes.data() + at);
    const std::uint32_t odd = native32(bytes.data() + at + 4);
    first += (Swap ? __builtin_bswap32(even) : even) + second;
    second += (Swap ? __builtin_bswap32(odd) : odd) + first;
  }
  return {first, second};
}

// 16 bits hold 512..32768 as they are and 65536 as 1.
std::uint32_t page_size_of(std::uint16_t coded) noexcept { return (coded & 0xfe00u) + ((coded & 0x0001u) << 16); }

}  // namespace

WalChecksum wal_checksum(bool big_endian, WalChecksum from, ByteView bytes) noexcept {
  const bool native_is_big = std::endian::native == std::endian::big;
  return big_endian == native_is_big ? run_checksum<false>(from, bytes) : run_checksum<true>(from, bytes);
}

std::optional<WalHeader> decode_wal_header(ByteView bytes) {
  if (bytes.size() < wal_header_bytes) return std::nullopt;
  const std::uint32_t magic = big32(bytes.data());
  if ((magic & ~1u) != wal_magic || big32(bytes.data() + 4) != wal_version) return std::nullopt;
  WalHeader header;
  header.big_endian = (magic & 1u) != 0;
  header.page_size = big32(bytes.data() + 8);
  header.checkpoint_sequence = big32(bytes.data() + 12);
  header.salts = {big32(bytes.data() + 16), big32(bytes.data() + 20)};
  header.checksum = {big32(bytes.data() + 24), big32(bytes.data() + 28)};
  if (!is_page_size(header.page_size)) return std::nullopt;
  if (wal_checksum(header.big_endian, {}, bytes.first(24)) != header.checksum) return std::nullopt;
  return header;
}

FrameHeader decode_frame_header(ByteView bytes) {
  CCR_ASSERT(bytes.size() >= frame_header_bytes);
  FrameHeader header;
  header.page = big32(bytes.data());
  header.commit_pages = big32(bytes.data() + 4);
  header.salts = {big32(bytes.data() + 8), big32(bytes.data() + 12)};
  header.checksum = {big32(bytes.data() + 16), big32(bytes.data() + 20)};
  return header;
}

std::optional<WalIndex> decode_wal_index(ByteView bytes) {
  if (bytes.size() < wal_index_head_bytes) return std::nullopt;
  const std::byte* at = bytes.data();
  // A writer stores the second copy first: equal copies with a good checksum are one whole header.
  if (std::memcmp(at, at + index_header_bytes, index_header_bytes) != 0) return std::nullopt;
  if (native32(at) != wal_index_version || at[12] == std::byte{0}) return std::nullopt;
  const WalChecksum stored{native32(at + 40), native32(at + 44)};
  const bool native_is_big = std::endian::native == std::endian::big;
  if (wal_checksum(native_is_big, {}, bytes.first(index_checked_bytes)) != stored) return std::nullopt;
  std::uint16_t coded_page_size;
  std::memcpy(&coded_page_size, at + 14, sizeof coded_page_size);
  WalIndex index;
  index.change = native32(at + 8);
  index.page_size = page_size_of(coded_page_size);
  index.last_frame = native32(at + 16);
  index.page_count = native32(at + 20);
  index.frame_checksum = {native32(at + 24), native32(at + 28)};
  index.salts = {big32(at + 32), big32(at + 36)};  // copied as bytes from the WAL's header
  index.backfilled = native32(at + 96);
  index.backfill_attempted = native32(at + 128);
  return index;
}

}  // namespace ccr::storage::sqlite
