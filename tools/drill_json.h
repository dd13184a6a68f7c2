// A drill as JSON: in the shape of a measurement, so that `ccr report` draws it, with its checks, amounts and roots beside. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tools/drill_verdict.h"

namespace ccr::tools {

nlohmann::json drill_json(const DrillFacts& facts, const DrillVerdict& verdict);

// What would be done, as --dry-run and the question before a drill tell it.
std::vector<std::string> drill_plan(const DrillFacts& facts, const std::string& load);

}  // namespace ccr::tools
