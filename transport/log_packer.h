// LogPacker makes the packed form of one log stream: a single zstd frame that never ends, flushed at every piece.
//
// Whatever was packed before, back to the length of the history, may be referred to: a page that is shipped again a little changed
// costs little. Long distance matching finds it; the level looks at what is near only. Completion: pack() returns bytes from which
// the other end makes the whole piece, without waiting for more. Failure: full, when there is no memory; the stream is then of no
// use. Lifetime: the result of pack() lives until the next call. Threads: any, one call at a time. Bounds: piece_bytes_max a call,
// memory as transport/history_budget.h counts it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "transport/zstd_handles.h"

namespace ccr::transport {

inline constexpr int zstd_level_max = 19;

class LogPacker {
 public:
  static constexpr std::size_t piece_bytes_max = 512 * KiB;
  static constexpr int bounded_level_min = 6;  // from here on zstd's own tables would be of many MiB: they are held to 4 each
  static constexpr std::uint64_t history_bytes_per_entry = 128;

  LogPacker(int level, int history_log) : level_(level), history_log_(history_log) {}

  Result<ByteView> pack(ByteView raw);
  bool fresh() const noexcept { return raw_bytes_ == 0; }  // nothing was packed yet: the next piece begins the stream
  int level() const noexcept { return level_; }
  int history_log() const noexcept { return history_log_; }
  std::uint64_t raw_bytes() const noexcept { return raw_bytes_; }  // since it began
  std::uint64_t memory_bytes() const;                              // libzstd's own account

 private:
  Result<void> begin();

  int level_;
  int history_log_;
  ZstdPacking context_;
  Bytes packed_;
  std::uint64_t raw_bytes_ = 0;
};

}  // namespace ccr::transport
