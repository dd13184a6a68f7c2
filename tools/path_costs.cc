#include "tools/path_costs.h"

#include <fmt/format.h>

#include "tools/amounts.h"
#include "transport/window_plan.h"

namespace ccr::tools {
namespace {

constexpr double sequence_numbers = 4294967296.0;  // bytes until TCP counts from the start again
// RFC 9293: how long a segment may live in the net. One that comes after its number is in use again is taken for new.
constexpr double segment_life_seconds = 120;

PathCost scaling_cost(const PathFacts& facts) {
  PathCost cost{"window scaling is off: at most 64 KiB in flight", "sysctl -w net.ipv4.tcp_window_scaling=1, on both hosts"};
  if (facts.round_trip.count() <= 0) return cost;
  const auto carried = double(transport::rate_of_window(transport::unscaled_window_max, facts.round_trip));
  const double milliseconds = std::chrono::duration<double, std::milli>(facts.round_trip).count();
  cost.what += fmt::format(", {} per connection at {:.3g} ms", rate_text(carried), milliseconds);
  if (facts.bytes_per_second > 0 && carried < double(facts.bytes_per_second))
    cost.what += fmt::format(", {:.2g} % of the link", 100 * carried / double(facts.bytes_per_second));
  return cost;
}

PathCost timestamps_cost(const PathFacts& facts) {
  PathCost cost{"timestamps are off: the round trip is measured once in a window only",
                "sysctl -w net.ipv4.tcp_timestamps=1, on both hosts"};
  if (facts.bytes_per_second == 0) return cost;
  const double repeats = sequence_numbers / double(facts.bytes_per_second);
  if (repeats < segment_life_seconds)
    cost.what += fmt::format(", and at {} a sequence number returns after {:.2g} s, when an old segment may still be on its way",
                             rate_text(double(facts.bytes_per_second)), repeats);
  return cost;
}

}  // namespace

std::vector<PathCost> path_costs(const PathFacts& facts) {
  std::vector<PathCost> costs;
  if (!facts.scaling) costs.push_back(scaling_cost(facts));
  if (!facts.timestamps) costs.push_back(timestamps_cost(facts));
  return costs;
}

}  // namespace ccr::tools
