// How a passive copy is made equal: a pass of the seeder beside the log from its pinned position, then replay to Q, then the root decides.
#include <algorithm>
#include <utility>

#include "engine/chain_points.h"
#include "engine/passive_copy.h"
#include "engine/passive_files.h"
#include "engine/seed_sources.h"

namespace ccr::engine {

namespace {

// A pause earns no burst: what a seed received is paid before it reads on.
storage::TokenBucket::Limit seed_limit(std::uint64_t bytes_per_second_max) { return {bytes_per_second_max, 0}; }

// Of a seed that brought most of the database; a little says nothing of the rest.
std::optional<double> pace_of(const seed::SeedCounters& counters, Duration took) {
  constexpr std::uint64_t bytes_min = 8 * MiB;
  const std::uint64_t bytes = counters.counts.image_bytes;
  if (bytes < bytes_min || bytes < counters.total_bytes / 2 || took <= Duration::zero()) return std::nullopt;
  return static_cast<double>(bytes) / std::chrono::duration<double>(took).count();
}

}  // namespace

Task<Result<void>> PassiveCopy::limit_seed(std::uint64_t bytes_per_second_max) {
  keeper_.state().seed.bytes_per_second_max = bytes_per_second_max;
  seed_rate_.set_limit(seed_limit(bytes_per_second_max));
  co_return co_await keeper_.save();
}

void PassiveCopy::spread_seed(std::size_t streams) {
  seed_streams_ = streams;
  if (seed_target_ == nullptr) return;
  const seed::StreamsWanted wanted = streams_wanted(context_.config.transport, streams, source_nodes(state().seed.source), active_node());
  seed_target_->change_streams(wanted.least, wanted.most);
}

Task<Result<void>> PassiveCopy::rest_after_seed() {
  keeper_.state().seed.manual_resume = true;
  co_return co_await keeper_.save();
}

std::uint64_t PassiveCopy::seed_rate_limit() const {
  const std::uint64_t asked = keeper_.state().seed.bytes_per_second_max, configured = context_.config.transport.seed_bytes_per_second;
  if (asked == 0 || configured == 0) return std::max(asked, configured);
  return std::min(asked, configured);
}

seed::SeedCounters PassiveCopy::seed_counters() const { return seed_target_ != nullptr ? seed_target_->counters() : last_counters_; }

void PassiveCopy::need_difference(std::string reason) {
  storage::CopyState& state = keeper_.state();
  if (!state.seed.source.empty() && !state.seed.until.known()) {
    if (!pass_open_) return;
    state.seed.from = Position{};  // its log cannot come: another pass begins where the active node is now
    difference_reason_ = std::move(reason);
    return;
  }
  const Event event{"difference_needed", subject_of(database_, context_.config.node), {{"reason", reason}}};
  context_.trace.record(event);
  const std::uint32_t passes = state.seed.pass;
  state.seed = storage::SeedProgress{};
  state.seed.source = active_node();
  state.seed.reread = !state.seeded || state.min_required != state.max_required;  // believed where only log was lost
  state.seed.pass = passes;
  difference_reason_ = std::move(reason);
  end_phase();
}

Task<Result<void>> PassiveCopy::seed_loop() {
  Backoff backoff(context_.random.fork());
  for (;;) {
    standing_.enter(State::seeding, difference_reason_.empty() ? "" : "difference: " + difference_reason_);
    changed_.notify();
    const Result<void> ended = co_await seed_once(backoff);
    if (ended.ok()) {
      end_phase();
      co_return Result<void>();
    }
    const Error& error = ended.error();
    const Event event{"seed_interrupted", subject_of(database_, context_.config.node), {{"cause", error.message}}};
    context_.trace.record(event);
    CCR_CO_TRY(co_await judge_sources());
    switch (error.kind) {
      case ErrorKind::io:
      case ErrorKind::no_space:
      case ErrorKind::read_only:
      case ErrorKind::stopped: co_return error;  // the files are opened again
      case ErrorKind::full: co_return co_await quarantine_full(error);
      case ErrorKind::corrupt:
      case ErrorKind::diverged:
      case ErrorKind::protocol:
        if (++inspect_tries_ >= inspect_tries_max) co_return co_await fail_for_good("SEED: " + error.message, error.hint);
        break;
      default:
        if (files_ && files_->log->failed()) co_return error;
        break;  // the peer comes back
    }
    standing_.enter(State::disconnected, error.message, error.hint);
    changed_.notify();
    co_await context_.clock.sleep(backoff.next());
  }
}

// Other copies were named, and none of them gives anything: two that wait for each other would do so for ever.
Task<Result<void>> PassiveCopy::judge_sources() {
  if (!std::exchange(sources_tried_, false)) co_return Result<void>();  // the active node itself is away
  const seed::SeedCounts& counts = last_counters_.counts;
  const std::uint64_t extents = counts.extents_sent + counts.extents_equal;
  source_tries_ = extents > extents_seen_ ? 0 : source_tries_ + 1;
  extents_seen_ = extents;
  const std::vector<std::string> nodes = source_nodes(keeper_.state().seed.source);
  const bool active_gives = std::find(nodes.begin(), nodes.end(), active_node()) != nodes.end();
  if (active_gives || source_tries_ < source_tries_max) co_return Result<void>();
  const Event event{"seed_source_changed", subject_of(database_, context_.config.node), {{"from", keeper_.state().seed.source}, {"to", active_node()}}};
  context_.trace.record(event);
  keeper_.state().seed.source = active_node();
  co_return co_await keeper_.save();
}

// The table says what the disk holds as long as only ccr wrote there, a copy was whole, and nothing was found to differ.
Task<Result<bool>> PassiveCopy::table_is_doubtful() {
  const storage::CopyState& state = keeper_.state();
  if (!state.seeded || state.damaged_pages > 0 || state.min_required != state.max_required) co_return true;
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  const bool touched = state.pages_at_rest.known() && *facts != state.pages_at_rest;
  co_return touched || facts->inode != opened_inode_;
}

Task<Result<void>> PassiveCopy::seed_once(Backoff& backoff) {
  const storage::CopyState& state = keeper_.state();
  Result<transport::Hello> hello = co_await log_hello(true);
  if (!hello.ok()) co_return hello.error();
  hello->purpose = transport::Purpose::seed;
  seed_hello_ = *hello;
  Result<PeerSession> session = co_await connect_to_active(context_, active_node(), std::move(*hello));
  if (!session.ok()) co_return session.error();
  seed_welcome_ = session->welcome;
  // Before anything is changed. A new pass begins no lower than here.
  const std::optional<Generation> aside = not_proven_from(seed_hello_, seed_welcome_, seed_welcome_.first);
  if (aside) CCR_CO_TRY(co_await storage::check_quarantine(context_.disk, paths_.log_directory, *aside));
  CCR_CO_TRY(co_await adopt(session->welcome));
  seed::SeedOptions options;
  options.open_pass = state.seed.from;
  options.full = full_;
  seed_rate_.set_limit(seed_limit(state.seed.bytes_per_second_max));
  options.rate = &seed_rate_;
  options.cpu = &context_.cpu;
  const std::vector<std::string> nodes = source_nodes(state.seed.source);
  SeedSources sources(context_, database_, nodes, {state.signature, state.epoch});
  options.streams = streams_wanted(context_.config.transport, seed_streams_, nodes, active_node());
  options.streams.further = &sources;
  options.budget = &context_.seed_extents;
  // Replay that was cut off since may have left the table ahead of the pages, and is not done again before a pass.
  const bool cut_off = state.seeded && state.min_required != state.max_required;
  options.own_table = state.seed.reread || cut_off ? seed::OwnTable::doubted : seed::OwnTable::believed;
  seed::SeedTarget target(context_.clock, context_.disk, paths_.state_directory, *files_->pages, *files_->digests, *this, options);
  struct Running {
    PassiveCopy& copy;
    seed::SeedTarget& target;
    Running(PassiveCopy& c, seed::SeedTarget& t) : copy(c), target(t) { copy.seed_target_ = &target; }
    ~Running() {
      copy.seed_cuts_ = copy.seed_cuts();
      copy.last_counters_ = target.counters();
      copy.seed_target_ = nullptr;
      copy.sources_tried_ = copy.pass_open_;
      copy.pass_open_ = false;
    }
  } running(*this, target);
  const Instant begun = context_.clock.now();
  // Log from P on comes meanwhile; it ends with the pass and goes on in the follow phase.
  TaskGroup group(context_.executor);
  std::optional<Result<seed::SeedOutcome>> outcome;
  group.spawn(run_target(target, *session->connection, outcome, group));
  group.spawn(copy_log_when_open());
  group.spawn(watch_seed(*session->connection));
  CCR_CO_TRY(co_await group.join());
  CCR_ASSERT(outcome.has_value());
  if (target.counters().counts.wire_bytes > 0) backoff.reset();  // it came further
  const auto extents_done = [](const seed::SeedCounters& c) { return c.counts.extents_sent + c.counts.extents_equal; };
  if (extents_done(target.counters()) > extents_done(last_counters_)) inspect_tries_ = 0;  // what was damaged was so on its way
  if (!outcome->ok()) {
    if (target.disk_doubtful()) full_ = true;
    // The source looked twice: another try gets the same answer, and what came so far is no copy.
    const Error error = outcome->error();
    if (error.kind == ErrorKind::diverged) co_return co_await fail_for_good("SEED: " + error.message, error.hint);
    co_return error;
  }
  const std::optional<double> pace = pace_of(target.counters(), context_.clock.now() - begun);
  if (pace && !(**outcome).resumed && seed_rate_limit() == 0) seed_pace_.bytes_per_second = *pace;  // a limit says nothing of the way
  co_return co_await pages_are_here(**outcome);
}

Task<Result<void>> PassiveCopy::run_target(seed::SeedTarget& target, transport::FramedConnection& connection,
                                           std::optional<Result<seed::SeedOutcome>>& outcome, TaskGroup& group) {
  outcome = co_await target.run(connection);
  group.stop();
  co_return Result<void>();
}

Task<Result<void>> PassiveCopy::copy_log_when_open() {
  while (!pass_open_) co_await changed_.wait();
  co_return co_await copy_log(true);
}

// A seed's connection has no heartbeats, and much patience with a source that reads slowly. The log's beside it takes the same path: where
// that one was lost after a silence that this one shares, or the path's own heartbeats were, the path has forgotten both, and the seed goes on
// over a new one. So it does where a better path is up again.
Task<Result<void>> PassiveCopy::watch_seed(transport::FramedConnection& connection) {
  const transport::Endpoint path = connection.peer();
  const Duration interval = context_.config.transport.heartbeat_interval;
  std::uint64_t heard = connection.bytes_received();
  Instant heard_at = context_.clock.now();
  bool was_up = !context_.paths.is_down(active_node(), path);
  for (;;) {
    co_await context_.clock.sleep(interval / 4);
    const bool down = context_.paths.is_down(active_node(), path);
    const bool turned_down = down && was_up;
    was_up = was_up || !down;
    if (connection.bytes_received() != heard) {
      heard = connection.bytes_received();
      heard_at = context_.clock.now();
    } else if (contact_lost_at_ > heard_at + interval || (turned_down && context_.clock.now() > heard_at + interval)) {
      connection.close();
      heard_at = context_.clock.now();
    }
    if (context_.paths.has_better(active_node(), path)) connection.close();
  }
}

// All extents are durable here and the source named Q: from now on only log is needed.
Task<Result<void>> PassiveCopy::pages_are_here(seed::SeedOutcome outcome) {
  seed_pace_.pages_here_at = context_.clock.now();
  storage::CopyState& state = keeper_.state();
  state.seed.until = outcome.until;
  state.seed.until_commit = outcome.until_commit;
  const seed::SeedCounters& counters = seed_target_->counters();
  state.seed.extents_sent = counters.counts.extents_sent;
  state.seed.extents_equal = counters.counts.extents_equal;
  state.seed.wire_bytes = counters.counts.wire_bytes;
  state.seed.done_bytes = counters.done_bytes;
  state.seed.total_bytes = counters.total_bytes;
  state.max_required = std::max(state.max_required, outcome.until);
  full_ = false;
  CCR_CO_TRY(co_await keeper_.save());
  const Event event{"seed_pages_done",
                    subject_of(database_, context_.config.node),
                    {{"from", to_text(state.seed.from)},
                     {"until", to_text(outcome.until)},
                     {"extents_sent", std::to_string(counters.counts.extents_sent)},
                     {"extents_equal", std::to_string(counters.counts.extents_equal)},
                     {"wire_bytes", std::to_string(counters.counts.wire_bytes)}}};
  context_.trace.record(event);
  co_return Result<void>();
}

// Another history than the one here, or none yet: its name and page size are durable before a page of it is written.
Task<Result<void>> PassiveCopy::adopt(transport::Welcome welcome) {
  storage::CopyState& state = keeper_.state();
  if (state.signature == welcome.signature && state.page_size == welcome.page_size) {
    if (!files_) CCR_CO_TRY(co_await open_files());
    co_return Result<void>();
  }
  if (files_) {
    if (files_->log->first().number != 0) {
      CCR_CO_TRY(co_await files_->log->set_aside(files_->log->first()));
    }
    files_.reset();
  }
  storage::CopyState fresh;
  fresh.signature = welcome.signature;
  fresh.epoch = welcome.epoch;
  fresh.active = state.active;
  fresh.forced = state.forced;
  fresh.page_size = welcome.page_size;
  fresh.seed.source = state.seed.source;
  fresh.seed.manual_resume = state.seed.manual_resume;
  fresh.seed.reread = true;
  fresh.seed.bytes_per_second_max = state.seed.bytes_per_second_max;
  fresh.since = state.since;
  fresh.suspended = state.suspended;  // by a person, while this seed began
  fresh.comment = state.comment;
  fresh.suspended_by = state.suspended_by;
  state = fresh;
  forget_log_times();
  CCR_CO_TRY(co_await keeper_.save());
  CCR_CO_TRY(co_await mark_directories(context_, database_, paths_, state.signature));
  co_return co_await open_files();
}

Task<Result<void>> PassiveCopy::pass_opened(const transport::SeedOffer& offer) {
  storage::CopyState& state = keeper_.state();
  forget_proofs();
  state.seed.from = offer.from;
  state.seed.until = Position{};
  state.min_required = state.max_required = offer.from;
  state.replayed_commit = offer.from_commit;
  state.durable = Position{};
  tip_times_.clear();
  forget_log_times();
  CCR_CO_TRY(co_await keeper_.save());
  const std::optional<Generation> aside = not_proven_from(seed_hello_, seed_welcome_, offer.from.generation);
  if (aside) tell_aside(*aside, difference_reason_);
  CCR_CO_TRY(co_await files_->log->restart_at(offer.from.generation, aside));
  pass_open_ = true;
  changed_.notify();
  const Event event{"seed_pass_opened", subject_of(database_, context_.config.node), {{"from", to_text(offer.from)}, {"pages", std::to_string(offer.page_count)}}};
  context_.trace.record(event);
  co_return Result<void>();
}

Task<Result<void>> PassiveCopy::pass_resumed(const transport::SeedOffer& offer) {
  // A crash between the record of the pass and the start of its log leaves another log, or one that ends before P. And a log that covers P may
  // go on behind a place where the active's took another way.
  const bool covered = files_->log->first().number != 0 && files_->log->first() <= offer.from.generation &&
                       files_->log->wanted().generation >= offer.from.generation;
  const std::optional<Generation> aside = not_proven_from(seed_hello_, seed_welcome_, offer.from.generation);
  if (!covered || aside) {
    keeper_.state().durable = Position{};  // before the log goes: one shorter than this would be damage at the next start
    forget_log_times();
    CCR_CO_TRY(co_await keeper_.save());
    if (aside) tell_aside(*aside, difference_reason_);
    CCR_CO_TRY(co_await files_->log->restart_at(offer.from.generation, aside));
  }
  pass_open_ = true;
  changed_.notify();
  co_return Result<void>();
}

// The root decided: equal. The copy is a copy from here on.
Task<Result<void>> PassiveCopy::finish_seed() {
  storage::CopyState& state = keeper_.state();
  CCR_ASSERT(seed_verdict_ && seed_verdict_->equal());
  const bool manual = state.seed.manual_resume;
  state.seeded = true;
  state.damaged_pages = 0;  // where there were any the disk was read
  state.seed = storage::SeedProgress{};
  if (manual) {
    state.suspended = true;
    state.comment = "seeded with --manual-resume";
    state.since = context_.clock.wall_now();
  }
  CCR_CO_TRY(co_await keeper_.save());
  const Event event{"seed_finished",
                    subject_of(database_, context_.config.node),
                    {{"commit", std::to_string(seed_verdict_->commit)}, {"position", to_text(seed_verdict_->position)}, {"root", to_hex(seed_verdict_->here, 16)}}};
  context_.trace.record(event);
  seed_verdict_.reset();
  difference_reason_.clear();
  delay_changed_.notify();  // it grows from here on
  consider_healthy();
  changed_.notify();
  if (manual) end_phase();
  co_return Result<void>();
}

}  // namespace ccr::engine
