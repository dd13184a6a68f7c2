#include "transport/window_plan.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace ccr::transport {
namespace {

constexpr std::uint32_t frame_overhead = 38;  // Ethernet: preamble 8, header 14, checksum 4, gap 12
constexpr std::uint32_t header_bytes = 40;    // IPv4 and TCP
constexpr std::uint32_t timestamp_bytes = 12;
constexpr std::uint64_t buffer_of_window = 2;
constexpr double log_share_max = 0.7;

std::uint64_t payload_of(const LinkPath& path, bool timestamps) {
  const std::uint32_t headers = header_bytes + (timestamps ? timestamp_bytes : 0);
  CCR_ASSERT(path.mtu > headers);
  return static_cast<std::uint64_t>(double(path.bytes_per_second) * (path.mtu - headers) / (path.mtu + frame_overhead));
}

std::uint64_t product_of(const LinkPath& path) {
  return static_cast<std::uint64_t>(std::llround(double(path.bytes_per_second) * seconds_of(path.round_trip)));
}

}  // namespace

int scale_for(std::uint64_t window) noexcept {
  for (int scale = 0; scale <= window_scale_max; ++scale) {
    if (unscaled_window_max << scale >= window) return scale;
  }
  return -1;
}

std::uint64_t rate_of_window(std::uint64_t window, Duration round_trip) noexcept {
  return static_cast<std::uint64_t>(double(window) / seconds_of(round_trip));
}

WindowPlan plan_window(const LinkPath& path, double head_room, bool timestamps) {
  CCR_ASSERT(head_room >= 1);
  WindowPlan plan;
  plan.product = product_of(path);
  plan.window =
      std::max<std::uint64_t>(unscaled_window_max, static_cast<std::uint64_t>(std::llround(double(plan.product) * head_room)));
  plan.scale = scale_for(plan.window);
  plan.buffer = plan.window * buffer_of_window;
  plan.payload = payload_of(path, timestamps);
  plan.unscaled =
      path.round_trip.count() == 0 ? plan.payload : std::min(plan.payload, rate_of_window(unscaled_window_max, path.round_trip));
  return plan;
}

std::optional<Reach> reach_of(const LinkPath& path, const HostLimits& host) {
  if (path.round_trip.count() <= 0) return std::nullopt;
  Reach reach;
  reach.window = std::min(host.receive_auto_max / buffer_of_window, host.send_auto_max * 2 / 3);
  if (!host.scaling) reach.window = std::min(reach.window, unscaled_window_max);
  const std::uint64_t payload = payload_of(path, host.timestamps);
  const std::uint64_t carried = rate_of_window(reach.window, path.round_trip);
  reach.payload = std::min(payload, carried);
  const std::uint64_t each = std::max<std::uint64_t>(carried, 1);
  reach.connections = static_cast<int>(std::min<std::uint64_t>((payload + each - 1) / each, 1'000'000));
  return reach;
}

std::uint64_t wire_of_payload(std::uint64_t payload_bytes_per_second, std::uint32_t mtu, bool timestamps) noexcept {
  const std::uint32_t headers = header_bytes + (timestamps ? timestamp_bytes : 0);
  CCR_ASSERT(mtu > headers);
  return static_cast<std::uint64_t>(std::llround(double(payload_bytes_per_second) * (mtu + frame_overhead) / (mtu - headers)));
}

std::uint64_t wire_for_log(std::uint64_t log_bytes_per_second) noexcept {
  return static_cast<std::uint64_t>(std::llround(double(log_bytes_per_second) / log_share_max));
}

}  // namespace ccr::transport
