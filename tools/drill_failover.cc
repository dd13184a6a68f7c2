// The drill of a planned handover: there, with a verification, and back, while what writes goes on.
#include <nlohmann/json.hpp>

#include "tools/json_fields.h"
#include "tools/pair_drill.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

constexpr double some_load_seconds = 1;  // before and behind each move: a pause of commits has two ends

}  // namespace

Result<void> PairDrill::failover() {
  if (options_.load) {
    CCR_TRY(begin_load(peer_socket_));
    CCR_TRY(for_seconds(some_load_seconds));
  }
  moved_ = true;
  CCR_TRY(guard_->keep(way_home()));
  CCR_TRY(turn_there());
  CCR_TRY(turn_home());
  return settle();
}

Result<void> PairDrill::turn_there() {
  phase_ = "move to " + facts_.node;
  DrillTurn turn;
  turn.before = pair().commit_most;
  const double began = now();
  const Result<json> moved = ask_looking(config_.control_socket, {{"command", "move"}, {"database", facts_.database}, {"to", facts_.node}});
  if (!moved) return moved.error();
  turn.held_seconds = number_field(*moved, "held_seconds");
  turn.before = std::max(turn.before, pair().commit_most);
  constexpr double serve_limit = 60;
  const Result<PairLook> served = until([this](const PairLook& seen) { return seen.serves == facts_.node; }, serve_limit, "it serves on " + facts_.node);
  if (!served) return served.error();
  turn.to = facts_.node;
  turn.seconds = now() - began;
  turn.after = served->commit;
  if (options_.load) {
    CCR_TRY(begin_load(config_.control_socket));
    CCR_TRY(for_seconds(some_load_seconds));
  }
  CCR_TRY(verify_home_copy(turn));
  pair().turns.push_back(turn);
  return {};
}

// Of the node that is the passive one now. Where its daemon is not at hand nobody can ask it.
Result<void> PairDrill::verify_home_copy(DrillTurn& turn) {
  if (peer_socket_.empty()) return {};
  phase_ = "verify " + facts_.database + "@" + facts_.active;
  const auto home_healthy = [](const PairLook& seen) { return seen.active_state == "healthy"; };
  constexpr double healthy_limit = 60;
  const Result<PairLook> healthy = until(home_healthy, healthy_limit, facts_.database + "@" + facts_.active + " is healthy");
  if (!healthy) return healthy.error();
  const Result<json> found = ask_looking(peer_socket_, {{"command", "verify"}, {"database", facts_.database}, {"node", facts_.active}});
  if (!found) return found.error();
  turn.verified = flag_field(*found, "equal");
  return {};
}

Result<void> PairDrill::turn_home() {
  phase_ = "move to " + facts_.active;
  DrillTurn turn;
  const double began = now();
  const Result<json> home = bring_home(options_.longest);
  if (!home) return home.error();
  moved_ = false;
  turn.to = facts_.active;
  turn.held_seconds = number_field(*home, "held_seconds");
  turn.seconds = moved_at_.value_or(now()) - began;
  pair().healthy_seconds = now() - moved_at_.value_or(began);
  turn.before = pair().commit_most;
  const Result<PairLook> served = look();
  if (!served) return served.error();
  turn.after = served->commit ? served->commit : served->copy.commit;
  if (options_.load) {
    CCR_TRY(begin_load(peer_socket_));
    CCR_TRY(for_seconds(some_load_seconds));
    end_load();
  }
  phase_ = "verify " + facts_.database + "@" + facts_.node;
  const Result<json> found = ask_looking(config_.control_socket, {{"command", "verify"}, {"database", facts_.database}, {"node", facts_.node}});
  if (!found) return found.error();
  turn.verified = flag_field(*found, "equal");
  pair().turns.push_back(turn);
  return {};
}

}  // namespace ccr::tools
