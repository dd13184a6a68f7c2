// The status JSON of a node whose daemon does not run, from what its state files remember. Reads, never writes.
//
// Known is only what this node's own copies last made durable: everything about other nodes is null, and so is every queue that
// depends on what another node did since.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "engine/config.h"
#include "storage/state_file.h"

namespace ccr::tools {

// The newer valid of the two slots in `directory`. not_found: none is there. corrupt: no valid one.
Result<storage::CopyState> read_state(const std::string& directory);

// Pure; `states` by database, absent where this node has no copy or never made one.
struct StateFound {
  std::optional<storage::CopyState> state;
  std::string trouble;  // why there is none, in words
};
nlohmann::json status_of_states(const engine::Config& config, const std::map<std::string, StateFound>& states);

nlohmann::json status_from_disk(const engine::Config& config);

}  // namespace ccr::tools
