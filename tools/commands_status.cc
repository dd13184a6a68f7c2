// ccr status, ccr wait, ccr events.

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "tools/amounts.h"
#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/event_history.h"
#include "tools/interrupts.h"
#include "tools/json_fields.h"
#include "tools/log_forecast.h"
#include "tools/space_look.h"
#include "tools/state_status.h"
#include "tools/status_text.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr int watch_interval_ms = 1000;
constexpr const char* clear_screen = "\x1b[H\x1b[2J";

// Only what the target names stays; a database that is not there is an error.
// Leaves in a status what `target` names.
void narrow(json& status, const Target& target) {
  if (target.database.empty()) return;
  json& databases = status["databases"];
  const auto others = [](json& list, const char* key, const std::string& wanted) {
    list.erase(std::remove_if(list.begin(), list.end(), [&](const json& entry) { return text_field(entry, key) != wanted; }), list.end());
  };
  others(databases, "name", target.database);
  if (!target.node.empty()) others(databases[0]["copies"], "node", target.node);
}

// From the daemon; from the state files where nobody answers on its socket.
Result<json> find_status(const engine::Config& config, const Target& target) {
  Result<ControlClient> client = ControlClient::connect(config.control_socket);
  if (client) {
    const json request{{"command", "status"}, {"database", target.database}, {"node", target.node}};
    return client->call(request, {});
  }
  if (client.error().kind != ErrorKind::not_found) return client.error();
  CCR_TRY(find_copy(config, target.database, target.node));
  json status = status_from_disk(config);
  narrow(status, target);
  return status;
}

// What is added to what the daemon says: how long the log may grow, on the disks of this host.
void add_forecasts(json& status, WallTime now) {
  if (list_field(status, "databases").empty()) return;
  struct Kept {
    json& database;
    json& copy;
    std::string log_directory;
  };
  std::vector<Kept> kept;
  std::vector<std::string> directories;
  const std::string here = text_field(status, "node");
  for (json& database : status["databases"]) {
    if (list_field(database, "copies").empty()) continue;
    for (json& copy : database["copies"]) {
      if (text_field(copy, "role") != "active" || text_field(copy, "node") != here || log_forecast(database, copy, std::nullopt, now).is_null()) continue;
      kept.push_back({database, copy, text_field(copy, "log_directory")});
      directories.push_back(kept.back().log_directory);
    }
  }
  if (kept.empty()) return;
  const std::map<std::string, std::uint64_t> free = free_bytes_of(directories);
  for (Kept& each : kept) {
    const auto found = free.find(each.log_directory);
    each.copy["log_forecast"] = log_forecast(each.database, each.copy, found != free.end() ? std::optional(found->second) : std::nullopt, now);
  }
}

WallTime time_of(const json& status, const Clock& clock) {
  const double at = seconds_of_rfc3339(text_field(status, "at"));
  if (at < 0) return clock.wall_now();
  return {static_cast<std::int64_t>(at) * 1'000'000'000};
}

struct Showing {
  Detail detail = Detail::brief;
  bool clear = false;
};

ExitCode show_status(const CommonOptions& common, const engine::Config& config, const Target& target, Showing showing) {
  Result<json> status = find_status(config, target);
  if (!status) return report(status.error());
  const SystemClock clock;
  const WallTime now = time_of(*status, clock);
  add_forecasts(*status, now);
  if (common.json) {
    print_json(*status);
  } else {
    const bool color = stdout_color(common.color);
    print((showing.clear ? clear_screen : "") + status_text(*status, now, color, showing.detail));
  }
  return field(*status, "daemon") == false ? ExitCode::unreachable : ExitCode::done;
}

void print_event(const json& event) { print(event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"); }

// What the daemon wrote down before it ended; the exit code and stderr say that nobody runs.
ExitCode show_kept_events(const engine::Config& config, const Target& target, const Error& unreachable) {
  const Result<std::vector<json>> events = events_from_disk(config, target);
  if (!events) return report(events.error());
  for (const json& event : *events) print_event(event);
  return report(unreachable);
}

}  // namespace

ExitCode run_status(const CommonOptions& common, const StatusOptions& options) {
  const Result<Target> target = options.target.empty() ? Result<Target>(Target{}) : parse_target(options.target);
  if (!target) return report(target.error());
  const Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  Showing showing{options.verbose ? Detail::full : Detail::brief, false};
  if (!options.watch) return show_status(common, *config, *target, showing);
  const Interrupts interrupts;
  showing.clear = stdout_color(common.color) && !common.json;
  do {
    const ExitCode shown = show_status(common, *config, *target, showing);
    if (shown == ExitCode::usage) return shown;
  } while (!interrupts.wait(watch_interval_ms));
  return ExitCode::interrupted;
}

ExitCode run_wait(const CommonOptions& common, const WaitOptions& options) {
  const Result<Target> target = parse_copy(options.target);
  if (!target) return report(target.error());
  const Result<Duration> timeout = engine::parse_duration(options.timeout);
  if (!timeout) return report(timeout.error().within("--timeout"));
  const std::string state = state_name(options.state);
  const double seconds = std::chrono::duration<double>(*timeout).count();
  const json request{
      {"command", "wait"}, {"database", target->database}, {"node", target->node}, {"for", state}, {"timeout_seconds", seconds}};
  const Result<json> result = watch(common, request);
  if (!result)
    return report_watched(result.error(), "no longer waiting for " + options.target, "ccr wait " + options.target + " waits again");
  if (common.json) {
    print_json(*result);
  } else {
    print(fmt::format("{} is {}\n", options.target, state_title(state)));
  }
  return ExitCode::done;
}

ExitCode run_events(const CommonOptions& common, const EventsOptions& options) {
  const Result<Target> target = options.target.empty() ? Result<Target>(Target{}) : parse_target(options.target);
  if (!target) return report(target.error());
  Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  Result<ControlClient> client = connect_daemon(*config);
  if (!client) {
    return client.error().kind == ErrorKind::unreachable && !options.follow ? show_kept_events(*config, *target, client.error())
                                                                            : report(client.error());
  }
  const Interrupts interrupts;
  ControlClient::Watch watched;
  watched.on_event = print_event;
  watched.interrupt = interrupts.descriptor();
  if (options.follow) watched.silence_max = Duration::zero();
  const json request{{"command", "events"}, {"follow", options.follow}, {"database", target->database}, {"node", target->node}};
  const Result<json> result = client->call(request, watched);
  if (result) return ExitCode::done;
  return result.error().kind == ErrorKind::stopped ? ExitCode::interrupted : report(result.error());
}

}  // namespace ccr::tools
