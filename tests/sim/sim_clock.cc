#include "tests/sim/sim_clock.h"

#include <system_error>

namespace ccr::sim {
namespace {

constexpr std::int64_t ppm_whole = 1'000'000;

// value * numerator / denominator, without overflow since both are about a million.
std::int64_t scaled(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  return value / denominator * numerator + value % denominator * numerator / denominator;
}

}  // namespace

SimClock::SimClock(World& world, const ClockState& state) : world_(world), state_(state), gate_(world) {
  CCR_ASSERT(state.drift_ppm >= -drift_ppm_max && state.drift_ppm <= drift_ppm_max);
}

Instant SimClock::now() const {
  const Duration passed = world_.now() - state_.booted;
  return {state_.origin.nanoseconds + scaled(passed.count(), ppm_whole + state_.drift_ppm, ppm_whole)};
}

WallTime SimClock::wall_now() const { return {wall_epoch + world_.now().nanoseconds + state_.wall_offset.count()}; }

Task<void> SimClock::sleep_until(Instant at) {
  const Duration left = at - now();
  // One nanosecond more than the division leaves, so that nobody wakes early.
  const std::int64_t in_world = left.count() > 0 ? scaled(left.count(), ppm_whole, ppm_whole + state_.drift_ppm) + 1 : 0;
  co_await delay_for(gate_, Duration(in_world), "clock.sleep");
  if (gate_.severed()) throw std::system_error(asio::error::operation_aborted);
}

}  // namespace ccr::sim
