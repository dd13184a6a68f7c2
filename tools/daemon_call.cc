#include "tools/daemon_call.h"

#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "tools/config_file.h"
#include "tools/interrupts.h"
#include "tools/progress_display.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

Result<json> call(const CommonOptions& common, const json& request, const ControlClient::Watch& watch) {
  const Result<engine::Config> config = load_config(common.config_file, common.node);
  CCR_TRY(config);
  Result<ControlClient> client = connect_daemon(*config);
  if (!client) return client.error();
  return client->call(request, watch);
}

}  // namespace

Result<ControlClient> connect_daemon(const engine::Config& config) {
  Result<ControlClient> client = ControlClient::connect(config.control_socket);
  const bool down = !client && client.error().kind == ErrorKind::not_found;
  if (down) return Error{ErrorKind::unreachable, client.error().message, "start it: ccr serve --node " + config.node};
  return client;
}

Result<json> ask(const CommonOptions& common, const json& request) { return call(common, request, {}); }

Result<json> watch(const CommonOptions& common, const json& request) {
  const SystemClock clock;
  const Interrupts interrupts;
  ProgressDisplay display(stderr, stderr_columns());
  ControlClient::Watch watched;
  watched.on_progress = [&](const json& fields) { display.show(fields, clock.now()); };
  watched.silence_max = Duration::zero();
  watched.interrupt = interrupts.descriptor();
  return call(common, request, watched);
}

ExitCode report_watched(const Error& error, const std::string& goes_on, const std::string& hint) {
  if (error.kind != ErrorKind::stopped || error.message != "interrupted") return report(error);
  note("ccr: " + goes_on);
  note("hint: " + hint);
  return ExitCode::interrupted;
}

void print_json(json result) {
  if (result.is_object()) result.emplace("schema", 1);
  print(result.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace ccr::tools
