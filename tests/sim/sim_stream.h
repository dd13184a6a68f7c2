// Stream is one connection of the simulated network: two ends, and what travels between them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "tests/sim/sim_wait.h"
#include "transport/network.h"

namespace ccr::sim {

class SimNetwork;
using HostId = std::size_t;

enum class SegmentKind { bytes, end, reset };

struct Segment {
  SegmentKind kind = SegmentKind::bytes;
  Bytes bytes;
  Instant arrives;
};

struct End {
  HostId host = 0;
  transport::Endpoint address;
  bool open = true;    // this side's program holds it
  bool gone = false;   // the machine lost power; it knows nothing of the stream any more
  bool reset = false;  // broken here; what has arrived can still be read
  bool ended = false;  // the peer closed, and everything before that has arrived

  std::deque<std::byte> inbox;
  Wait* reader = nullptr;
  Wait* writer = nullptr;
  bool writing = false;
  bool write_broken = false;  // a write was stopped half-way

  std::deque<Segment> travelling;  // from here to the other end, in order
  Instant last_arrival;
  EventId arrival, gives_up;
  bool stuck = false;          // the first one was lost and waits for the link
  std::uint64_t accepted = 0;  // bytes written here for which no room has come back
  std::uint64_t credit = 0;    // of these, read by the peer; on the way back
  EventId credit_return;
  bool credit_stuck = false;
};

struct Stream {
  std::uint64_t id = 0;
  SimNetwork* network = nullptr;
  bool half_open = false;   // passes nothing any more
  std::array<End, 2> ends;  // the one that connected, the one that accepted
};

inline void wake(Wait* wait) {
  if (wait != nullptr) wait->complete();
}

}  // namespace ccr::sim
