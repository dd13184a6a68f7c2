// Measurements as a person reads them, from the daemon's JSON. Pure; ends with a newline.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ccr::tools {

std::string bench_text(const nlohmann::json& result);  // of any kind

}  // namespace ccr::tools
