// Direction carries packets from one TUN device to the other as its Link says: reads what waits, keeps what will arrive, writes it
// when it is due. It decides nothing itself.
//
// A packet's time of coming is the turn it is read in, so it is exact to the emulator's own lateness, which is counted.
// Bounds: reads_per_turn_max; memory for what the queue and the delay can hold, fixed at the start. Lifetime: both devices must
// outlive it. Threads: none.
#pragma once

#include <deque>
#include <optional>

#include "tools/link/framed_packet.h"
#include "tools/link/lateness.h"
#include "tools/link/packet_ring.h"
#include "tools/link/tun_device.h"

namespace ccr::linklab {

class Direction {
 public:
  Direction(const TunDevice& from, const TunDevice& to, const LinkOptions& options);

  // Takes in what waits at `from`, up to a bound. An error is the device's end.
  Result<void> receive(Instant now);
  // Writes what is due at `now`.
  void deliver(Instant now);
  std::optional<Instant> next_due() const;

  const LinkCounters& counters() const noexcept { return link_.counters(); }
  const Lateness& lateness() const noexcept { return lateness_; }
  std::uint64_t trains() const noexcept { return trains_; }
  std::uint64_t refused() const noexcept { return refused_; }  // not understood, or not taken by the kernel at the far end

 private:
  struct Flight {
    FramedPacket packet;
    Run run;
    bool last_of_packet = false;
  };

  const TunDevice& from_;
  const TunDevice& to_;
  Link link_;
  PacketRing ring_;
  std::deque<Flight> flights_;
  std::vector<Run> runs_;  // of one packet; kept for its memory
  Lateness lateness_;
  std::uint64_t trains_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace ccr::linklab
