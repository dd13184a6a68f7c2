// A drill with two nodes for its report: what it will do, its amounts, its series. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tools/drill_facts.h"

namespace ccr::tools {

// As --dry-run and the question before a drill tell it; `load`: bytes per second of the drill's own, 0: none.
std::vector<std::string> pair_plan(const DrillFacts& facts, std::uint64_t load);
nlohmann::json pair_json(const DrillFacts& facts);
nlohmann::json pair_rows(const DrillFacts& facts);  // [{"name":"…","value":"…"}], for text and page alike
nlohmann::json pair_series(const DrillFacts& facts);

}  // namespace ccr::tools
