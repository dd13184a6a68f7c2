// How long the log may go on growing that an active copy keeps for copies which do not take it: until log_budget is reached, or its disk is full. Pure.
//
// From the JSON of the status command, as JSON: {"holders": [nodes], "bytes_per_second", "limit": "log_budget" | "disk", "seconds"}; null where nobody is absent,
// or the copy does not serve. The rate is an average over the whole absence: what they miss, over the time since when. Without a rate, room or growth no limit
// and no seconds are known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"

namespace ccr::tools {

// `copy`: the active one of `database`. `free_bytes`: of its log's disk, where it was looked at.
nlohmann::json log_forecast(const nlohmann::json& database, const nlohmann::json& copy, std::optional<std::uint64_t> free_bytes, WallTime now);

// "kept for beta, at 3.0 MB/s log_budget is reached in 20h 40m"; nothing of null.
std::string forecast_text(const nlohmann::json& forecast);

}  // namespace ccr::tools
