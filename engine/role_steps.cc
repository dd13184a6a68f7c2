// What a node does for a handover that another one carries out.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/timeout.h"
#include "engine/handover.h"
#include "engine/role_told.h"
#include "engine/roles.h"
#include "storage/log_opening.h"

namespace ccr::engine {

using transport::HandoverAnswer;
using transport::HandoverAsk;
using transport::HandoverStep;

namespace {

constexpr Duration replay_look = std::chrono::milliseconds(5);

// A passive copy that can take over, or why not.
Result<void> able(const NodeContext& context, const Hosted& hosted) {
  const std::string subject = subject_of(hosted.config, context.config.node);
  if (hosted.is_active_here) return refused(subject + " is the active copy already");
  if (hosted.handing_over) return refused("a handover of " + hosted.config.name + " is under way");
  const bool verifying = hosted.verification != nullptr && !hosted.verification->ended();
  if (verifying) return refused(subject + " is being verified", "wait for its end, or `ccr verify " + subject + " --cancel`");
  if (!hosted.passive->is_source() || !hosted.passive->connected())
    return refused(subject + " is " + std::string(title_of(hosted.standing->state())) + (hosted.standing->cause().empty() ? "" : ": " + hosted.standing->cause()), hosted.standing->hint());
  return {};
}

// Whoever serves opens the log that this copy received, and cannot where it rotted at rest: that is known before commits are held. As far as an opening reads.
Task<Result<void>> survey_log(NodeContext& context, const Hosted& hosted) {
  const storage::CopyState& state = hosted.passive->state();
  const std::string subject = subject_of(hosted.config, context.config.node);
  const storage::LogDirectory directory{paths_of(context.config, hosted.config, false).log_directory, state.signature, state.page_size};
  const Result<storage::SealedSurvey> survey = co_await storage::survey_sealed(context.disk, directory);
  if (survey.ok() || survey.error().kind == ErrorKind::not_found || survey.error().kind == ErrorKind::gap) co_return Result<void>();  // truncated meanwhile
  co_return refused("the log of " + subject + " cannot be opened: " + survey.error().message, "ccr seed " + subject + " begins its log anew, and brings what differs");
}

}  // namespace

// Everything that was committed is here, replayed and equal; then, durably, this copy is ready for that epoch.
Task<Result<void>> Roles::be_ready(Hosted& hosted, HandoverAsk ask) {
  const Instant end = context_.clock.now() + Handover::hold_limit;
  PassiveCopy& passive = *hosted.passive;
  for (;;) {
    const Result<void> still = able(context_, hosted);
    if (!still.ok()) co_return still;
    if (passive.state().min_required == ask.position && passive.state().replayed_commit == ask.commit) break;
    if (context_.clock.now() >= end) {
      co_return Error{ErrorKind::timeout, subject_of(hosted.config, context_.config.node) + " has replayed to " + to_text(passive.state().min_required) + ", expected " +
                      to_text(ask.position), "try again when its replay queue is shorter"};
    }
    passive.replay_at_once(Handover::hold_limit);
    co_await context_.clock.sleep(replay_look);
  }
  const std::optional<Digest64> root = passive.root();
  if (!root || *root != ask.root) {
    co_return refused("the roots differ at commit " + std::to_string(ask.commit) + ": here " + (root ? to_hex(*root, 16) : std::string("unknown")) + ", there " + to_hex(ask.root, 16),
                      "ccr verify " + subject_of(hosted.config, context_.config.node));
  }
  CCR_CO_TRY(co_await passive.prepare(ask.epoch, {}, true));
  hosted.prepared = ask.epoch;
  co_return Result<void>();
}

// The active copy here ends for good: the epoch that is named belongs to another node.
Task<Result<HandoverAnswer>> Roles::give_up(Hosted& hosted, HandoverAsk ask, std::string peer) {
  const std::string subject = subject_of(hosted.config, context_.config.node);
  if (!hosted.is_active_here && hosted.role.active == peer) {  // it gave up before, and the answer was lost
    if (hosted.wanted || hosted.handing_over) co_return refused("another change of the active copy of " + hosted.config.name + " is under way");
    HandoverAnswer again;
    again.granted = true;
    again.end = hosted.passive->opened() ? hosted.passive->watermarks().inspected : Position{};
    if (prepared_of(hosted) == 0) co_return again;
    // Or it agreed to be the next one itself: of that nothing comes any more, and whoever asks hears its epoch here where it dies behind the answer.
    const Role role{ask.epoch, std::move(peer), false};
    if (!want(hosted, role)) co_return refused("another change of the active copy of " + hosted.config.name + " is under way");
    CCR_CO_TRY(co_await wait_in_force(hosted, role));
    co_return again;
  }
  if (!hosted.is_active_here) co_return refused(subject + " is not the active copy", "ccr status " + hosted.config.name + " on " + context_.config.node + " shows which is");
  if (hosted.handing_over) co_return refused("a handover of " + hosted.config.name + " is under way");
  if (ask.epoch > hosted.role.epoch + epoch_jump_max) co_return refused("epoch " + std::to_string(ask.epoch) + " is too far above " + std::to_string(hosted.role.epoch));
  if (ask.epoch <= hosted.role.epoch) co_return refused("epoch " + std::to_string(ask.epoch) + " is not above " + std::to_string(hosted.role.epoch));
  const bool serves = hosted.active && hosted.active->ready();
  if (!serves && !ask.forced && hosted.config.kind == DatabaseKind::sqlite)
    co_return refused(subject + " does not serve, and so cannot take its file from programs", "--dial force activates without it; see that no program uses the file on " + context_.config.node);
  if (serves && !ask.forced) co_return refused(subject + " serves", "ccr move loses nothing");
  const Role role{ask.epoch, std::move(peer), false};
  if (!want(hosted, role)) co_return refused("another change of the active copy of " + hosted.config.name + " is under way");
  // As long as its application takes to end: what that still commits is fetched behind it. Whoever asked hears of no end otherwise, and may go on by
  // force: what is here alone is then for a person to decide.
  const bool application = hosted.active && hosted.active->application() != nullptr;
  const Result<void> kept = co_await wait_in_force(hosted, role, application ? leave_limit : force_limit);
  const bool pending = hosted.wanted && hosted.wanted->epoch == role.epoch && hosted.wanted->active == role.active;
  if (!kept.ok() && pending) hosted.wanted->forced = true;
  if (!kept.ok()) co_return kept.error();
  HandoverAnswer answer;
  answer.granted = true;
  answer.end = hosted.last_tip.durable;
  answer.commit = hosted.last_tip.commit;
  co_return answer;
}

Task<Result<HandoverAnswer>> Roles::take_step(HandoverAsk ask, std::string peer) {
  const auto found = databases_.find(ask.database);
  if (found == databases_.end()) co_return refused("node " + context_.config.node + " has no database '" + ask.database + "'");
  Hosted& hosted = *found->second;
  if (!hosted.config.has_copy(peer)) co_return refused("node " + peer + " has no copy of " + ask.database);
  HandoverAnswer granted;
  granted.granted = true;
  switch (ask.step) {
    case HandoverStep::yield: co_return co_await give_up(hosted, std::move(ask), std::move(peer));
    case HandoverStep::move: {
      if (!hosted.is_active_here) co_return refused(ask.database + "@" + context_.config.node + " is not the active copy", "ccr status " + ask.database);
      auto handover = std::make_shared<Handover>(context_, *this, hosted);
      const Result<nlohmann::json> moved = co_await handover->run_move(ask.to);
      if (!moved.ok()) co_return moved.error();
      granted.text = moved->dump();
      co_return granted;
    }
    case HandoverStep::check:
    case HandoverStep::prepare:
    case HandoverStep::undo:
    case HandoverStep::take: break;
  }
  // Of the next one: only the node that it takes for the active one may ask.
  if (peer != hosted.role.active) co_return refused(peer + " is not the active node here; " + hosted.role.active + " is");
  if (ask.step == HandoverStep::take) {
    if (hosted.prepared != ask.epoch) co_return refused("this copy is not ready for epoch " + std::to_string(ask.epoch));
    const Role role{ask.epoch, context_.config.node, false};
    if (!want(hosted, role)) co_return refused("another change of the active copy is under way here");
    co_return granted;
  }
  if (ask.step == HandoverStep::undo) {
    if (hosted.prepared != 0 && !hosted.is_active_here) CCR_CO_TRY(co_await hosted.passive->prepare(0));
    hosted.prepared = 0;
    co_return granted;
  }
  const Result<void> ready = able(context_, hosted);
  if (!ready.ok()) co_return ready.error();
  const bool goes_on = ask.step == HandoverStep::check && ask.position.known();  // a move, and not its checks alone
  if (goes_on) hosted.passive->replay_at_once(Handover::backlog_limit + Handover::hold_limit);
  CCR_CO_TRY(co_await Application::check_place(context_, hosted.config));
  if (ask.step == HandoverStep::check) CCR_CO_TRY(co_await survey_log(context_, hosted));
  if (ask.step == HandoverStep::prepare) CCR_CO_TRY(co_await be_ready(hosted, std::move(ask)));
  co_return granted;
}

// It is heard again, where this time nothing comes of it. `end`: of the log of the node before, which knows it once its copy is open in its other role.
void Roles::take_up(Hosted& hosted, Epoch epoch, Position end) {
  if (hosted.handing_over || hosted.activating || hosted.lives == nullptr || hosted.lives->stopping()) return;
  if (!hosted.agreed_since) hosted.agreed_since = context_.clock.now();
  const bool waits = context_.clock.now() - *hosted.agreed_since < end_told_max;
  auto handover = std::make_shared<Handover>(context_, *this, hosted);
  hosted.lives->spawn(Handover::take_up(std::move(handover), epoch, end, waits), TaskGroup::OnError::keep_others);
}

// A restart, or an answer that was lost, left it open whether the one before gave up: until that is known replay goes no further than the cut. It is
// not held for ever: then the copy is as it was before, and an epoch that comes all the same is for a person.
Task<void> Roles::drop_old_cuts() {
  std::vector<Hosted*> all;  // one may be forgotten meanwhile, and stays in memory
  for (const auto& [name, hosted] : databases_) all.push_back(hosted.get());
  for (Hosted* hosted : all) {
    PassiveCopy& passive = *hosted->passive;
    const bool pending = !hosted->is_active_here && passive.opened() && passive.state().cut.known();
    if (!pending) hosted->cut_seen.reset();
    if (!pending || hosted->wanted || hosted->handing_over) continue;
    if (!hosted->cut_seen) hosted->cut_seen = context_.clock.now();
    if (context_.clock.now() - *hosted->cut_seen < cut_kept_max) continue;
    const Event event{"activation_dropped", subject_of(hosted->config, context_.config.node), {{"epoch", std::to_string(passive.state().prepared)}, {"log_end", to_text(passive.state().cut)}}};
    context_.trace.record(event);
    static_cast<void>(co_await passive.prepare(0));  // where the disk does not take it, the copy shows that
    hosted->prepared = 0;
  }
}

Task<Result<void>> Roles::wait_in_force(Hosted& hosted, Role role, Duration limit) {
  const Epoch epoch = role.epoch;
  const auto in_force = [&hosted, epoch] { return hosted.role.epoch >= epoch; };
  co_await wait_for(context_.clock, limit, hosted.role_changed, in_force);
  if (in_force() && hosted.role.active == role.active) co_return Result<void>();
  if (in_force()) co_return Error{ErrorKind::refused, "epoch " + std::to_string(hosted.role.epoch) + " of " + hosted.role.active + " came into force instead", "ccr status " + hosted.config.name};
  co_return Error{ErrorKind::timeout, subject_of(hosted.config, context_.config.node) + " cannot keep epoch " + std::to_string(epoch) + ": " + hosted.standing->cause(),
                  "look at its state directory; it serves nothing meanwhile, and tries again by itself"};
}

}  // namespace ccr::engine
