// What differs between two configurations, by the names of their keys. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/config.h"

namespace ccr::tools {

// "transport.seed_rate", "databases.mail" for a whole table that came or went; in the order of the file.
std::vector<std::string> config_changes(const engine::Config& before, const engine::Config& after);

}  // namespace ccr::tools
