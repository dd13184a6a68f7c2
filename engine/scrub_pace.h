// When the next extent of a scrub is due: pure.
//
// A pass is spread evenly over its period, with a tenth of it in reserve, but never slower than an extent in extent_pause_max, so that a small
// database has its proof soon and then rests. It is never faster than the rate allows; a pass that cannot end in time then takes longer, and is
// told as overdue. What a person asked for goes at its own rate at once. Passes are reckoned in wall time, which alone goes on over a restart; a
// clock that is set wrongly costs a pass sooner or later, and no more.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace ccr::engine {

inline constexpr Duration extent_pause_max = std::chrono::minutes(10);
inline constexpr Duration scrub_idle_look = std::chrono::seconds(5);    // where only an idle copy is read: from one look at it to the next
inline constexpr Duration scrub_blocked_look = std::chrono::seconds(5); // while its pages cannot be read
inline constexpr Duration scrub_sleep_max = std::chrono::hours(1);      // the wall clock may be set meanwhile
inline constexpr std::uint64_t scrub_extent_bytes = 1 * MiB;

struct ScrubFacts {
  bool asked = false;     // by a person
  bool blocked = false;   // the pages cannot be read now
  bool only_idle = false;
  bool busy = false;      // the copy did something since the last look
  Duration every{0};      // 0: off
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  bool open = false;      // a pass is under way
  WallTime began;         // it, or the last one; unknown: none ever
  WallTime now;
  Duration since_last{0};  // since the last extent was begun
  std::uint64_t extents_left = 0;  // of the open pass
};

// Zero: now. At most scrub_sleep_max; then the facts are looked at again.
Duration scrub_pause(const ScrubFacts& facts) noexcept;

// The last whole pass, or the first one where none ended, is older than two periods. `every` 0: never.
bool scrub_overdue(WallTime began, WallTime finished, WallTime now, Duration every) noexcept;

}  // namespace ccr::engine
