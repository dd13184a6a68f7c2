// WalDecoder turns the bytes of a WAL into whole commits. Pure; what it is fed comes from a file that others write.
//
// A frame counts when it carries both salts, its checksum runs on from the frame before, and it lies at or below the caller's limit; a
// commit counts when its last frame does. SQLite rewrites spilled frames of a running transaction in place and leaves what was rolled
// back lying about: the limit (the last frame that the wal-index has published) keeps both away, a commit frame behind every page keeps
// half a transaction away.
// Only page number and frame number of each image are kept, never images: 8 bytes a page while a transaction is open, whatever its size.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/sqlite/wal_format.h"

namespace ccr::storage::sqlite {

struct PageFrame {
  PageNumber page = 0;
  std::uint32_t frame = 0;
  bool operator==(const PageFrame&) const = default;
};

struct WalCommit {
  std::uint32_t last_frame = 0;
  PageNumber page_count = 0;
  WalChecksum checksum;           // running, behind last_frame
  std::vector<PageFrame> pages;   // the last frame of each page up to page_count, by rising frame
  std::vector<PageFrame> beyond;  // pages above page_count: no part of the commit, but a checkpoint after a later growth would use them
};

// One filling of a WAL.
struct WalShape {
  std::uint32_t page_size = 0;
  bool big_endian = false;
  WalSalts salts;
  bool operator==(const WalShape&) const = default;
};

class WalDecoder {
 public:
  // Goes on behind `frame`, which must be 0 or the last frame of a commit, with the checksum that stands there.
  WalDecoder(WalShape shape, std::uint32_t frame, WalChecksum checksum);

  enum class Outcome {
    commit,   // take_commit() has it; feed the rest of the bytes again from next_frame()
    more,     // all bytes used; feed those of next_frame()
    limit,    // the frame at the limit was no commit's last, or next_frame() lies beyond it
    invalid,  // next_frame() does not belong to this filling of the WAL, or is damaged
  };
  // `bytes` begin at next_frame(); a last part of a frame is not looked at.
  Outcome feed(ByteView bytes, std::uint32_t limit);

  std::uint32_t next_frame() const noexcept { return next_frame_; }
  WalCommit take_commit();

 private:
  void finish(const FrameHeader& header);

  WalShape shape_;
  std::uint32_t next_frame_;
  WalChecksum checksum_;
  std::vector<PageFrame> open_;  // frames of the transaction that has no commit frame yet
  WalCommit commit_;
};

}  // namespace ccr::storage::sqlite
