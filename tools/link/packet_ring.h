// PacketRing keeps packets in the order they came, in one piece of memory, each in one piece. Since a link has one delay, the
// oldest leaves first, and nothing is ever allocated or moved on the way.
//
// reserve() is room for the largest packet, or empty while there is none: then the packet stays with the kernel. keep() says how
// much of it to keep; without it the room is given back. Slots stay valid until drop_oldest() has counted them.
// Bounds: as many packets as fit; capacity is fixed. Threads: none.
#pragma once

#include <cstdint>
#include <deque>

#include "base/bytes.h"

namespace ccr::linklab {

class PacketRing {
 public:
  // Always has room for one more packet_bytes_max while kept bytes are at most `bytes_max`.
  PacketRing(std::size_t bytes_max, std::size_t packet_bytes_max)
      : packet_bytes_max_(packet_bytes_max), memory_(bytes_max + 2 * packet_bytes_max) {}

  ByteSpan reserve() {
    if (!fits_at_tail()) return {};
    return {memory_.data() + tail_, packet_bytes_max_};
  }
  void keep(std::size_t bytes) {
    CCR_ASSERT(bytes > 0 && bytes <= packet_bytes_max_);
    slots_.push_back({tail_, bytes});
    tail_ += bytes;
  }
  void drop_oldest() {
    CCR_ASSERT(!slots_.empty());
    slots_.pop_front();
    if (slots_.empty()) tail_ = 0;
  }
  ByteView oldest() const {
    CCR_ASSERT(!slots_.empty());
    return {memory_.data() + slots_.front().at, slots_.front().bytes};
  }
  bool empty() const noexcept { return slots_.empty(); }

 private:
  struct Slot {
    std::size_t at = 0;
    std::size_t bytes = 0;
  };

  // Moves the tail to the front of the memory where the rest behind it is too short.
  bool fits_at_tail() {
    if (slots_.empty()) return true;
    const std::size_t head = slots_.front().at;
    if (tail_ > head) {
      if (memory_.size() - tail_ >= packet_bytes_max_) return true;
      if (head <= packet_bytes_max_) return false;
      tail_ = 0;
      return true;
    }
    return head - tail_ > packet_bytes_max_;  // never equal: an equal tail means empty
  }

  std::size_t packet_bytes_max_;
  Bytes memory_;
  std::deque<Slot> slots_;
  std::size_t tail_ = 0;
};

}  // namespace ccr::linklab
