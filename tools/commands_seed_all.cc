// ccr seed --all@NODE: every passive copy of this node at once. Each seed is the daemon's own; they share the link among themselves.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/interrupts.h"
#include "tools/json_fields.h"
#include "tools/progress_display.h"
#include "tools/result_text.h"
#include "tools/seed_overview.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

constexpr int look_interval_ms = 500;

struct Begun {
  std::vector<std::string> databases;         // whose seed runs
  json refused = json::array();               // {"database", "error": {"message", "hint"}}
};

json refusal(const std::string& database, const Error& error) {
  return {{"database", database}, {"error", {{"message", error.message}, {"hint", error.hint}}}};
}

// Starts each; where one is refused the others run.
Result<Begun> begin_all(const CommonOptions& common, const std::vector<std::string>& databases, json request) {
  Begun begun;
  for (const std::string& database : databases) {
    request["database"] = database;
    const Result<json> started = ask(common, request);
    if (started) {
      begun.databases.push_back(database);
      continue;
    }
    if (started.error().kind == ErrorKind::unreachable || started.error().kind == ErrorKind::usage) return started.error();
    note(fmt::format("ccr: {}: {}", database, started.error().message));
    if (!started.error().hint.empty()) note("hint: " + started.error().hint);
    begun.refused.push_back(refusal(database, started.error()));
  }
  return begun;
}

// Until every one is over: their copies as they are then.
Result<std::vector<json>> watch_all(const CommonOptions& common, const std::vector<std::string>& databases, const std::string& node) {
  const SystemClock clock;
  const Interrupts interrupts;
  ProgressDisplay display(stderr, stderr_columns());
  for (;;) {
    const Result<json> status = ask(common, {{"command", "status"}});
    if (!status) return status.error();
    std::vector<json> copies;
    bool over = true;
    for (const std::string& database : databases) {
      copies.push_back(copy_in(*status, database, node));
      over = over && seed_over(copies.back());
    }
    if (over) return copies;
    display.show(seeds_progress(copies), clock.now());
    if (interrupts.wait(look_interval_ms)) return Error{ErrorKind::stopped, "interrupted", ""};
  }
}

ExitCode plan_all(const CommonOptions& common, const std::vector<std::string>& databases, const std::string& node, json request) {
  json plans = json::array();
  bool allowed = true;
  for (const std::string& database : databases) {
    request["database"] = database;
    Result<json> plan = ask(common, request);
    if (!plan) return report(plan.error().within(database));
    allowed = allowed && field(*plan, "allowed") != false;
    if (!common.json) print(seed_text(database + "@" + node, *plan));
    plan->emplace("database", database);
    plans.push_back(std::move(*plan));
  }
  if (common.json) print_json({{"dry_run", true}, {"allowed", allowed}, {"plans", plans}});
  return allowed ? ExitCode::done : ExitCode::refused;
}

ExitCode show_all(const CommonOptions& common, const Begun& begun, const std::vector<json>& copies, const std::string& node) {
  json told = begun.refused;
  bool sound = begun.refused.empty();
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const std::string& database = begun.databases[i];
    sound = sound && text_field(copies[i], "state") != "failed_and_suspended";
    if (!common.json) print(seed_text(database + "@" + node, {{"running", false}, {"copy", copies[i]}}));
    told.push_back({{"database", database}, {"copy", copies[i]}});
  }
  if (common.json) print_json({{"running", false}, {"copies", told}});
  return sound ? ExitCode::done : ExitCode::failed;
}

}  // namespace

ExitCode run_seed_all(const CommonOptions& common, const std::string& node, const json& request) {
  const Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  if (node != config->node) {
    return report({ErrorKind::unreachable, "the copies of " + node + " are made by its own daemon", "run it there: ccr --node " + node + " seed --all@" + node});
  }
  const Result<json> status = ask(common, {{"command", "status"}});
  if (!status) return report(status.error());
  const std::vector<std::string> databases = passive_databases(*status, node);
  if (databases.empty()) return report({ErrorKind::not_found, node + " has no passive copies", "ccr status shows where copies are"});
  if (flag_field(request, "dry_run")) return plan_all(common, databases, node, request);
  const bool detach = flag_field(request, "detach");
  json each = request;
  each["detach"] = true;
  const Result<Begun> begun = begin_all(common, databases, each);
  if (!begun) return report(begun.error());
  if (begun->databases.empty()) return ExitCode::refused;
  if (detach) {
    if (common.json) print_json({{"running", true}, {"databases", begun->databases}, {"refused", begun->refused}});
    else print(fmt::format("the seeds of {} copies run in the daemon\n", begun->databases.size()));
    return begun->refused.empty() ? ExitCode::done : ExitCode::failed;
  }
  const Result<std::vector<json>> copies = watch_all(common, begun->databases, node);
  if (!copies) return report_watched(copies.error(), "detached: the seeds go on in the daemon", "ccr seed --all@" + node + " attaches again");
  return show_all(common, *begun, *copies, node);
}

}  // namespace ccr::tools
