// What --dry-run answers: every check of a command, and what the command would do. Nothing is changed.
//
// {"dry_run":true,"allowed":…,"checks":[{"check":…,"ok":…,"found":…}],"plan":[…]}. `allowed` is false where a check failed. The
// command itself may wait for what a check misses (contact, say) instead of refusing. Lifetime: the arguments outlive the answer.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/load.h"
#include "engine/node.h"

namespace ccr::engine {

void add_check(nlohmann::json& answer, std::string check, bool ok, std::string found);

// `link`: what the way from the source was last measured to carry, in bytes per second.
Task<Result<SeedForecast>> forecast_of_seed(const NodeContext& context, const Hosted& hosted, SeedRequest wanted, std::optional<double> link);
Task<nlohmann::json> plan_of_seed(NodeContext& context, const Hosted& hosted, SeedRequest wanted, SeedForecast forecast);
nlohmann::json plan_of_suspend(const Hosted& hosted);
nlohmann::json plan_of_resume(const Hosted& hosted);
Task<nlohmann::json> plan_of_load(NodeContext& context, const Hosted& hosted, LoadOptions options);

}  // namespace ccr::engine
