// The header of a zstd frame (RFC 8878, section 3.1.1), read by hand: what a peer's frame asks for is known before the library
// takes any memory for it. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"

namespace ccr::transport {

struct ZstdFrame {
  std::uint64_t window_bytes = 0;  // what a decoder must keep; of a frame of one segment its content's length
  std::optional<std::uint64_t> content_bytes;
  bool checksum = false;
  std::size_t header_bytes = 0;
};

// `bytes` begin with the frame. ErrorKind::protocol for what is no such frame, for a skippable one, for reserved bits, for one that
// names a dictionary, and for a header that is not whole.
Result<ZstdFrame> read_zstd_frame(ByteView bytes);

}  // namespace ccr::transport
