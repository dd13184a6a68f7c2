// Pages of a seed, packed: one zstd frame for one message, independent of every other.
//
// A frame says its content's length, keeps no history beyond it and names no dictionary. Failure of unpack(): protocol where a rule
// is broken (more than one frame, another length, a history above page_history_log_max, anything behind the frame), corrupt where
// zstd finds the bytes damaged. Lifetime: what pack() and unpack() return lives until the object's next call. Threads: any, one
// call at a time. Bounds: tail_bytes_max in and out, checked before the library sees a byte.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "transport/zstd_handles.h"

namespace ccr::transport {

inline constexpr int page_history_log_max = 20;

class PagePacker {
 public:
  Result<ByteView> pack(ByteView images, int level);

 private:
  ZstdPacking context_;
  Bytes packed_;
};

class PageUnpacker {
 public:
  Result<ByteView> unpack(ByteView packed, std::size_t images_bytes);

 private:
  ZstdUnpacking context_;
  AlignedBuffer images_;
};

}  // namespace ccr::transport
