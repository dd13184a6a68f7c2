// What the commands that act on a copy say when they are done, from the daemon's JSON. Pure; ends with a newline.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/exit_code.h"

namespace ccr::tools {

// suspend, resume; with "dry_run" the checks and the plan.
std::string change_text(const std::string& copy, const nlohmann::json& result);
std::string seed_text(const std::string& copy, const nlohmann::json& result);
std::string cancel_text(const std::string& copy, const nlohmann::json& result);  // of a verification
std::string verify_text(const std::string& copy, const nlohmann::json& result);
// A copy that rests cannot be compared as of now: where all of its pages are sound, and it was proven equal before, that is a warning and no damage.
ExitCode verify_code(const nlohmann::json& result);
std::string scrub_text(const std::string& copy, const nlohmann::json& result);
std::string move_text(const std::string& database, const nlohmann::json& result);
std::string activate_text(const std::string& database, const nlohmann::json& result);
// What an activation leaves out, of its "missing": "nothing is missing", "3 generations (2.1 MiB) are missing", "what is missing is unknown since …".
std::string missing_text(const nlohmann::json& missing);
// The same of the whole answer: where the log ends by a point in time, that too.
std::string loss_text(const nlohmann::json& result);
std::string backup_text(const std::string& copy, const nlohmann::json& result);
std::string load_text(const std::string& database, const nlohmann::json& result);

}  // namespace ccr::tools
