// Link is one direction of an emulated wire: packets go in with the time they came, and come out with the time they arrive. It is
// a pure function of what it was offered and of its seed: no clock, no buffers, no bytes.
//
// The wire, in the order a packet meets it:
//   1. a queue of queue_bytes in front of it, first in, first out. A packet that does not fit is dropped (tail drop). What is
//      being sent counts with the part of it not sent yet, so the queue is exactly what delays the next packet. An idle link
//      takes any packet.
//   2. the sender's clock: wire bytes (see wire_bytes) one after the other at rate_bits_per_second. No bucket, no burst.
//   3. loss, each packet for itself, after it has taken its time on the wire, as a damaged frame does.
//   4. delay, the same for every packet. So packets never overtake each other.
//
// Packets of one TCP send come as a train (segmentation offload) and are counted, queued, timed and lost one by one. Those that
// survive side by side leave as one run, at the time its last one arrives; a run takes at most run_time_max on the wire, so no
// packet is later than that by travelling in company. Once one packet of a train met a full queue the rest of it did too.
// Bounds: runs per train <= packets per train. Threads: none.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace ccr::linklab {

// Preamble 8, header 14, checksum 4, gap 12: what Ethernet adds to an IP packet. With them 1 Gbit/s is what a real gigabit is:
// 1448 bytes of TCP in 1538 on the wire, 941 Mbit/s.
inline constexpr std::uint64_t frame_overhead_bytes = 38;
inline constexpr std::uint64_t frame_wire_bytes_min = 84;  // a frame of 64 bytes, preamble and gap

constexpr std::uint64_t wire_bytes(std::uint64_t ip_bytes) noexcept {
  const std::uint64_t bytes = ip_bytes + frame_overhead_bytes;
  return bytes < frame_wire_bytes_min ? frame_wire_bytes_min : bytes;
}

struct LinkOptions {
  std::uint64_t rate_bits_per_second = 1'000'000'000;
  Duration delay{0};  // one way
  std::uint64_t queue_bytes = 512 * 1024;
  std::uint64_t loss_per_billion = 0;  // packets
  std::uint64_t seed = 1;
  // A train of 64 KiB takes 0.55 ms on a gigabit and stays whole there; on slower links it is cut.
  Duration run_time_max{std::chrono::milliseconds(1)};
};

// Packets sent together; all of one size but for the last. A single packet is a train of one.
struct Train {
  std::uint32_t packets = 1;
  std::uint64_t packet_wire_bytes = 0;
  std::uint64_t last_wire_bytes = 0;

  bool operator==(const Train&) const = default;
};

// Packets first .. first + packets - 1 of a train, and when they arrive at the far end.
struct Run {
  std::uint32_t first = 0;
  std::uint32_t packets = 0;
  Instant at;

  bool operator==(const Run&) const = default;
};

// Wire bytes throughout. offered = carried + dropped_by_queue + dropped_by_loss, in packets.
struct LinkCounters {
  std::uint64_t packets_offered = 0;
  std::uint64_t bytes_offered = 0;
  std::uint64_t packets_carried = 0;
  std::uint64_t bytes_carried = 0;
  std::uint64_t packets_dropped_by_queue = 0;
  std::uint64_t packets_dropped_by_loss = 0;
  std::uint64_t queue_bytes_most = 0;

  bool operator==(const LinkCounters&) const = default;
};

class Link {
 public:
  explicit Link(const LinkOptions& options);

  // Appends what of the train arrives, in order, to `runs`. `now` must not go back.
  void offer(Instant now, const Train& train, std::vector<Run>& runs);

  const LinkCounters& counters() const noexcept { return counters_; }

 private:
  std::uint64_t waiting_bytes(Instant now) const;
  bool fits(Instant now, std::uint64_t bytes) const;
  void send(std::uint64_t bytes);
  bool lost();

  LinkOptions options_;
  Random random_;
  Instant free_at_;               // when the last accepted packet will have left the sender
  std::uint64_t free_carry_ = 0;  // the part of a nanosecond beyond it, in units of 1 / rate
  Instant offered_at_;
  LinkCounters counters_;
};

}  // namespace ccr::linklab
