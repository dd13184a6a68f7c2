// How a node hosts its copies: one life after another, each in the role that holds when it begins.
#include <algorithm>

#include "base/timeout.h"
#include "engine/node.h"
#include "engine/path_watch.h"

namespace ccr::engine {

// All of them, until the node stops or the copy is forgotten.
Task<Result<void>> Node::keep(Hosted& hosted) {
  CCR_CO_TRY(co_await roles_.ask_about(hosted));
  co_await stop_point();
  if (hosted.forgotten) co_return Result<void>();
  TaskGroup lives(executor_);
  struct Living {
    Hosted& hosted;
    Living(Hosted& h, TaskGroup& lives) : hosted(h) { hosted.lives = &lives; }
    ~Living() {
      hosted.lives = nullptr;
      hosted.role_changed.notify();
    }
  } living(hosted, lives);
  lives.spawn(host(hosted));
  co_return co_await lives.join();
}

namespace {

// Between two lives: ends before `pause` is over where the role changes, or a person says a word about the copy.
Task<void> rest(Clock& clock, Hosted& hosted, Duration pause) {
  constexpr Duration look_again = std::chrono::milliseconds(250);
  const std::optional<Role> wanted = hosted.wanted;  // one that the disk did not keep is tried again, but not at once
  const auto changes = [&hosted, wanted] { return hosted.wanted != wanted || (!hosted.is_active_here && hosted.passive->asked()); };
  const Instant end = clock.now() + pause;
  while (clock.now() < end && !changes()) co_await wait_for(clock, std::min(look_again, end - clock.now()), hosted.role_changed, changes);
}

// Ends a life that must not go on in its role.
Task<Result<void>> leave_role(Clock& clock, Hosted& hosted) {
  constexpr Duration look_at_copy = std::chrono::milliseconds(5);
  while (!hosted.wanted && hosted.conflict.empty()) co_await hosted.role_changed.wait();
  // Never in the middle of a copy that may end meanwhile: its own tasks do it.
  for (; must_leave_first(hosted); co_await clock.sleep(look_at_copy))
    if (hosted.active && hosted.active->ready()) hosted.active->application()->ask_to_leave();
  if (hosted.wanted) co_return Error{ErrorKind::stopped, "the active copy is now on " + hosted.wanted->active, ""};
  co_return conflict_of(hosted);
}

}  // namespace

Task<Result<void>> Node::host(Hosted& hosted) {
  constexpr Duration first_pause = std::chrono::seconds(1);
  constexpr Duration longest_pause = std::chrono::seconds(30);
  Duration pause = first_pause;
  for (;;) {
    const Instant started = context_.clock.now();
    const Result<void> ended = co_await host_life(hosted);
    CCR_ASSERT(!ended.ok());
    const bool role_changes = hosted.wanted && ended.error().kind == ErrorKind::stopped;
    if (role_changes) {
      hosted.ended.reset();
      pause = first_pause;
      continue;
    }
    hosted.ended = ended.error();
    const bool at_once = hosted.source_broke_off && context_.clock.now() - started >= first_pause;
    if (at_once) {
      hosted.standing->enter(State::initializing, ended.error().message, ended.error().hint);
      continue;
    }
    const State resting = hosted.is_active_here ? State::dismounted : State::failed;
    hosted.standing->enter(resting, ended.error().message, ended.error().hint);
    hosted.passive->changed().notify();  // whoever waits for its state
    if (context_.clock.now() - started > longest_pause) pause = first_pause;
    co_await rest(context_.clock, hosted, pause);
    pause = std::min(pause * 2, longest_pause);
  }
}

Task<Result<void>> Node::host_life(Hosted& hosted) {
  CCR_CO_TRY(co_await roles_.settle(hosted));
  watch_paths();
  Result<void> ended = conflict_of(hosted);
  if (must_leave_first(hosted)) hosted.conflict.clear();
  if (hosted.conflict.empty()) {
    co_await stop_point();
    TaskGroup life(executor_);
    life.spawn(host_once(hosted));
    life.spawn(leave_role(context_.clock, hosted));
    ended = co_await life.join();
  }
  if (!hosted.conflict.empty()) CCR_CO_TRY(co_await roles_.keep_conflict(hosted));
  co_return ended;
}

Task<Result<void>> Node::host_once(Hosted& hosted) {
  if (!hosted.is_active_here) co_return co_await hosted.passive->run();
  hosted.active = std::make_unique<ActiveCopy>(context_, hosted.config, factory_, *hosted.standing, *hosted.copies, *hosted.scrub);
  hosted.active->expect(hosted.lived);
  if (must_leave_first(hosted)) hosted.active->application()->ask_to_leave();  // no program is started for a moment
  struct Life {
    Hosted& hosted;
    ~Life() {
      hosted.source_broke_off = hosted.active->source_broke_off();
      if (hosted.active->tip().durable.known()) {
        hosted.last_tip = hosted.active->tip();
        hosted.lived = {hosted.active->state().signature, hosted.active->state().epoch, hosted.last_tip.durable};
        hosted.ended.reset();  // of a life before this one, which served
      }
      hosted.application_away = hosted.active->application() != nullptr && hosted.active->application()->away();
      const storage::CopyState& state = hosted.active->state();
      if (state.signature.known()) hosted.signature = state.signature;
      hosted.role.epoch = std::max(hosted.role.epoch, state.epoch);  // of a history that began in this life
      hosted.active.reset();
    }
  } life{hosted};
  co_return co_await hosted.active->run();
}

void Node::take_lags(const Config& read) {
  for (auto& [name, hosted] : databases_) {
    const auto found = read.databases.find(name);
    if (found == read.databases.end()) continue;
    const Lags before = hosted->passive->lags();
    for (DatabaseConfig* kept : {&hosted->config, &config_.databases.at(name)}) {
      kept->replay_lag = found->second.replay_lag;
      kept->truncation_lag = found->second.truncation_lag;
      kept->retention = found->second.retention;
    }
    const Lags lags = hosted->passive->lags();
    if (lags == before) continue;
    hosted->passive->pace_replay();
    const auto seconds = [](Duration lag) { return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(lag).count()) + "s"; };
    const Event event{"replay_lag_changed", subject_of(hosted->config, config_.node),
                      {{"replay_before", seconds(before.replay)}, {"replay", seconds(lags.replay)},
                       {"truncation_before", seconds(before.truncation)}, {"truncation", seconds(lags.truncation)}}};
    events_.record(event);
  }
}

// Of the nodes that this one dials for log.
void Node::watch_paths() {
  for (const auto& [name, hosted] : databases_) {
    const std::string peer = hosted->config.copies.front();
    if (hosted->is_active_here || paths_.watched(peer) || work_ == nullptr) continue;
    for (const Path& path : paths_.watch(peer)) work_->spawn(watch_path(context_, peer, path.address));
  }
}

}  // namespace ccr::engine
