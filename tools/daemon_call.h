// Asking this node's daemon: finds its socket through the configuration, waits for the answer, shows progress meanwhile.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/config.h"
#include "tools/commands.h"
#include "tools/control_client.h"

namespace ccr::tools {

// A daemon that does not run is ErrorKind::unreachable, with the command that starts it.
Result<ControlClient> connect_daemon(const engine::Config& config);

// One question, one answer within ControlClient's silence_max.
Result<nlohmann::json> ask(const CommonOptions& common, const nlohmann::json& request);

// Long work: progress on stderr, no limit, Ctrl-C gives ErrorKind::stopped while the daemon goes on.
Result<nlohmann::json> watch(const CommonOptions& common, const nlohmann::json& request);

// Reports the error of a long command; after Ctrl-C says `goes_on` with its hint, and answers interrupted.
ExitCode report_watched(const Error& error, const std::string& goes_on, const std::string& hint);

// The result as one line of JSON, "schema" included.
void print_json(nlohmann::json result);

}  // namespace ccr::tools
