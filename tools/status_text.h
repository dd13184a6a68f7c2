// The table of `ccr status`, from the JSON of the status command. Pure: `now` is a parameter, colour is a parameter.
//
// A value that is null is shown as '?', one that has no meaning for a role as '-'. The generation of an active copy is the one it
// writes, of a passive one the last it has inspected. Behind a row: seed progress, cause, comment and proofs; below it the hint, and what is wrong
// with its connection (in full: the connection itself).
// Whatever the daemon or a peer wrote is escaped.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "tools/connection_text.h"

namespace ccr::tools {

std::string status_text(const nlohmann::json& status, WallTime now, bool color, Detail detail = Detail::brief);

// healthy -> Healthy, failed_and_suspended -> FailedAndSuspended, and back from either spelling.
std::string state_title(const std::string& name);
std::string state_name(const std::string& typed);

}  // namespace ccr::tools
