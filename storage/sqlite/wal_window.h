// WalWindow holds a stretch of a WAL in memory, a whole number of frames. What was decoded from it can be delivered from it, whatever happens
// to the file meanwhile; commits longer than the window are read a second time, window by window.
#pragma once

#include <algorithm>

#include "storage/sqlite/sqlite_session.h"
#include "storage/sqlite/wal_decoder.h"

namespace ccr::storage::sqlite {

class WalWindow {
 public:
  static constexpr std::size_t window_bytes_max = 1 * MiB;  // decoding runs at about this much per millisecond

  WalWindow(const SqliteSession& session, std::uint32_t page_size, std::size_t bytes_max = window_bytes_max, std::uint32_t first = 1)
      : session_(session), page_size_(page_size), bytes_max_(bytes_max), first_(first) {}

  // Reads from frame `first` on, up to `last` or the window's or the file's end. False when the file could not be read.
  bool load(std::uint32_t first, std::uint32_t last) {
    const std::uint64_t stride = frame_bytes(page_size_);
    const std::uint32_t in_file = frames_in(session_.wal_bytes(), page_size_);
    const std::uint64_t end = std::min<std::uint64_t>(last, in_file);
    first_ = first;
    count_ = end < first ? 0 : static_cast<std::uint32_t>(std::min<std::uint64_t>(end - first + 1, std::max<std::uint64_t>(1, bytes_max_ / stride)));
    if (bytes_.size() < count_ * stride) bytes_.resize(count_ * stride);
    return count_ == 0 || session_.read_wal(frame_offset(first, page_size_), ByteSpan(bytes_).first(count_ * stride));
  }

  // Reads on behind what is held, step_bytes of it or a frame: what is in danger of being overwritten is read before memory is made for more.
  // False at the end of the file, at the window's bound, or when the file could not be read.
  bool extend(std::size_t step_bytes) {
    const std::uint64_t stride = frame_bytes(page_size_);
    const std::uint32_t in_file = frames_in(session_.wal_bytes(), page_size_);
    const std::uint32_t next = first_ + count_;
    const std::uint64_t room = bytes_max_ / stride - std::min<std::uint64_t>(count_, bytes_max_ / stride);
    const std::uint64_t more = std::min({room, std::max<std::uint64_t>(1, step_bytes / stride), std::uint64_t(in_file < next ? 0 : in_file - next + 1)});
    if (more == 0) return false;
    bytes_.resize((count_ + more) * stride);
    if (!session_.read_wal(frame_offset(next, page_size_), ByteSpan(bytes_).subspan(count_ * stride))) return false;
    count_ += static_cast<std::uint32_t>(more);
    return true;
  }

  bool holds(std::uint32_t frame) const noexcept { return frame >= first_ && frame - first_ < count_; }
  // From `frame` to the end of the window; empty when it is not here.
  ByteView from(std::uint32_t frame) const {
    const std::size_t stride = frame_bytes(page_size_);
    if (!holds(frame)) return {};
    return ByteView(bytes_).first(count_ * stride).subspan((frame - first_) * stride);
  }
  ByteView page(std::uint32_t frame) const {
    CCR_ASSERT(holds(frame));
    return from(frame).subspan(frame_header_bytes, page_size_);
  }
  std::uint32_t page_size() const noexcept { return page_size_; }

 private:
  const SqliteSession& session_;
  std::uint32_t page_size_;
  std::size_t bytes_max_;
  Bytes bytes_;
  std::uint32_t first_;
  std::uint32_t count_ = 0;
};

}  // namespace ccr::storage::sqlite
