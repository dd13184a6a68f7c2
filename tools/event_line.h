// An event as the daemon's log has it: 2026-01-02T03:04:05Z orders@beta state_changed from=healthy to=suspended comment="disk
// swap". Pure.
#pragma once

#include <string>

#include "base/trace.h"

namespace ccr::tools {

// Values with spaces, quotes or nothing in them are quoted; control characters and broken UTF-8 come out as \xNN, so that a peer's
// text is never more than one line of a log.
std::string event_line(const Event& event, WallTime at);

}  // namespace ccr::tools
