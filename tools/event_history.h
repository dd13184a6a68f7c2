// The events of a node whose daemon does not run, as its files keep them. Reads, never writes.
//
// Oldest first, at most EventLog::events_max, as the daemon would tell them; what is damaged is left out. Errors: io and the like of
// a file that is there and cannot be read; no file at all is no event.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "engine/config.h"
#include "tools/commands.h"

namespace ccr::tools {

// not_found: the configuration has no such database or copy.
Result<std::vector<nlohmann::json>> events_from_disk(const engine::Config& config, const Target& target);

}  // namespace ccr::tools
