// DrillReturn brings a database back to the node that served it before a drill: contact again, what a fork left resolved, and a move home.
//
// It is the regular end of a failover and a fork, and what is done where one of them fails, is interrupted or dies (tools/drill_guard.h). It acts on what
// both nodes say now, one step at a time, and may begin anywhere: what is done already is not done again. decide_return() is pure.
// A copy that is FORKED is resumed, and so loses its own commits, only where its log ends no later than the drill's own load left it; else
// somebody else wrote there, and a person decides. go_home() completes when home serves and the other copy is healthy, or with: refused (a person has to
// decide), timeout, or the first answer that no second try can change. Bounds: Options::longest.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/position.h"
#include "base/result.h"

namespace ccr::tools {

struct ReturnPlan {
  std::string database, home, away;      // home: the node that served before
  std::string home_socket, away_socket;  // home's: empty where it is not at hand
  bool parted = false;                   // away keeps the two apart
  Position forked_end;                   // where the drill's own load ended; unknown: nothing of home's is given up
};
nlohmann::json return_json(const ReturnPlan& plan);
ReturnPlan return_plan_of(const nlohmann::json& plan);

struct ReturnFacts {
  bool home_serves = false, away_serves = false;
  std::string home_state, home_cause, away_state;  // of the copies; "" where they are not known
  Position home_end;                               // of home's log
};
enum class ReturnStep { wait, resume, ask_person, move, done };
ReturnStep decide_return(const ReturnFacts& facts, Position forked_end);

struct ReturnOptions {
  Duration longest = std::chrono::minutes(10);
  std::function<bool()> between;  // at each look, which waits a moment; false: leave it
  // Asks a daemon, whose answer may take its time; empty: waits for it here.
  std::function<Result<nlohmann::json>(const std::string& socket, const nlohmann::json& request)> ask;
};
// Result: what the move said; null where none was needed.
Result<nlohmann::json> go_home(const ReturnPlan& plan, const ReturnOptions& options);

}  // namespace ccr::tools
