// A point in time as a person types it: RFC 3339 with its zone, or a local time of this host.
//
//   2026-01-02T03:04:05Z   2026-01-02 03:04:05+01:00      as it says; a fraction of the second may follow it
//   2026-01-02 03:04:05    2026-01-02 03:04               local time
//   03:04:05               03:04                          local time, of today
// A local time that the change of a clock leaves out, or brings twice, is refused: with a zone it can be said. Pure but for the zone.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace ccr::tools {

// usage: none of the above. `now` says which day is today.
Result<WallTime> parse_typed_time(const std::string& typed, WallTime now);

// 2026-01-02 03:04:05 +0100, with a fraction in milliseconds where it has one.
std::string local_time_text(WallTime time);

}  // namespace ccr::tools
