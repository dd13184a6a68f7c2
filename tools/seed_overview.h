// Several seeds of one node seen as one piece of work, from what `ccr status` says of their copies. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace ccr::tools {

// The databases of which `node` has a passive copy, in the order of the status.
std::vector<std::string> passive_databases(const nlohmann::json& status, const std::string& node);
// That copy; null: the status does not have it.
const nlohmann::json& copy_in(const nlohmann::json& status, const std::string& database, const std::string& node);
// Its seed is over: none runs any more, or it waits for a person.
bool seed_over(const nlohmann::json& copy);
// As a progress line of the daemon has it: bytes and rates of all together, how many are over.
nlohmann::json seeds_progress(const std::vector<nlohmann::json>& copies);

}  // namespace ccr::tools
