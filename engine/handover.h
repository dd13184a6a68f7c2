// Handover is one change of the active copy, as the node on which it was commanded carries it out.
//
// A move runs on the active node and loses nothing: it waits until the next one has nearly all log, stops commits, lets it replay the rest and
// compare roots, and only then raises the epoch. Up to that moment everything is undone where a step fails, also by the end of this process: commits go on
// here. From that moment on the other node serves, by itself if this one dies.
// An activation runs on the next node. Where the one before answers, it gives up first, durably; else it was forced, and says so. One as of a point in
// time (engine/point_in_time.h) holds replay from its first look on; where the log is to end is durable with the agreement, before the one before is
// asked. So a crash leaves a copy that still has all its log and is not ahead of that place, or one that is active there.
// Any other activation first fetches what other copies have of the log and this one has not, and behind the fence what the one before still has. One that
// a crash or a lost answer cut short there is taken up where the epoch is heard of: what it then cannot have is for a person to decide, once it is back.
// The work is the node's, whoever asked for it: it goes on when the client leaves. Lifetime: shared by the work and those who watch; the node
// outlives it. Threads: the node's executor. Bounds: one at a time for a database; each step has a limit.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/activation.h"
#include "engine/point_in_time.h"
#include "engine/roles.h"

namespace ccr::engine {

class Handover : public std::enable_shared_from_this<Handover> {
 public:
  static constexpr Duration backlog_limit = std::chrono::seconds(60);  // until the next one has nearly all
  static constexpr Duration hold_limit = std::chrono::seconds(20);     // that commits wait
  static constexpr Duration quiet_limit = 4 * hold_limit + Application::command_limit;
  static constexpr Duration serve_limit = std::chrono::seconds(60);    // until the next one serves, or has replayed something more
  static constexpr Duration decision_limit = std::chrono::minutes(10); // that replay rests because a person may decide
  static constexpr Duration look_at_peer = std::chrono::milliseconds(20);

  Handover(NodeContext& context, Roles& roles, Hosted& hosted);

  // The checks of a command, and what it would do (engine/dry_run.h). Changes nothing.
  Task<nlohmann::json> plan_move(std::string to);
  // `until`: as of a point in time. `hold`: the command follows, and replay rests until then.
  Task<nlohmann::json> plan_activation(Dial dial, std::optional<WallTime> until, bool hold);

  static Task<Result<void>> move(std::shared_ptr<Handover> handover, std::string to);
  static Task<Result<void>> activate(std::shared_ptr<Handover> handover, Dial dial, std::optional<WallTime> until);
  // By the word of a peer `epoch`, for which this copy is prepared, is in force; `end`: of the log of the one before, by its word. `waits`: where that is
  // needed and not known, nothing is done yet.
  static Task<Result<void>> take_up(std::shared_ptr<Handover> handover, Epoch epoch, Position end, bool waits);
  bool ended() const noexcept { return ended_; }
  nlohmann::json progress() const;  // the step that is under way, and where log is walked through, how far it is
  Result<nlohmann::json> result() const;                      // when it has ended
  Task<Result<nlohmann::json>> run_move(std::string to);
  Task<Result<nlohmann::json>> run_activation(Dial dial, std::optional<WallTime> until);

 private:
  struct Quiet;

  Result<void> check_move(const std::string& to) const;
  Task<Result<void>> wait_for_backlog(std::string to);
  static Task<Result<void>> prepare(std::shared_ptr<Handover> handover, std::string to, Epoch epoch, std::shared_ptr<Quiet> quiet);
  Task<Result<void>> hold_and_prepare(std::string to, Epoch epoch, std::shared_ptr<Quiet> quiet);
  Task<Result<void>> wait_until_served(std::string node);
  // engine/handover_activation.cc
  Task<Result<ActivationFacts>> look();
  Task<Result<PointInTime>> find_point(WallTime until);  // replay rests behind it
  void look_at_own(ActivationFacts& facts) const;
  // engine/handover_fetch.cc: what other copies still have of the log, or the one before has once it gave up.
  struct LogThere {
    std::string node;
    Position end;
    bool whole = false;  // that copy could be the active one itself
  };
  Task<std::vector<LogThere>> log_elsewhere(const ActivationFacts& facts);  // of passive copies by their own word, the furthest first
  Task<void> fetch_elsewhere(ActivationFacts& facts);
  Task<void> fetch(LogThere there, ActivationFacts& facts);
  bool prepared_for(Epoch epoch) const;  // still, and nothing else is wanted
  Task<void> take_prepared(Epoch epoch, Position end, bool waits);
  Task<bool> fetch_rest(std::string before, Epoch epoch, Position end);  // that nothing is missing
  nlohmann::json fetched_json() const;
  Task<Result<transport::HandoverAnswer>> ask_to_yield(transport::HandoverAsk yield, bool answered);
  Task<Result<void>> fence(Dial dial, Epoch epoch, Position cut, ActivationFacts& facts, bool& forced);
  Task<Result<void>> wait_until_mounted();
  transport::HandoverAsk step_of(transport::HandoverStep step, Epoch epoch) const;
  void end(Result<nlohmann::json> result);
  void tell(const char* event, std::vector<std::pair<std::string, std::string>> fields);

  NodeContext& context_;
  Roles& roles_;
  Hosted& hosted_;
  std::string step_ = "check";
  std::vector<std::pair<std::string, std::uint64_t>> fetched_;  // bytes of log, by the node that gave them
  Position walk_from_, walk_at_, walk_end_;  // of the log; an end that is not known: nothing is walked through
  Epoch known_epoch_ = 0;  // the highest that was heard of
  bool ended_ = false;
  std::shared_ptr<nlohmann::json> done_;  // or:
  std::optional<Error> error_;
};

}  // namespace ccr::engine
