// SimClock is what one life of a node sees of the world's time: its own origin, its own speed, its own idea of the date.
//
// now() starts at `origin` when the machine boots and runs (1 + drift_ppm / 10^6) times as fast as the world. The wall clock is off
// by wall_offset and may jump; nothing but what is shown may depend on it. sleep_until() honours stopping; in a severed clock it
// throws at once, so that a dead node cannot wait.
// Lifetime: outlives its sleepers. Threads: one.
#pragma once

#include "base/clock.h"
#include "tests/sim/sim_wait.h"

namespace ccr::sim {

// What a machine's clocks are; it survives the process, and a reboot changes `booted` and `origin`.
struct ClockState {
  Instant booted;              // of the world
  Instant origin;              // what the node's clock showed then
  std::int64_t drift_ppm = 0;  // +-100,000 at most: ten percent
  Duration wall_offset{0};
};

class SimClock final : public Clock {
 public:
  static constexpr std::int64_t drift_ppm_max = 100'000;
  // The date at the world's instant 0; any would do.
  static constexpr std::int64_t wall_epoch = std::int64_t(1'767'225'600) * 1'000'000'000;  // 2026-01-01T00:00:00Z

  SimClock(World& world, const ClockState& state);

  Instant now() const override;
  WallTime wall_now() const override;
  Task<void> sleep_until(Instant at) override;

  Gate& gate() noexcept { return gate_; }

 private:
  World& world_;
  const ClockState& state_;  // of the machine; wall_offset may change under us
  Gate gate_;
};

}  // namespace ccr::sim
