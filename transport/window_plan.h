// What it takes to fill a link: how much must be in flight, and what the kernel of a host allows. Pure.
//
// Rates are in bytes per second, sizes in bytes. The figures are TCP's: a window is what may be in flight unacknowledged, its 16
// bits in the header are shifted by a scale that both ends tell in their SYN (RFC 7323), and a connection carries at most window /
// round trip.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace ccr::transport {

inline constexpr std::uint64_t unscaled_window_max = 65'535;
inline constexpr int window_scale_max = 14;

struct LinkPath {
  std::uint64_t bytes_per_second = 0;  // of the wire, frames and gaps between them included
  Duration round_trip{0};
  std::uint32_t mtu = 1500;
};

// As sysctl tells them. `auto` limits are the third words of tcp_rmem and tcp_wmem; the others cap what a program asks for.
struct HostLimits {
  bool scaling = true;
  bool timestamps = true;
  std::uint64_t receive_asked_max = 0, send_asked_max = 0;
  std::uint64_t receive_auto_max = 0, send_auto_max = 0;
};

struct WindowPlan {
  std::uint64_t product = 0;   // bandwidth x round trip: what the link itself holds
  std::uint64_t window = 0;    // with head room
  int scale = 0;               // the smallest whose 16 bits tell that window; -1: no scale does
  std::uint64_t buffer = 0;    // for both auto limits: the kernel counts its own overhead into a buffer, half of it is window
  std::uint64_t payload = 0;   // bytes per second that are left for what is sent, headers taken off
  std::uint64_t unscaled = 0;  // of those, what 65,535 bytes in flight carry
};
// head_room: how many products the window holds, at least 1.
WindowPlan plan_window(const LinkPath& path, double head_room, bool timestamps = true);

// Bytes per second of the wire that carry so much payload.
std::uint64_t wire_of_payload(std::uint64_t payload_bytes_per_second, std::uint32_t mtu, bool timestamps = true) noexcept;

// What one connection gets by itself on this host, and how many it takes to fill the link. nullopt: the round trip is 0. The kernel counts
// its overhead into both buffers: half of a receive buffer is window, of a send buffer two thirds are in flight (an emulated gigabit at
// 100 ms carried 226 Mbit/s with 4 MiB of tcp_wmem, 2.8 MB in flight).
struct Reach {
  std::uint64_t window = 0;
  std::uint64_t payload = 0;  // bytes per second of one connection
  int connections = 1;
};
std::optional<Reach> reach_of(const LinkPath& path, const HostLimits& host);

int scale_for(std::uint64_t window) noexcept;                                      // -1: no scale does
std::uint64_t rate_of_window(std::uint64_t window, Duration round_trip) noexcept;  // round_trip > 0

// Of the wire, that this much log a second needs: a link that must keep up with bursts is planned to be used to seven tenths.
std::uint64_t wire_for_log(std::uint64_t log_bytes_per_second) noexcept;

}  // namespace ccr::transport
