// The packed forms of LogData and ExtentPages; messages.h has all others, transport/README.md the page of the format.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/position.h"

namespace ccr::transport {

// A log stream's history (zstd's window) is 2^history_log bytes.
inline constexpr int history_log_min = 20;  // 1 MiB: less does not reach back to the commit before
inline constexpr int history_log_max = 27;  // 128 MiB: the most that zstd's decoders take without being told

// The packed form of LogData, and what is agreed about it: transport/README.md, 'The packed log stream'.
struct LogPacked {  // active -> passive
  enum class Step : std::uint8_t {
    more = 1,  // the next piece of the stream
    fresh,     // the first piece of one
    ask,       // wants a history of history_log; Watermarks answer
    end,       // the stream, and what was granted for it, is over
  };
  Generation generation;  // as of LogData; 0 where there is no log
  std::uint64_t offset = 0;
  Step step = Step::more;
  std::uint8_t history_log = 0;  // of `ask`, and of `fresh`: 2^history_log bytes
  std::uint32_t stream = 0;      // number of the ask, from 1 on each connection
  std::uint32_t raw_bytes = 0;   // of log that the piece holds
  ByteView packed;               // views the frame
};

// ExtentPages whose images are one zstd frame (transport/page_packing.h).
struct ExtentPacked {
  std::uint32_t extent = 0;
  Position as_of;
  PageNumber page_count = 0;
  PageNumber first = 0;
  std::uint32_t images_bytes = 0;
  ByteView packed;  // views the frame
  bool last = false;
};

}  // namespace ccr::transport
