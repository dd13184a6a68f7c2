// ccr move, activate: another copy becomes the active one.
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "base/wall_time.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/json_fields.h"
#include "tools/result_text.h"
#include "tools/typed_time.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

ExitCode show_handover(const CommonOptions& common, const json& result, const std::string& text) {
  if (common.json) {
    print_json(result);
  } else {
    print(text);
  }
  return field(result, "allowed") == false ? ExitCode::refused : ExitCode::done;
}

Result<std::string> database_of(const std::string& typed) {
  const Result<Target> target = parse_target(typed);
  if (!target) return target.error();
  if (!target->node.empty()) return Error{ErrorKind::usage, "expected DB, found '" + typed + "'", "the node is named by an option of its own"};
  return target->database;
}

// What it would do, with the checks. As of a point in time it may read much log, and replay rests until the command follows.
Result<json> plan_of(const CommonOptions& common, json request) {
  request["dry_run"] = true;
  if (!request.contains("until")) return ask(common, request);
  request["hold"] = true;
  return watch(common, request);
}

bool gives_up(const json& plan) {
  const json& missing = field(plan, "missing");
  const bool misses = !missing.is_object() || !flag_field(missing, "known") || count_field(missing, "generations").value_or(1) > 0;
  return misses || count_field(field(field(plan, "until"), "given_up"), "commits").value_or(0) > 0;
}

// A person agrees to what may be missing, after having seen it.
Result<void> agreed_to_loss(const CommonOptions& common, const ActivateOptions& options, const json& request) {
  if (options.yes) return {};
  const Result<json> plan = plan_of(common, request);
  if (!plan) return plan.error();
  const bool allowed = flag_field(*plan, "allowed");
  if (!allowed && field(*plan, "until").is_object()) note("ccr: " + loss_text(*plan));
  if (!allowed || !gives_up(*plan)) return {};  // the command itself says why not
  const std::string loss = loss_text(*plan);
  if (confirmed("ccr activate makes " + options.database + "@" + options.on + " the active copy: " + loss, options.database)) return {};
  return Error{ErrorKind::refused, "the activation was not agreed to: " + loss, "on a terminal type the database's name; elsewhere add --yes"};
}

}  // namespace

ExitCode run_move(const CommonOptions& common, const MoveOptions& options) {
  const Result<std::string> database = database_of(options.database);
  if (!database) return report(database.error());
  const json request{{"command", "move"}, {"database", *database}, {"to", options.to}, {"dry_run", options.dry_run}};
  const Result<json> result = watch(common, request);
  if (!result) return report_watched(result.error(), "detached: the move of " + *database + " goes on in the daemon", "ccr status " + *database + " shows where it is active");
  return show_handover(common, *result, move_text(*database, *result));
}

ExitCode run_activate(const CommonOptions& common, const ActivateOptions& options) {
  const Result<std::string> database = database_of(options.database);
  if (!database) return report(database.error());
  json request{{"command", "activate"}, {"database", *database}, {"on", options.on}, {"dial", options.dial}, {"dry_run", options.dry_run}};
  if (!options.until.empty()) {
    const Result<WallTime> until = parse_typed_time(options.until, SystemClock().wall_now());
    if (!until) return report(until.error().within("--until"));
    request["until"] = to_rfc3339_exact(*until);
  }
  if (!options.dry_run) {
    const Result<void> agreed = agreed_to_loss(common, options, request);
    if (!agreed.ok()) return report(agreed.error());
  }
  const Result<json> result = watch(common, request);
  if (!result) return report_watched(result.error(), "detached: the activation of " + *database + " goes on in the daemon", "ccr status " + *database + " shows where it is active");
  return show_handover(common, *result, activate_text(*database, *result));
}

}  // namespace ccr::tools
