// How a passive copy follows its active one: contact, the log connection, what the handshake means, replay, root compare.
#include <algorithm>
#include <utility>

#include "base/timeout.h"
#include "engine/chain_points.h"
#include "engine/passive_scrub.h"
#include "engine/role.h"

namespace ccr::engine {

// While it lives the copy is connected by this connection, however the task that holds it ends.
struct PassiveCopy::Contact {
  Contact(PassiveCopy& copy, const transport::FramedConnection& connection);
  ~Contact();
  PassiveCopy& copy_;
};

PassiveCopy::Contact::Contact(PassiveCopy& copy, const transport::FramedConnection& connection) : copy_(copy) {
  copy_.connected_ = true;
  if (copy_.tip_) copy_.tip_->at_rest = false;  // the last connection's word
  copy_.connection_ = &connection;
  copy_.pulse_ = copy_.context_.pulses.of(copy_.active_node(), connection.peer().text(), Pulses::Dialled::here);
}

PassiveCopy::Contact::~Contact() {
  copy_.keeper_.state().tip_heard = copy_.tip_heard_at();
  copy_.pulse_.reset();
  copy_.connected_ = false;
  copy_.connection_ = nullptr;
}

// Suspended, failed or never seeded: the pages rest, watermarks and tips go on, so that both nodes can say how far the copy is.
Task<Result<void>> PassiveCopy::contact() {
  storage::CopyState& state = keeper_.state();
  if (files_ && state.seeded && state.min_required < state.max_required) {
    // A crash interrupted a batch; whoever suspends wants pages that can be opened. Until its end they are ahead of what is applied.
    compare_from_ = state.max_required;
    make_replayer();
    CCR_CO_TRY(co_await files_->replayer->replay_to(state.max_required));
    files_->replayer.reset();
  }
  if (state.failed) CCR_CO_TRY(co_await keeper_.save());  // a verdict on roots is given where nothing can be saved
  CCR_CO_TRY(co_await note_rest());
  beyond_ = false;
  const State rest = resting_state();
  standing_.enter(rest, resting_cause(), resting_hint());
  standing_.restore_since(rest == State::needs_seed || !state.since.known() ? standing_.since() : state.since);
  changed_.notify();
  Backoff backoff(context_.random.fork());
  for (;;) {
    Result<transport::Hello> hello = co_await log_hello(false);
    if (!hello.ok()) co_return hello.error();
    Result<PeerSession> session = co_await connect_to_active(context_, active_node(), std::move(*hello));
    if (!session.ok() && rest == State::needs_seed) standing_.enter(rest, session.error().message, session.error().hint);
    if (session.ok()) {
      backoff.reset();
      if (rest == State::needs_seed) standing_.enter(rest, "", resting_hint());
      if (session->welcome.epoch >= state.epoch && session->welcome.verdict != transport::Verdict::other_history && state.signature.known()) {
        const Epoch known = state.epoch;
        const storage::Deposed deposed = state.deposed;
        hear_epoch(state, session->welcome.epoch, session->welcome.forced);
        if (state.epoch != known || state.deposed != deposed) CCR_CO_TRY(co_await keeper_.save());
      }
      const Contact in_contact(*this, *session->connection);
      const Result<void> ended = co_await exchange(*session, nullptr);
      if (ended.ok()) continue;
    }
    co_await context_.clock.sleep(backoff.next());
  }
}

// Target and replayer begin with the page file as it is now; a seed may have made it longer or shorter since the last ones.
void PassiveCopy::make_replayer() {
  const storage::CopyState& state = keeper_.state();
  storage::LogDirectory directory{paths_.log_directory, state.signature, state.page_size};
  ReplayObserver& observer = *this;
  files_->replayer.reset();
  files_->target = std::make_unique<storage::PageFileTarget>(*files_->pages, *files_->digests, storage::PageFileTarget::Digests::set);
  files_->replayer =
      std::make_shared<Replayer>(context_.executor, context_.disk, context_.clock, directory, *files_->target, keeper_, observer);
}

Task<Result<void>> PassiveCopy::follow() {
  const storage::CopyState& state = keeper_.state();
  CCR_ASSERT(files_ != nullptr);
  const State before = standing_.state();
  if (before == State::suspended || before == State::failed_and_suspended) standing_.enter(State::initializing, "");
  changed_.notify();
  make_replayer();
  compare_from_ = state.max_required;
  delay_.received(files_->log->inspected(), context_.clock.now());
  delay_.replayed(state.min_required, context_.clock.now());
  pace_replay();
  if (state.min_required >= state.max_required) commit_applied(state.min_required, state.replayed_commit);
  TaskGroup group(context_.executor);
  group.spawn(files_->replayer->run());
  group.spawn(copy_log(false));
  group.spawn(keep_house());
  group.spawn(replay_in_time());
  group.spawn(finish_when_decided());
  group.spawn(scrub_.run(*scrubbed_, keeper_));
  co_return co_await group.join();
}

Task<Result<transport::Hello>> PassiveCopy::log_hello(bool with_log) {
  const storage::CopyState& state = keeper_.state();
  transport::Hello hello = hello_about(transport::Purpose::log, database_, state.signature, state.epoch);
  if (!with_log || !files_) co_return hello;
  storage::LogDirectory directory{paths_.log_directory, state.signature, state.page_size};
  Result<std::vector<transport::ChainPoint>> points = co_await points_of(context_.disk, directory, *files_->log);
  if (!points.ok()) co_return points.error();
  hello.chain = std::move(*points);
  hello.wanted = files_->log->wanted();
  if (files_->log->epoch() != 0) hello.epoch = files_->log->epoch();  // of what it has; what it has heard of is for judge()
  co_return hello;
}

Task<Result<void>> PassiveCopy::copy_log(bool in_seed) {
  Backoff backoff(context_.random.fork());
  for (;;) {
    if (fetch_) CCR_CO_TRY(co_await fetch_now());
    const Result<void> ended = co_await copy_once(in_seed, backoff);
    if (ended.ok()) continue;  // a better path is up
    if (leaving_ && ended.error().kind == ErrorKind::stopped) co_return Result<void>();  // the phase ends, and not by an error
    CCR_CO_TRY(co_await log_connection_ended(ended.error(), in_seed, backoff));
  }
}

Task<Result<void>> PassiveCopy::copy_once(bool in_seed, Backoff& backoff) {
  if (!in_seed && standing_.state() == State::initializing) standing_.enter(State::disconnected, "connecting to " + active_node());
  Result<transport::Hello> hello = co_await log_hello(true);
  if (!hello.ok()) co_return hello.error();
  Result<PeerSession> session = co_await connect_to_active(context_, active_node(), std::move(*hello));
  if (!session.ok()) co_return session.error();
  const Result<bool> can_follow = judge(session->welcome);
  if (!can_follow.ok()) co_return can_follow.error();
  if (!*can_follow) co_return Error{ErrorKind::stopped, difference_reason_, ""};
  const Contact in_contact(*this, *session->connection);
  caught_up_ = false;
  backlog_end_ = session->welcome.durable;
  if (!in_seed) standing_.enter(State::resynchronizing, "");
  consider_healthy();
  changed_.notify();
  const Result<void> ended = co_await exchange(*session, files_->log.get());
  if (ended.ok() || ended.error().kind != ErrorKind::refused) backoff.reset();  // else the active node has not what is wanted, and may be asked seldom
  co_return ended;
}

Task<Result<void>> PassiveCopy::exchange(PeerSession& session, storage::IncomingLog* log) {
  seed_pace_.page_size = session.welcome.page_size;
  Copier copier(context_, log, *session.connection, pulse_, *this);
  TaskGroup group(context_.executor);
  bool leaves = false;
  group.spawn(copier.run());
  group.spawn(leave_for_better_path(session.connection->peer(), leaves));
  const Result<void> ended = co_await group.join();
  if (leaves) {
    if (log != nullptr) CCR_CO_TRY(co_await log->sync());  // also tells what its disk did meanwhile
    co_return Result<void>();
  }
  CCR_ASSERT(!ended.ok());
  if (ended.error().kind == ErrorKind::timeout) context_.paths.suspect(active_node(), session.connection->peer(), ended.error().message);
  co_return ended;
}

Task<Result<void>> PassiveCopy::leave_for_better_path(transport::Endpoint used, bool& leaves) {
  while (!context_.paths.has_better(active_node(), used)) co_await context_.paths.changed().wait();
  leaves = true;
  co_return Error{ErrorKind::stopped, "a better path than " + used.text() + " is up", ""};
}

// What the two histories are to each other. False: a difference is needed and was asked for.
Result<bool> PassiveCopy::judge(const transport::Welcome& welcome) {
  using transport::Verdict;
  storage::CopyState& state = keeper_.state();
  if (welcome.epoch < state.epoch) {
    return Error{ErrorKind::refused, active_node() + " has epoch " + std::to_string(welcome.epoch) + ", this copy has heard of " + std::to_string(state.epoch),
                 "find the copy that was activated last and activate that one"};
  }
  if (welcome.verdict != Verdict::other_history) hear_epoch(state, welcome.epoch, welcome.forced);
  switch (welcome.verdict) {
    case Verdict::same:
    case Verdict::behind:
      state.active = active_node();
      state.deposed = storage::Deposed::no;  // nothing here is unknown there
      return true;
    case Verdict::unknown:
      if (state.deposed == storage::Deposed::by_force) {
        meet_fork(welcome);
        return false;
      }
      need_difference("the log from " + to_text(files_->log->wanted()) + " on is no longer at " + active_node() + " (first there: generation " +
                      to_text(welcome.first) + ")");
      return false;
    case Verdict::ahead:
      if (database_.kind == DatabaseKind::pages && welcome.epoch == files_->log->epoch()) return went_back(welcome.durable);
      [[fallthrough]];
    case Verdict::forked: meet_fork(welcome); return false;
    case Verdict::other_history:
      return Error{ErrorKind::diverged, active_node() + " has another history (signature " + welcome.signature.text() + ", here " +
                                            keeper_.state().signature.text() + ")", ""};
    case Verdict::unseeded: break;
  }
  return Error{ErrorKind::protocol, active_node() + " answered '" + std::string(transport::name_of(welcome.verdict)) + "' to a seeded copy", ""};
}

// Decides what an ended connection means: try again, fetch again, open the files again, or a person.
Task<Result<void>> PassiveCopy::log_connection_ended(Error error, bool in_seed, Backoff& backoff) {
  changed_.notify();
  contact_lost_at_ = context_.clock.now();
  switch (error.kind) {
    case ErrorKind::io:
    case ErrorKind::no_space:
    case ErrorKind::read_only:
    case ErrorKind::stopped:
    case ErrorKind::diverged:
      co_return error;  // ends the phase
    case ErrorKind::corrupt:
      if (++inspect_tries_ >= inspect_tries_max) {
        error.message = "INSPECT: " + error.message + ", fetched " + std::to_string(inspect_tries_) + " of " + std::to_string(inspect_tries_max) + " times";
        co_return error;
      }
      break;
    default:
      if (files_ && files_->log->failed()) co_return error;  // of its own disk, which had no descriptor left, say: the files are opened again
      break;
  }
  if (!in_seed) standing_.enter(State::disconnected, error.message, error.hint);
  const auto fetches = [this] { return fetch_ != nullptr; };
  co_await wait_for(context_.clock, backoff.next(), changed_, fetches);
  co_return Result<void>();
}

// What is no copy any more is equal to nothing, and no reading of its disk proves it.
void PassiveCopy::forget_proofs() {
  storage::CopyState& state = keeper_.state();
  state.seeded = false;
  state.root_equal_at = Position{};
  state.root_equal = 0;
  state.disk_verified_at = WallTime{};
}

// --- progress --------------------------------------------------------------------------------------------------------------

void PassiveCopy::tip_heard(const transport::Tip& tip) {
  tip_ = tip;
  storage::CopyState& state = keeper_.state();
  state.tip = tip.durable;
  state.tip_commit = tip.commit;
  state.tip_heard = context_.clock.wall_now();
  tip_times_.reached(tip.durable, context_.clock.now());
  if (tip.root_known) {
    const std::optional<RootVerdict> verdict = roots_.expected(tip.commit, tip.root);
    if (verdict) judge_root(*verdict);
  }
  note_went_back();
  consider_healthy();
  changed_.notify();
}

bool PassiveCopy::at_rest() const { return connected_ && tip_ && tip_->at_rest; }

WallTime PassiveCopy::tip_heard_at() const {
  const WallTime heard = keeper_.state().tip_heard;
  return at_rest() ? std::max(heard, pulse_->last_wall()) : heard;
}

void PassiveCopy::log_received(std::uint64_t log_bytes, std::uint64_t wire_bytes) {
  log_bytes_received_ += log_bytes;
  wire_bytes_received_ += wire_bytes;
}

void PassiveCopy::log_durable() {
  inspect_tries_ = 0;
  keeper_.state().durable = files_->log->durable();
  delay_.received(files_->log->inspected(), context_.clock.now());
  pace_replay();
  consider_healthy();
  changed_.notify();
}

// What a crash interrupted is applied again on pages that are already ahead of it: nothing is compared before their place is reached.
void PassiveCopy::commit_applied(Position position, CommitNumber commit) {
  if (position < compare_from_) return changed_.notify();
  const std::optional<RootVerdict> verdict = roots_.reached(commit, position, files_->digests->root());
  if (verdict) judge_root(*verdict);
  changed_.notify();
}

void PassiveCopy::seal_passed(const storage::SealFacts& seal, CommitNumber commit) {
  if (seal.seal.root == 0 || seal.seal.last_commit != commit || commit == 0) return;  // not known when it was sealed, or inside a record
  const std::optional<RootVerdict> verdict = roots_.expected(commit, seal.seal.root);
  if (verdict) judge_root(*verdict);
}

void PassiveCopy::judge_root(const RootVerdict& verdict) {
  storage::CopyState& state = keeper_.state();
  if (state.failed) return;  // judged: what comes yet, a seal or a heartbeat, is the same verdict again
  const bool deciding = !state.seeded && state.seed.until.known();
  if (deciding && verdict.commit < state.seed.until_commit) return;  // fuzzy until Q
  if (!state.seeded && !deciding) return;
  if (verdict.equal()) {
    state.root_equal_at = verdict.position;
    state.root_equal = verdict.here;
    if (deciding) seed_verdict_ = verdict;
    changed_.notify();
    return;
  }
  const Event event{"root_differs",
                    subject_of(database_, context_.config.node),
                    {{"commit", std::to_string(verdict.commit)}, {"position", to_text(verdict.position)},
                     {"here", to_hex(verdict.here, 16)}, {"there", to_hex(verdict.there, 16)}}};
  context_.trace.record(event);
  forget_proofs();
  if (++state.seed.pass >= seed_passes_max) {
    state.failed = true;
    state.cause = "DIVERGED: the root differs from " + active_node() + " at commit " + std::to_string(verdict.commit) + " after " +
                  std::to_string(state.seed.pass) + " passes";
    state.since = context_.clock.wall_now();
    end_phase();
    return;
  }
  need_difference("the root differs at commit " + std::to_string(verdict.commit));
}

void PassiveCopy::consider_healthy() {
  if (!connected_ || !files_ || !files_->replayer || !keeper_.state().seeded) return;
  if (files_->log->inspected() >= backlog_end_) caught_up_ = true;
  if (caught_up_ && standing_.state() == State::resynchronizing) standing_.enter(State::healthy, "");
}

Task<Result<void>> PassiveCopy::finish_when_decided() {
  // Also where the root at P decides: the log up to there comes with its generation, and belongs to a copy (FAULTS invariant 12).
  while (!seed_verdict_ || files_->log->inspected() < seed_verdict_->position) co_await changed_.wait();
  co_return co_await finish_seed();
}

namespace {

// Each heartbeat brings a new time of the last tip: of those only one a minute goes to disk, one in ten minutes at rest, and the last one
// before a silence.
bool worth_saving(const storage::CopyState& saved, const storage::CopyState& state, WallTime now, bool at_rest) {
  const std::int64_t apart_max = Duration(std::chrono::minutes(at_rest ? 10 : 1)).count();
  constexpr std::int64_t silence = Duration(std::chrono::seconds(5)).count();
  if (state == saved) return false;
  storage::CopyState beaten = saved;
  beaten.tip_heard = state.tip_heard;
  beaten.scrub = state.scrub;  // saves its place itself
  if (!(state == beaten)) return true;
  return state.tip_heard.nanoseconds - saved.tip_heard.nanoseconds >= apart_max || now.nanoseconds - state.tip_heard.nanoseconds >= silence;
}

}  // namespace

Task<Result<void>> PassiveCopy::keep_house() {
  constexpr Duration turn = std::chrono::milliseconds(500);
  constexpr Duration rest_turn = std::chrono::minutes(2);
  const storage::CopyState& state_now = keeper_.state();
  storage::CopyState saved = state_now;
  Position seen = saved.min_required;
  bool rested = false;
  for (;;) {
    const auto told = [&] { return state_now.access != saved.access || state_now.backup != saved.backup; };  // by another node
    const auto moves = [&] { return !at_rest() || files_->replayer->position() != seen || files_->replayer->base_marker_met() || told(); };
    const bool ages = held() || delay_.keeps(kept_for(), state_now.min_required, context_.clock.now());
    if (rested && !ages && !moves()) co_await wait_for(context_.clock, rest_turn, changed_, moves);
    co_await context_.clock.sleep(turn);
    const bool moved = files_->replayer->position() != seen;
    seen = files_->replayer->position();
    if (!moved && !rested) files_->replayer->give_back();
    rested = !moved;
    if (files_->replayer->base_marker_met() && state_now.deposed == storage::Deposed::no) {  // else what it alone may have is looked at first, at the handshake
      need_difference("a base marker in the log");
      continue;
    }
    storage::CopyState& state = keeper_.state();
    state.tip_heard = tip_heard_at();
    note_ages();
    if (worth_saving(saved, state, context_.clock.wall_now(), at_rest())) {
      CCR_CO_TRY(co_await keeper_.save());
      saved = state;
    }
    CCR_CO_TRY(co_await truncate());
    if (!moved) CCR_CO_TRY(co_await files_->log->give_back());
  }
}

}  // namespace ccr::engine
