// LogUnpacker is the other end of LogPacker: it makes log again from the pieces of one stream, and believes nothing of them.
//
// A stream is one zstd frame without dictionary, whose history is at most the one granted, and that does not end. Each piece gives
// exactly the bytes it says, of what came with it alone. Failure: protocol where a rule is broken, corrupt where zstd finds the
// bytes damaged, full where there is no memory; the stream is then of no use, and so is its connection. A page of the protocol:
// transport/README.md. Threads: any, one call at a time. Bounds: memory as transport/history_budget.h counts it, whatever a peer
// sends.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "transport/zstd_handles.h"

namespace ccr::transport {

class LogUnpacker {
 public:
  // history_log: what was granted.
  explicit LogUnpacker(int history_log) : history_log_(history_log) {}

  Result<void> begin(ByteView packed);  // a stream begins with this piece; an earlier one is forgotten
  // Fills `raw`. After begin() with the same piece, then with each next one.
  Result<void> unpack(ByteView packed, ByteSpan raw);
  bool begun() const noexcept { return context_ != nullptr; }
  std::uint64_t memory_bytes() const;  // libzstd's own account

 private:
  int history_log_;
  ZstdUnpacking context_;
};

}  // namespace ccr::transport
