// A drill as a person reads it, from its JSON (tools/drill_json.h). Pure.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ccr::tools {

std::string drill_text(const nlohmann::json& result, bool color);

}  // namespace ccr::tools
