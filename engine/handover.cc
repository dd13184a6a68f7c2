#include "engine/handover.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/timeout.h"
#include "engine/dry_run.h"
#include "engine/status_parts.h"

namespace ccr::engine {

using nlohmann::json;
using transport::HandoverAnswer;
using transport::HandoverAsk;
using transport::HandoverStep;
using transport::RoleEntry;

namespace {

double seconds_since(Clock& clock, Instant begun) { return std::chrono::duration<double>(clock.now() - begun).count(); }

}  // namespace

// What commits wait for, from the moment on at which they stop; a task of the active copy's life, which may end in the middle of it.
struct Handover::Quiet {
  explicit Quiet(const Executor& executor) : done(executor) {}
  std::optional<Result<void>> outcome;
  bool ended = false;
  bool abandoned = false;  // nobody waits for it any more, and a person was told that nothing is changed: it changes nothing
  ActiveCopy::Tip tip;
  Instant begun;
  Signal done;
};

Handover::Handover(NodeContext& context, Roles& roles, Hosted& hosted) : context_(context), roles_(roles), hosted_(hosted) {}

HandoverAsk Handover::step_of(HandoverStep step, Epoch epoch) const {
  HandoverAsk ask;
  ask.step = step;
  ask.database = hosted_.config.name;
  ask.epoch = epoch;
  return ask;
}

void Handover::tell(const char* event, std::vector<std::pair<std::string, std::string>> fields) {
  const Event told{event, subject_of(hosted_.config, context_.config.node), std::move(fields)};
  context_.trace.record(told);
}

Result<json> Handover::result() const {
  CCR_ASSERT(ended_);
  if (error_) return *error_;
  return *done_;
}

void Handover::end(Result<json> result) {
  if (result.ok()) done_ = std::make_shared<json>(std::move(*result));
  else error_ = result.error();
  ended_ = true;
}

Task<Result<void>> Handover::move(std::shared_ptr<Handover> handover, std::string to) {
  handover->end(co_await handover->run_move(std::move(to)));
  co_return Result<void>();
}

// --- move ------------------------------------------------------------------------------------------------------------------

Result<void> Handover::check_move(const std::string& to) const {
  const std::string& name = hosted_.config.name;
  const std::string here = subject_of(hosted_.config, context_.config.node), there = subject_of(hosted_.config, to);
  if (!hosted_.config.has_copy(to)) return Error{ErrorKind::usage, name + " has no copy on '" + to + "'", "ccr status " + name + " shows its copies"};
  if (!hosted_.is_active_here) return Error{ErrorKind::refused, here + " is not the active copy", "ccr status " + name + " shows which is"};
  if (!hosted_.active || !hosted_.active->ready() || hosted_.standing->state() != State::mounted)
    return Error{ErrorKind::refused, here + " is " + std::string(title_of(hosted_.standing->state())) + ": " + hosted_.standing->cause(), "ccr activate on the other node takes it over"};
  if (to == context_.config.node) return Error{ErrorKind::usage, there + " is the active copy already", ""};
  if (const Application* application = hosted_.active->application(); application != nullptr) CCR_TRY(application->may_leave());
  const CopyFacts& copy = hosted_.copies->of(to);
  if (!hosted_.active->comparable()) return Error{ErrorKind::busy, "the pages of " + here + " are being compared", "try again when ccr status shows its root"};
  if (!copy.connected) return Error{ErrorKind::refused, there + " is not connected", "ccr status " + name + " shows why"};
  return {};  // how it is it says itself, when it is asked
}

// Commits go on meanwhile: what is left to ship when they stop is what came during the last look.
Task<Result<void>> Handover::wait_for_backlog(std::string to) {
  step_ = "backlog";
  const Instant end = context_.clock.now() + backlog_limit;
  for (;;) {
    const Result<void> still = check_move(to);
    if (!still.ok()) co_return still;
    const transport::Watermarks& marks = hosted_.copies->of(to).watermarks;
    const Position tip = hosted_.active->tip().durable;
    if (distance(marks.replayed, tip, hosted_.config.generation_bytes).value <= hosted_.config.generation_bytes) co_return Result<void>();
    if (context_.clock.now() >= end) {
      const std::uint64_t behind = distance(marks.replayed, tip, hosted_.config.generation_bytes).value;
      co_return Error{ErrorKind::timeout, subject_of(hosted_.config, to) + " is still " + std::to_string(behind) + " bytes of log behind; commits went on",
                      "lower the load, or wait: ccr wait " + subject_of(hosted_.config, to)};
    }
    co_await context_.clock.sleep(look_at_peer);
  }
}

// A task of the copy's group: whoever waits for it may be gone before.
Task<Result<void>> Handover::prepare(std::shared_ptr<Handover> handover, std::string to, Epoch epoch, std::shared_ptr<Quiet> quiet) {
  struct Ended {
    Quiet& quiet;
    ~Ended() {
      quiet.ended = true;
      quiet.done.notify();
    }
  } ended{*quiet};
  quiet->outcome = co_await handover->hold_and_prepare(std::move(to), epoch, quiet);
  co_return Result<void>();
}

Task<Result<void>> Handover::hold_and_prepare(std::string to, Epoch epoch, std::shared_ptr<Quiet> quiet) {
  ActiveCopy& active = *hosted_.active;
  quiet->begun = context_.clock.now();
  CCR_CO_TRY(co_await with_timeout(context_.clock, hold_limit, "the last replay here", active.hold()));
  struct Held {
    ActiveCopy* active;
    ~Held() {
      if (active == nullptr) return;
      active->release();
      if (active->application() != nullptr) active->application()->give_back();
    }
  } held{&active};
  if (active.application() != nullptr) {
    step_ = "demote";
    CCR_CO_TRY(co_await active.application()->take_away());
  }
  const Error too_late{ErrorKind::timeout, "commits and the application were held for too long", "ccr status " + hosted_.config.name};
  if (quiet->abandoned) co_return too_late;
  step_ = "hold";
  quiet->tip = active.tip();
  if (!quiet->tip.root_known) co_return Error{ErrorKind::busy, "the pages of " + hosted_.config.name + " are being compared", "try again when ccr status shows its root"};
  HandoverAsk ask = step_of(HandoverStep::prepare, epoch);
  ask.position = quiet->tip.durable;
  ask.commit = quiet->tip.commit;
  ask.root = quiet->tip.root;
  const Result<HandoverAnswer> answer = co_await with_timeout(context_.clock, hold_limit, "the last replay at " + to, roles_.ask(to, ask));
  if (!answer.ok()) co_return answer.error();
  if (quiet->abandoned) co_return too_late;
  step_ = "epoch";
  held.active = nullptr;  // the hold ends with this life
  const Role role{epoch, to, false};
  if (!roles_.want(hosted_, role)) {
    held.active = &active;
    co_return Error{ErrorKind::busy, "another change of the active copy came first", "ccr status " + hosted_.config.name};
  }
  co_return Result<void>();
}

Task<Result<void>> Handover::wait_until_served(std::string node) {
  step_ = "activate";
  const Instant end = context_.clock.now() + serve_limit;
  Error last{ErrorKind::timeout, subject_of(hosted_.config, node) + " does not serve yet", "ccr status " + hosted_.config.name + " on " + node};
  while (context_.clock.now() < end) {
    const Result<RoleEntry> entry = co_await roles_.ask_role(node, hosted_.config.name);
    if (entry.ok() && entry->active == node && entry->serving) co_return Result<void>();
    if (!entry.ok()) last.message = subject_of(hosted_.config, node) + " does not serve yet: " + entry.error().message;
    co_await context_.clock.sleep(look_at_peer);
  }
  co_return last;
}

Task<Result<json>> Handover::run_move(std::string to) {
  if (hosted_.handing_over) co_return Error{ErrorKind::busy, "a handover of " + hosted_.config.name + " is under way", "ccr status " + hosted_.config.name};
  const Result<void> allowed = check_move(to);
  if (!allowed.ok()) co_return allowed.error();
  const HandingOver turn(hosted_);
  const Instant begun = context_.clock.now();
  const Epoch epoch = hosted_.active->state().epoch + 1;
  HandoverAsk check = step_of(HandoverStep::check, epoch);
  check.position = hosted_.active->tip().durable;  // a delayed copy replays what it holds, from now on
  const Result<HandoverAnswer> able = co_await roles_.ask(to, check);
  if (!able.ok()) co_return able.error();
  const Result<void> near = co_await wait_for_backlog(to);
  if (!near.ok()) co_return near.error();
  if (!hosted_.active || !hosted_.active->ready()) co_return Error{ErrorKind::busy, "the active copy was dismounted meanwhile; nothing is changed", "ccr status"};
  auto quiet = std::make_shared<Quiet>(context_.executor);
  if (!hosted_.active->group().stopping()) hosted_.active->group().spawn(prepare(shared_from_this(), to, epoch, quiet), TaskGroup::OnError::keep_others);
  const auto over = [quiet] { return quiet->ended; };
  co_await wait_for(context_.clock, quiet_limit, quiet->done, over);  // a life that ended before it began says nothing
  const bool wanted = quiet->outcome && quiet->outcome->ok();
  if (!wanted) {
    quiet->abandoned = true;
    const HandoverAsk undo = step_of(HandoverStep::undo, epoch);
    static_cast<void>(co_await roles_.ask(to, undo));  // where it does not hear it, no epoch will ever come that it is ready for
    const bool dismounted = !hosted_.active || !hosted_.active->ready();
    Error why = quiet->outcome ? quiet->outcome->error()
                : dismounted   ? Error{ErrorKind::busy, "the active copy was dismounted meanwhile", "ccr status"}
                               : Error{ErrorKind::timeout, "step " + step_ + " took longer than " + std::to_string(quiet_limit / std::chrono::seconds(1)) + " s", "ccr events"};
    why.message += "; nothing is changed, commits go on at " + context_.config.node;
    tell("move_undone", {{"to", to}, {"epoch", std::to_string(epoch)}, {"cause", why.message}});
    co_return why;
  }
  const Role role{epoch, to, false};
  const Result<void> kept = co_await roles_.wait_in_force(hosted_, role);
  if (!kept.ok()) co_return kept.error();
  const HandoverAsk take = step_of(HandoverStep::take, epoch);
  static_cast<void>(co_await roles_.ask(to, take));  // it hears of it anyway, a little later
  const Result<void> served = co_await wait_until_served(to);
  const double held = seconds_since(context_.clock, quiet->begun);
  tell("moved", {{"to", to}, {"epoch", std::to_string(epoch)}, {"position", to_text(quiet->tip.durable)}, {"commit", std::to_string(quiet->tip.commit)}});
  if (!served.ok()) co_return served.error();
  co_return json{{"schema", 1},
                 {"dry_run", false},
                 {"database", hosted_.config.name},
                 {"active", to},
                 {"before", context_.config.node},
                 {"epoch", epoch},
                 {"position", position_json(quiet->tip.durable)},
                 {"commit", quiet->tip.commit},
                 {"root", to_hex(quiet->tip.root, 16)},
                 {"held_seconds", held},
                 {"seconds", seconds_since(context_.clock, begun)}};
}

// --- what it would do -----------------------------------------------------------------------------------------------------

Task<json> Handover::plan_move(std::string to) {
  json answer{{"dry_run", true}, {"allowed", true}, {"checks", json::array()}, {"plan", json::array()}};
  const Result<void> allowed = check_move(to);
  const std::string there = subject_of(hosted_.config, to);
  add_check(answer, there + " is connected", allowed.ok(), allowed.ok() ? "yes" : allowed.error().message);
  if (!allowed.ok()) co_return answer;
  const Epoch epoch = hosted_.active->state().epoch + 1;
  const HandoverAsk check = step_of(HandoverStep::check, epoch);
  const Result<HandoverAnswer> able = co_await roles_.ask(to, check);
  add_check(answer, to + " can take over", able.ok(), able.ok() ? "yes" : able.error().message);
  const Position replayed = hosted_.copies->of(to).watermarks.replayed;
  const std::uint64_t behind = hosted_.active ? distance(replayed, hosted_.active->tip().durable, hosted_.config.generation_bytes).value : 0;
  json& plan = answer["plan"];
  plan.push_back("wait until " + there + " is less than a generation behind (" + std::to_string(behind) + " bytes now)");
  plan.push_back("stop commits here");
  const bool application = hosted_.config.kind == DatabaseKind::sqlite;
  const auto command_step = [](const std::string& key, const std::string& command) { return command.empty() ? "no " + key + " is configured" : "run " + key + " (" + command + ")"; };
  if (application) plan.push_back(command_step("on_demote", hosted_.config.on_demote) + "; end here, and undo, where a program has the file open then; rename the file to that of a copy");
  plan.push_back("replay the rest there, and compare roots");
  plan.push_back("raise the epoch to " + std::to_string(epoch) + " here, durably: from here on nothing is undone");
  plan.push_back("serve there; this copy becomes a passive one");
  if (application) plan.push_back("bring the file to its place on " + to + ", and " + command_step("on_promote", hosted_.config.on_promote));
  co_return answer;
}

}  // namespace ccr::engine
