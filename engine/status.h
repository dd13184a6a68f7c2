// What `ccr status` shows, as JSON (CLI.md is the contract): one document of everything this node knows. A value that is not known is null.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/node.h"

namespace ccr::engine {

// `database`, `node`: empty for all.
nlohmann::json status_of(const Node& node, Clock& clock, const std::string& database, const std::string& copy_node);

}  // namespace ccr::engine
