// Clock is a seam: every wait and every time stamp comes from here, so that the simulator can own time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "base/task.h"

namespace ccr {

using Duration = std::chrono::nanoseconds;
inline constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;

inline double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }
inline Duration duration_of(double seconds) { return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)); }

// A point on a monotonic, suspend-aware clock (CLOCK_BOOTTIME). Only differences mean anything.
struct Instant {
  std::int64_t nanoseconds = 0;

  constexpr auto operator<=>(const Instant&) const = default;
  friend constexpr Instant operator+(Instant at, Duration by) noexcept { return {at.nanoseconds + by.count()}; }
  friend constexpr Duration operator-(Instant to, Instant from) noexcept { return Duration(to.nanoseconds - from.nanoseconds); }
};

// Wall time, nanoseconds since 1970 UTC. Shown, never compared for a decision. 0: not known.
struct WallTime {
  std::int64_t nanoseconds = 0;
  constexpr bool known() const noexcept { return nanoseconds != 0; }
  constexpr auto operator<=>(const WallTime&) const = default;
};

// RFC 3339 in UTC, whole seconds: 2026-01-02T03:04:05Z.
std::string to_rfc3339(WallTime time);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall_now() const = 0;
  // What this process has used of its processors, all its threads together; not known in simulation.
  virtual std::optional<Duration> processor_time() const { return std::nullopt; }
  // Completes at or after `at`; throws when the task is stopped.
  virtual Task<void> sleep_until(Instant at) = 0;
  Task<void> sleep(Duration duration) { return sleep_until(now() + duration); }
};

}  // namespace ccr
