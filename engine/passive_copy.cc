#include "engine/passive_copy.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "engine/digest_scan.h"
#include "engine/passive_files.h"
#include "engine/persons_word.h"
#include "engine/passive_scrub.h"
#include "engine/role.h"
#include "storage/growth_check.h"

namespace ccr::engine {

PassiveCopy::PassiveCopy(NodeContext& context, const DatabaseConfig& database, CopyStanding& standing, Scrub& scrub)
    : context_(context),
      database_(database),
      standing_(standing),
      scrub_(scrub),
      scrubbed_(std::make_unique<Scrubbed>(*this)),
      paths_(paths_of(context.config, database, false)),
      keeper_(context.executor, context.disk, paths_.state_directory),
      changed_(context.executor),
      delay_changed_(context.executor) {}

PassiveCopy::~PassiveCopy() = default;

Task<Result<void>> PassiveCopy::run() {
  CCR_ASSERT(phase_ == nullptr);
  files_.reset();
  opened_ = asked_ = false;
  Result<bool> known = co_await open_directories(context_, database_, paths_, keeper_);
  if (!known.ok()) co_return known.error();
  if (!*known) {
    CCR_CO_TRY(co_await mark_directories(context_, database_, paths_, Signature{}));
    if (database_.seed_auto) keeper_.state().seed.source = active_node();
    CCR_CO_TRY(co_await keeper_.save());
  }
  delay_.restore(keeper_.state(), context_.clock.now());
  opened_ = true;
  for (;;) {
    CCR_CO_TRY(co_await leave_fork());
    if (std::exchange(reopen_, false)) files_.reset();
    if (keeper_.state().page_size != 0 && !files_) {
      const Result<void> opened = co_await open_files();
      if (!opened.ok()) CCR_CO_TRY(co_await meet_damage(opened.error()));
    }
    CCR_CO_TRY(co_await run_phase(next_phase()));
  }
}

PassiveCopy::Phase PassiveCopy::next_phase() const {
  const storage::CopyState& state = keeper_.state();
  if (state.suspended || state.failed) return Phase::contact;
  const bool pass_over = state.seed.until.known();
  if (!state.seed.source.empty() && !pass_over) return Phase::seed;
  return state.seeded || pass_over ? Phase::follow : Phase::contact;
}

// Opens what a history has on this node. The digest table of a copy that was whole is built anew where it is missing.
Task<Result<void>> PassiveCopy::open_files() {
  CCR_CO_TRY(co_await take_own_log());
  const storage::CopyState& state = keeper_.state();
  auto files = std::make_shared<PassiveFiles>();
  // A growing file that a power cut tore is made whole by the replay that was under way; anywhere else a partial page is damage.
  const bool whole = state.seeded || state.seed.until.known();  // all pages are there, or were
  const bool under_way = !state.seeded || state.max_required > state.min_required;
  const storage::PageFile::TornTail torn = under_way ? storage::PageFile::TornTail::cut : storage::PageFile::TornTail::refuse;
  files->digests = std::make_unique<storage::PageDigests>(context_.disk, paths_.digests, state.page_size);
  const Result<void> loaded = co_await files->digests->load();
  const storage::PageFile::Missing missing = whole ? storage::PageFile::Missing::refuse : storage::PageFile::Missing::make;
  Result<std::unique_ptr<storage::PageFile>> pages =
      co_await storage::PageFile::open(context_.disk, paths_.page_file, state.page_size, torn, missing);
  if (!pages.ok() && pages.error().kind != ErrorKind::not_found) co_return pages.error();
  const bool holds_pages = state.replayed_commit > 1 || (loaded.ok() && files->digests->page_count() > 0);
  if (!pages.ok() || (whole && (*pages)->page_count() == 0 && holds_pages)) {
    co_return Error{ErrorKind::identity, "the page file " + paths_.page_file + " is missing or empty: an empty mount?",
                    "mount it, or `ccr seed " + subject_of(database_, context_.config.node) + "` to make it again"};
  }
  files->pages = std::move(*pages);
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  opened_inode_ = facts->inode;
  if (whole && state.max_required == state.min_required && loaded.ok() &&
      files->pages->page_count() != files->digests->page_count()) {
    co_return Error{ErrorKind::corrupt,
                    paths_.page_file + " has " + std::to_string(files->pages->page_count()) + " pages, expected " +
                        std::to_string(files->digests->page_count()) + ": somebody changed it",
                    "ccr seed " + subject_of(database_, context_.config.node)};
  }
  if (!loaded.ok()) {
    if (loaded.error().kind != ErrorKind::not_found && loaded.error().kind != ErrorKind::corrupt) co_return loaded.error();
    CCR_CO_TRY(co_await scan_digests(*files->pages, *files->digests));
    CCR_CO_TRY(co_await files->digests->flush());
  }
  storage::LogDirectory directory{paths_.log_directory, state.signature, state.page_size};
  storage::IncomingLog::Start start;
  if (state.min_required.known()) start.generation = state.min_required.generation;
  Result<std::unique_ptr<storage::IncomingLog>> log =
      co_await storage::IncomingLog::open(context_.disk, directory, start, state.durable);
  if (!log.ok()) co_return log.error();
  files->log = std::move(*log);
  if (whole) {
    const std::string hint = "ccr seed " + subject_of(database_, context_.config.node);
    CCR_CO_TRY(co_await storage::check_growth(context_.disk, directory, state.min_required, state.max_required, *files->pages, *files->digests, hint));
  }
  files_ = std::move(files);
  co_return Result<void>();
}

// Files that cannot be opened: what passes is tried again, damage waits for a person, and a person who asked for a seed wants a copy that
// begins anew: its log is set aside, its pages are compared.
Task<Result<void>> PassiveCopy::meet_damage(Error error) {
  storage::CopyState& state = keeper_.state();
  const bool missing = error.kind == ErrorKind::identity;
  const bool damage = error.kind == ErrorKind::corrupt || error.kind == ErrorKind::gap || error.kind == ErrorKind::diverged;
  if (state.suspended || state.failed) co_return Result<void>();  // contact needs no files
  if (!missing && !damage) co_return error;
  if (state.seed.source.empty()) {
    if (missing) co_return error;
    co_return co_await fail_for_good("CHAIN: " + error.message, seed_hint());
  }
  const Generation all{0};
  const Result<void> aside = co_await storage::set_aside_generations(context_.disk, paths_.log_directory, all);
  if (!aside.ok() && aside.error().kind == ErrorKind::full) co_return co_await quarantine_full(aside.error());
  if (!aside.ok()) co_return aside.error();
  forget_proofs();
  forget_log_times();
  state.min_required = state.max_required = state.durable = Position{};
  state.replayed_commit = 0;
  state.seed.from = state.seed.until = Position{};
  state.seed.reread = true;
  CCR_CO_TRY(co_await keeper_.save());
  const Event event{"log_set_aside", subject_of(database_, context_.config.node), {{"cause", error.message}}};
  context_.trace.record(event);
  co_return co_await open_files();
}

Task<Result<void>> PassiveCopy::run_phase(Phase phase) {
  TaskGroup group(context_.executor);
  phase_ = &group;
  struct Current {
    PassiveCopy& copy;
    ~Current() {
      copy.phase_ = nullptr;
      copy.connected_ = false;
      copy.pass_open_ = false;
      copy.changed_.notify();
    }
  } current{*this};
  roots_.clear();
  seed_verdict_.reset();  // of another phase, and so perhaps of another pass
  leaving_ = false;
  group.spawn(leave_when_asked());
  group.spawn(watch_quarantine());
  switch (phase) {
    case Phase::contact: group.spawn(contact()); break;
    case Phase::seed: group.spawn(seed_loop()); break;
    case Phase::follow: group.spawn(follow()); break;
  }
  Result<void> ended = co_await group.join();
  if (files_) {
    files_->replayer.reset();
    files_->target.reset();
  }
  if (!ended.ok()) {
    // Whatever failed may have left a file half written: everything is opened, and so recovered, again.
    files_.reset();
    const ErrorKind kind = ended.error().kind;
    const bool damage = kind == ErrorKind::corrupt || kind == ErrorKind::gap || kind == ErrorKind::diverged;
    if (!damage) co_return ended.error();
    const std::string cause = std::string(kind == ErrorKind::diverged ? "DIVERGED: " : "CHAIN: ") + ended.error().message;
    CCR_CO_TRY(co_await fail_for_good(cause, seed_hint()));
  }
  co_return Result<void>();
}

// Asks the phase to end. Where pages are replayed they first stop at a commit boundary with everything before it on disk, so that a
// suspended copy's file can be opened and looked into.
void PassiveCopy::end_phase() {
  leaving_ = true;
  if (phase_ == nullptr) asked_ = true;
  changed_.notify();
}

Task<Result<void>> PassiveCopy::leave_when_asked() {
  while (!leaving_) co_await changed_.wait();
  if (files_ && files_->replayer) co_await files_->replayer->hold();
  phase_->stop();
  co_return Result<void>();
}

Task<Result<void>> PassiveCopy::fail_for_good(std::string cause, std::string hint) {
  storage::CopyState& state = keeper_.state();
  state.failed = true;
  state.cause = cause;
  state.since = context_.clock.wall_now();
  CCR_CO_TRY(co_await keeper_.save());
  standing_.enter(State::failed_and_suspended, std::move(cause), std::move(hint));
  end_phase();
  co_return Result<void>();
}

// Never deleted by us: somebody has to look at what was set aside, and make room.
Task<Result<void>> PassiveCopy::quarantine_full(Error error) {
  co_return co_await fail_for_good("QUARANTINE_FULL: " + error.message, error.hint);
}

// A person may clear it at any time. What is shown is for status alone: whoever sets aside looks for himself.
Task<Result<void>> PassiveCopy::watch_quarantine() {
  constexpr Duration turn = std::chrono::seconds(10), rest_turn = std::chrono::minutes(2);
  for (;;) {
    const Result<storage::Quarantine> there = co_await storage::measure_quarantine(context_.disk, paths_.log_directory);
    quarantine_ = there.ok() ? std::optional(*there) : std::nullopt;
    co_await context_.clock.sleep(at_rest() ? rest_turn : turn);
  }
}

namespace {

Error role_changes() { return {ErrorKind::busy, "the role of the copy changes", "try again in a moment; ccr status shows its state"}; }

}  // namespace

// --- requests --------------------------------------------------------------------------------------------------------------

Task<Result<void>> PassiveCopy::suspend(SuspendRequest request) {
  if (request.comment.size() > storage::CopyState::comment_bytes_max) {
    co_return Error{ErrorKind::usage, "the comment has " + std::to_string(request.comment.size()) + " bytes, at most " +
                                          std::to_string(storage::CopyState::comment_bytes_max) + " are kept", "say it shorter"};
  }
  storage::CopyState& state = keeper_.state();
  if (state.suspended && (request.comment.empty() || state.comment == request.comment)) co_return Result<void>();
  const PersonsWord before(state);
  if (!state.suspended) state.since = context_.clock.wall_now();
  state.suspended = true;
  state.comment = std::move(request.comment);
  state.suspended_by = std::move(request.by);
  CCR_CO_TRY(co_await save_word(keeper_, before));
  const Event event{"suspend_asked", subject_of(database_, context_.config.node), {{"by", state.suspended_by}, {"comment", state.comment}}};
  context_.trace.record(event);
  end_phase();
  while (standing_.state() != State::suspended && standing_.state() != State::failed_and_suspended) {
    if (keeper_.closed()) co_return role_changes();
    co_await changed_.wait();
  }
  co_return Result<void>();
}

// Refused, with nothing changed, where the pages are known or suspected not to be what the log says: replay would go on upon them.
Task<Result<void>> PassiveCopy::resume() {
  storage::CopyState& state = keeper_.state();
  if (!state.suspended && !state.failed) co_return Result<void>();
  CCR_CO_TRY(co_await check_rest());
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  const PersonsWord before(state);
  if (!state.seed.source.empty() && state.pages_at_rest.known() && *facts != state.pages_at_rest) {
    state.seed.from = state.seed.until = Position{};  // what the pass has done is of another file: it begins anew, and reads this one
    state.seed.reread = reopen_ = true;
  }
  state.pages_at_rest = {};
  // Whoever resumes a copy that failed wants it tried again: all passes, not one more verdict on the same pages.
  if (state.failed) state.seed.pass = 0;
  hear_resume(state);
  state.suspended = state.failed = false;
  state.comment.clear();
  state.suspended_by.clear();
  state.cause.clear();
  state.seed.manual_resume = false;
  inspect_tries_ = 0;
  reopen_ = true;  // whoever worked on the file may have put another in its place
  if (beyond_) need_difference(went_back(tip_->durable).message + ", and the copy was resumed behind that");
  CCR_CO_TRY(co_await save_word(keeper_, before));
  end_phase();
  while (standing_.state() == State::suspended || standing_.state() == State::failed_and_suspended) {
    if (keeper_.closed()) co_return role_changes();
    co_await changed_.wait();
  }
  co_return Result<void>();
}

Task<Result<void>> PassiveCopy::seed(SeedRequest request) {
  storage::CopyState& state = keeper_.state();
  if (seeding()) {
    co_return Error{ErrorKind::busy, "a seed of " + subject_of(database_, context_.config.node) + " is running", "it can be attached to"};
  }
  if (!request.over_foreign) {
    const Result<std::uint64_t> foreign = co_await foreign_bytes();
    if (!foreign.ok()) co_return foreign.error();
    if (*foreign > 0) {
      co_return Error{ErrorKind::refused,
                      paths_.page_file + " has " + std::to_string(*foreign) + " bytes that this node knows nothing of; a seed would overwrite them",
                      "move it away; or, where it may be overwritten (a copy that was carried here), add --yes"};
    }
  }
  if (!request.over_foreign && may_be_alone(state))
    co_return Error{ErrorKind::refused, subject_of(database_, context_.config.node) + " was the active copy, and may have commits that " + active_node() + " has not; a seed sets them aside",
                    "where they may be, add --yes; `ccr activate " + database_.name + " --on " + context_.config.node + " --dial force` goes on with them"};
  const Result<bool> doubtful = co_await table_is_doubtful();
  if (!doubtful.ok()) co_return doubtful.error();
  const PersonsWord before(state);
  hear_resume(state);
  state.suspended = state.failed = false;
  state.deposed = storage::Deposed::no;
  state.comment.clear();
  state.suspended_by.clear();
  state.cause.clear();
  state.pages_at_rest = {};
  state.seed = storage::SeedProgress{};
  state.seed.reread = request.reread || *doubtful;
  state.seed.source = request.from.empty() ? active_node() : request.from;
  seed_streams_ = request.streams;
  state.seed.manual_resume = request.manual_resume;
  state.seed.bytes_per_second_max = request.bytes_per_second_max;
  full_ = request.full;
  last_counters_ = {};
  seed_cuts_ = {};
  inspect_tries_ = source_tries_ = 0;
  extents_seen_ = 0;
  difference_reason_.clear();
  reopen_ = true;  // what is at its path now is made equal, and not a file that was moved away
  CCR_CO_TRY(co_await save_word(keeper_, before));
  end_phase();
  co_return Result<void>();
}

Task<Result<std::uint64_t>> PassiveCopy::foreign_bytes() {
  if (keeper_.state().page_size != 0) co_return std::uint64_t{0};  // the copy has a history here: the file is its own
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  co_return facts->bytes;
}

// --- facts -----------------------------------------------------------------------------------------------------------------

transport::Watermarks PassiveCopy::watermarks() const {
  const storage::CopyState& state = keeper_.state();
  transport::Watermarks marks;
  if (files_ && state.min_required.known()) {
    marks.received = files_->log->received();
    marks.durable = files_->log->durable();
    marks.inspected = files_->log->inspected();
    marks.replayed = state.min_required;
    marks.replayed_commit = state.replayed_commit;
  }
  marks.replay_queue_ns = static_cast<std::uint64_t>(replay_wait().count());
  marks.state = name_of(standing_.state());
  marks.cause = standing_.cause();
  marks.hint = standing_.hint();
  if (state.suspended) marks.comment = state.comment;
  marks.root_equal_at = state.root_equal_at;
  marks.root_equal = state.root_equal;
  marks.disk_verified_at = state.disk_verified_at;
  const seed::SeedCounters counters = seed_counters();
  marks.seed_running = seeding();
  marks.seed_sent = counters.counts.extents_sent;
  marks.seed_equal = counters.counts.extents_equal;
  marks.seed_wire_bytes = counters.counts.wire_bytes;
  marks.seed_image_bytes = counters.counts.image_bytes;
  marks.seed_done_bytes = counters.done_bytes;
  marks.seed_total_bytes = counters.total_bytes;
  marks.seed_rate = counters.rate;
  return marks;
}

std::optional<Digest64> PassiveCopy::root() const {
  const storage::CopyState& state = keeper_.state();
  if (!files_ || !state.seeded || state.min_required != state.max_required) return std::nullopt;
  return files_->digests->root();
}

Duration PassiveCopy::lag() const {
  if (!files_) return Duration::zero();
  return tip_times_.waiting(files_->log->durable(), context_.clock.now()).value_or(Duration::zero());
}

Duration PassiveCopy::replay_wait() const {
  return delay_.waiting(keeper_.state().min_required, context_.clock.now()).value_or(Duration::zero());
}

bool PassiveCopy::idle() const {
  return connected_ && tip_ && files_ && files_->log->inspected() >= tip_->durable && keeper_.state().min_required >= tip_->durable;
}

}  // namespace ccr::engine
