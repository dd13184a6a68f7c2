// The configuration in force as JSON: bytes, bytes per second and seconds as numbers; unlimited is null. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/config.h"

namespace ccr::tools {

nlohmann::json config_json(const engine::Config& config);

}  // namespace ccr::tools
