#include "tools/drill_return.h"

#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "tools/control_client.h"
#include "tools/json_fields.h"
#include "tools/pair_facts.h"
#include "tools/seed_overview.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr Duration answer_max = std::chrono::minutes(3);  // of a move, at most

Result<json> ask_daemon(const std::string& socket, const json& request, Duration silence_max) {
  Result<ControlClient> client = ControlClient::connect(socket);
  if (!client) return client.error();
  ControlClient::Watch watch;
  watch.silence_max = silence_max;
  return client->call(request, watch);
}

json status_of(const std::string& socket, const std::string& database) {
  constexpr Duration patience = std::chrono::seconds(10);
  if (socket.empty()) return nullptr;
  const Result<json> status = ask_daemon(socket, {{"command", "status"}, {"database", database}}, patience);
  return status ? *status : json(nullptr);
}

bool serves(const json& status, const std::string& database, const std::string& node) {
  const json& copy = copy_in(status, database, node);
  return text_field(copy, "role") == "active" && text_field(copy, "state") == "mounted";
}

ReturnFacts facts_of(const ReturnPlan& plan) {
  const json home = status_of(plan.home_socket, plan.database), away = status_of(plan.away_socket, plan.database);
  const json& home_copy = copy_in(home.is_null() ? away : home, plan.database, plan.home);
  ReturnFacts facts;
  facts.away_serves = serves(away, plan.database, plan.away);
  facts.home_serves = home.is_null() ? !facts.away_serves && serves(away, plan.database, plan.home) : serves(home, plan.database, plan.home);
  facts.home_state = text_field(home_copy, "state");
  facts.home_cause = text_field(home_copy, "cause");
  facts.home_end = look_position(field(home_copy, "durable"));
  facts.away_state = text_field(copy_in(away, plan.database, plan.away), "state");
  return facts;
}

}  // namespace

json return_json(const ReturnPlan& plan) {
  return {{"database", plan.database},       {"home", plan.home},     {"away", plan.away}, {"home_socket", plan.home_socket}, {"away_socket", plan.away_socket},
          {"parted", plan.parted}, {"forked_end", {{"generation", plan.forked_end.generation.number}, {"offset", plan.forked_end.offset}}}};
}

ReturnPlan return_plan_of(const json& plan) {
  ReturnPlan read;
  read.database = text_field(plan, "database");
  read.home = text_field(plan, "home");
  read.away = text_field(plan, "away");
  read.home_socket = text_field(plan, "home_socket");
  read.away_socket = text_field(plan, "away_socket");
  read.parted = flag_field(plan, "parted");
  read.forked_end = look_position(field(plan, "forked_end"));
  return read;
}

ReturnStep decide_return(const ReturnFacts& facts, Position forked_end) {
  if (facts.home_serves) return !facts.away_serves && facts.away_state == "healthy" ? ReturnStep::done : ReturnStep::wait;
  if (!facts.away_serves) return ReturnStep::wait;
  if (facts.home_state == "healthy") return ReturnStep::move;
  if (facts.home_state == "suspended") return ReturnStep::ask_person;
  if (facts.home_state != "failed_and_suspended") return ReturnStep::wait;
  const bool own = facts.home_cause.starts_with("FORKED") && forked_end.known() && facts.home_end.known() && facts.home_end <= forked_end;
  return own ? ReturnStep::resume : ReturnStep::ask_person;
}

Result<json> go_home(const ReturnPlan& plan, const ReturnOptions& options) {
  const auto ask = options.ask ? options.ask : [](const std::string& socket, const json& request) { return ask_daemon(socket, request, answer_max); };
  const SystemClock clock;
  const Instant end = clock.now() + options.longest;
  const std::string home = plan.database + "@" + plan.home;
  if (plan.parted) static_cast<void>(ask(plan.away_socket, {{"command", "drill"}, {"step", "join"}, {"database", plan.database}, {"node", plan.away}, {"peer", plan.home}}));
  json moved = nullptr;
  std::string last = "it was not looked at";
  while (clock.now() < end) {
    const ReturnFacts facts = facts_of(plan);
    const std::string state = facts.home_state + (facts.home_cause.empty() ? "" : ": " + facts.home_cause);
    switch (decide_return(facts, plan.forked_end)) {
      case ReturnStep::done: return moved;
      case ReturnStep::ask_person:
        return Error{ErrorKind::refused, home + " is " + state + ", and not by this drill alone", "ccr status " + plan.database + " on " + plan.home + " says what to do"};
      case ReturnStep::resume: {
        const Result<json> resumed = ask(plan.home_socket, {{"command", "resume"}, {"database", plan.database}, {"node", plan.home}});
        last = resumed ? home + " was resumed" : resumed.error().message;
        break;
      }
      case ReturnStep::move: {
        const Result<json> answer = ask(plan.away_socket, {{"command", "move"}, {"database", plan.database}, {"to", plan.home}});
        if (answer) moved = *answer;
        last = answer ? plan.database + " was moved" : answer.error().message;
        break;
      }
      case ReturnStep::wait: last = home + " is " + (state.empty() ? "not known" : state); break;
    }
    if (options.between && !options.between()) return Error{ErrorKind::stopped, "interrupted", ""};
  }
  return Error{ErrorKind::timeout, plan.database + " is not back on " + plan.home + " within " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(options.longest).count()) + " s: " + last,
               "ccr move " + plan.database + " --to " + plan.home};
}

}  // namespace ccr::tools
