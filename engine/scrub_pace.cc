#include "engine/scrub_pace.h"

#include <algorithm>

namespace ccr::engine {
namespace {

constexpr Duration never = scrub_sleep_max;

Duration least_apart(std::uint64_t bytes_per_second) noexcept {
  if (bytes_per_second == 0) return Duration::zero();
  constexpr std::uint64_t nanoseconds = 1'000'000'000;
  return Duration(static_cast<std::int64_t>(scrub_extent_bytes * nanoseconds / bytes_per_second));
}

// From one extent of the open pass to the next, so that the rest fits into what is left of nine tenths of the period.
Duration apart(const ScrubFacts& facts) noexcept {
  const Duration left = facts.every - facts.every / 10 - Duration(facts.now.nanoseconds - facts.began.nanoseconds);
  const std::int64_t extents = static_cast<std::int64_t>(std::max<std::uint64_t>(facts.extents_left, 1));
  return std::clamp(left / extents, Duration::zero(), extent_pause_max);
}

}  // namespace

Duration scrub_pause(const ScrubFacts& facts) noexcept {
  const bool off = facts.every <= Duration::zero();
  if (!facts.asked && off) return never;
  if (facts.blocked) return scrub_blocked_look;
  const Duration least = least_apart(facts.bytes_per_second);
  Duration due = facts.since_last;  // what must have passed
  if (facts.asked) {
    due = least;
  } else if (facts.open) {
    due = std::max(apart(facts), least);
  } else if (facts.began.known()) {
    // A clock that was set back makes the wait no longer than a period.
    const Duration rest = facts.every - Duration(facts.now.nanoseconds - facts.began.nanoseconds);
    const Duration pause = std::clamp(rest, Duration::zero(), facts.every);
    if (pause > Duration::zero()) return std::min(pause, scrub_sleep_max);
  }
  if (facts.since_last < due) return std::min(due - facts.since_last, scrub_sleep_max);
  if (!facts.asked && facts.only_idle && facts.busy) return scrub_idle_look;
  return Duration::zero();
}

bool scrub_overdue(WallTime began, WallTime finished, WallTime now, Duration every) noexcept {
  const WallTime last = finished.known() ? finished : began;
  if (every <= Duration::zero() || !last.known()) return false;
  return now.nanoseconds - last.nanoseconds > 2 * every.count();
}

}  // namespace ccr::engine
