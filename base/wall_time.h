// Wall times as people write them in RFC 3339. Pure: no clock and no time zone of a machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ccr {

// 2026-01-02T03:04:05Z, or with a fraction of up to nine digits, an offset (+01:00) for the Z, a space for the T. nullopt: no such time.
std::optional<WallTime> wall_time_of_rfc3339(std::string_view text);

// In UTC and to the nanosecond, so that it names the very same time when it is read back: 2026-01-02T03:04:05.000000007Z.
std::string to_rfc3339_exact(WallTime time);

}  // namespace ccr
