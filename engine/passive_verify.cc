// Verification: both page files are read against their digests, then the roots are compared as of one position.
#include <algorithm>
#include <utility>

#include "base/timeout.h"
#include "engine/file_place.h"
#include "engine/passive_copy.h"
#include "engine/passive_files.h"
#include "engine/role.h"
#include "seed/seed_verify.h"
#include "storage/disk_verifier.h"

namespace ccr::engine {

Task<Result<VerifyReport>> PassiveCopy::verify(VerifyRequest request, VerifyWatch& watch) {
  const storage::CopyState& state = keeper_.state();
  if (!files_ || !state.seeded) {
    co_return Error{ErrorKind::refused, subject_of(database_, context_.config.node) + " is not seeded: there is nothing to verify",
                    "ccr seed " + subject_of(database_, context_.config.node)};
  }
  if (verifying_) co_return Error{ErrorKind::busy, "a verification of " + subject_of(database_, context_.config.node) + " is running", "ccr verify " + subject_of(database_, context_.config.node) + " attaches to it"};
  struct Verifying {
    PassiveCopy& copy;
    explicit Verifying(PassiveCopy& c) : copy(c) { copy.verifying_ = true; }
    ~Verifying() { copy.verifying_ = false; }
  } verifying(*this);
  CCR_CO_TRY(co_await check_place());
  CCR_CO_TRY(co_await check_beside(context_.disk, subject_of(database_, context_.config.node), paths_.page_file));
  VerifyReport report;
  CCR_CO_TRY(co_await verify_disk(request, report, watch));
  if (report.differing_total <= Scrub::pages_rotten_max) report.repaired = co_await scrub_.mend(report.differing);
  CCR_CO_TRY(co_await verify_active(request, report, watch));
  CCR_CO_TRY(co_await verify_roots(report));
  CCR_CO_TRY(co_await judge_verification(report));
  const Event event{"verified",
                    subject_of(database_, context_.config.node),
                    {{"equal", report.equal() ? "true" : "false"}, {"differing", std::to_string(report.differing_total)},
                     {"repaired", std::to_string(report.repaired.size())},
                     {"active_differing", std::to_string(report.active_differing_total)}}};
  context_.trace.record(event);
  co_return std::move(report);
}

// What was found becomes durable and is shown, whoever asked: damage here is this copy's state; of damage there the active copy knows by
// itself, and only the proof of both sides is gone.
Task<Result<void>> PassiveCopy::judge_verification(const VerifyReport& report) {
  storage::CopyState& state = keeper_.state();
  const bool sound = report.left() == 0;
  if (sound && report.roots_equal) state.disk_verified_at = context_.clock.wall_now();
  if (!sound || report.active_differing_total > 0) state.disk_verified_at = WallTime{};
  standing_.told_more();
  changed_.notify();
  if (sound && state.suspended && state.seeded) {
    const Result<storage::FileFacts> facts = co_await page_file_facts();
    if (!facts.ok()) co_return facts.error();
    state.pages_at_rest = *facts;  // whoever touched it left it as it should be
  }
  if (sound && state.damaged_pages > 0) {
    state.damaged_pages = 0;  // made right by hand
    if (state.suspended) standing_.enter(standing_.state(), resting_cause(), resting_hint());
  }
  if (sound) co_return co_await keeper_.save();
  state.damaged_pages = report.left();
  const auto rotten = std::mismatch(report.differing.begin(), report.differing.end(), report.repaired.begin(), report.repaired.end()).first;
  CCR_ASSERT(rotten != report.differing.end());
  std::string cause = "PAGE: " + std::to_string(report.left()) + " of " + std::to_string(report.pages_checked) + " pages of " +
                      paths_.page_file + " are not what the log says, the first is page " + std::to_string(*rotten);
  if (!state.suspended) co_return co_await fail_for_good(std::move(cause), resting_hint());
  state.cause = std::move(cause);
  CCR_CO_TRY(co_await keeper_.save());
  standing_.enter(standing_.state(), resting_cause(), resting_hint());
  changed_.notify();
  co_return Result<void>();
}

// Proven is the file that applications would open, and not one that was moved away or deleted while we have it open.
Task<Result<void>> PassiveCopy::check_place() {
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  if (facts->inode == opened_inode_) co_return Result<void>();
  const std::string subject = subject_of(database_, context_.config.node);
  const std::string cause = "PAGE: " + paths_.page_file + (facts->known() ? " is another file than" : " is gone; it was") + " the one that ccr has open";
  if (!keeper_.state().suspended) {
    reopen_ = true;
    forget_proofs();  // whatever is at its path now, nobody knows what is in it
    CCR_CO_TRY(co_await fail_for_good(cause, seed_hint()));
  }
  co_return Error{ErrorKind::corrupt, subject + ": " + cause, "ccr seed " + subject};
}

Task<Result<storage::FileFacts>> PassiveCopy::page_file_facts() { return facts_at(context_.disk, paths_.page_file); }

State PassiveCopy::resting_state() const {
  if (keeper_.state().suspended) return State::suspended;
  return keeper_.state().failed ? State::failed_and_suspended : State::needs_seed;
}

std::string PassiveCopy::resting_cause() const {
  const storage::CopyState& state = keeper_.state();
  if (!state.suspended) return state.failed ? state.cause : "";
  const std::string by = state.suspended_by.empty() ? "" : "by " + state.suspended_by;
  const bool asks = state.damaged_pages > 0 || waits_forked(state);
  if (!asks && !beyond_) return by;
  return (asks ? state.cause : went_back(tip_->durable).message) + (by.empty() ? "" : "; suspended " + by);
}

std::string PassiveCopy::resting_hint() const {
  if (beyond_ && keeper_.state().damaged_pages == 0)
    return "`ccr resume " + subject_of(database_, context_.config.node) + "` sets aside what " + active_node() + " has not, and follows it; `ccr activate " +
           database_.name + " --on " + context_.config.node + "` goes on with what is here";
  if (waits_forked(keeper_.state())) return forked_hint();
  if (keeper_.state().suspended && keeper_.state().damaged_pages == 0) return "ccr resume " + subject_of(database_, context_.config.node);
  return seed_hint();
}

std::string PassiveCopy::seed_hint() const {
  const std::string subject = subject_of(database_, context_.config.node);
  return may_be_alone(keeper_.state()) ? "`ccr seed " + subject + " --yes` also sets aside what this copy, the active one before, alone may have" : "ccr seed " + subject;
}

// A whole copy was suspended: nobody should write its file until it is resumed.
Task<Result<void>> PassiveCopy::note_rest() {
  storage::CopyState& state = keeper_.state();
  const bool has_pages = state.seeded || state.seed.from.known();
  if (!state.suspended || !has_pages || state.pages_at_rest.known()) co_return Result<void>();
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  state.pages_at_rest = *facts;
  co_return co_await keeper_.save();
}

Task<Result<void>> PassiveCopy::check_rest() {
  const storage::CopyState& state = keeper_.state();
  const std::string subject = subject_of(database_, context_.config.node);
  if (!state.seed.source.empty()) co_return Result<void>();  // its pages are being made right
  if (state.damaged_pages > 0) co_return Error{ErrorKind::corrupt, subject + ": " + state.cause, seed_hint()};
  CCR_CO_TRY(co_await check_beside(context_.disk, subject_of(database_, context_.config.node), paths_.page_file));
  if (!state.pages_at_rest.known()) co_return Result<void>();
  const Result<storage::FileFacts> facts = co_await page_file_facts();
  if (!facts.ok()) co_return facts.error();
  if (*facts == state.pages_at_rest) co_return Result<void>();
  std::string what = "its time of change";
  if (facts->inode != state.pages_at_rest.inode) what = "another file is there, or none";
  else if (facts->bytes != state.pages_at_rest.bytes) what = "it had " + std::to_string(state.pages_at_rest.bytes) + " bytes and has " + std::to_string(facts->bytes);
  co_return Error{ErrorKind::corrupt, subject + ": " + paths_.page_file + " was changed by somebody while the copy was suspended (" + what + ")",
                  "ccr seed " + subject + " makes it right; ccr verify " + subject + " finds whether a page differs"};
}

bool PassiveCopy::is_source() const { return files_ && standing_.state() == State::healthy && keeper_.state().seeded; }

void PassiveCopy::hurry() {
  if (files_ && files_->replayer) files_->replayer->hurry();
}

Task<Result<PagesHeld>> PassiveCopy::hold_pages() {
  if (!files_ || !keeper_.state().seeded) {
    co_return Error{ErrorKind::refused, "the copy is being made anew", "wait until it is healthy, then verify again"};
  }
  const std::shared_ptr<PassiveFiles> files = files_;
  const std::shared_ptr<Replayer> replayer = files->replayer;
  constexpr Duration redo_wait_max = std::chrono::seconds(10);
  for (int holds = 0; replayer && holds < 2; ++holds) {
    co_await replayer->hold();
    PagesHeld held(files, replayer);
    if (replayer->exact()) co_return std::move(held);
    held = PagesHeld();
    const auto redone = [replayer, ahead = replayer->doubtful()] { return replayer->position() >= ahead; };
    co_await wait_for(context_.clock, redo_wait_max, replayer->changed(), redone);
  }
  if (!replayer && keeper_.state().min_required == keeper_.state().max_required) co_return PagesHeld(files, replayer);
  co_return Error{ErrorKind::busy, subject_of(database_, context_.config.node) + ": a crash left pages ahead of the log that is replayed now", "once more when it is healthy"};
}

Task<Result<void>> PassiveCopy::verify_disk(VerifyRequest request, VerifyReport& report, VerifyWatch& watch) {
  storage::DiskVerifier::Options options;
  options.bytes_per_second = request.bytes_per_second_max;
  const std::shared_ptr<PassiveFiles> files = files_;
  storage::DiskVerifier verifier(context_.clock, *files->pages, *files->digests, options);
  PagesHeld held;
  storage::DiskVerifier::Hold hold;
  hold.acquire = [this, &files, &held, &verifier, &watch]() -> Task<Result<void>> {
    if (files_ != files) {
      Error closed{ErrorKind::busy, "the copy's files were opened again meanwhile", "verify again"};
      co_return closed;
    }
    watch.done_bytes = verifier.progress().bytes_read;
    watch.total_bytes = std::uint64_t(files_->pages->page_count()) * files_->pages->page_size();
    Result<PagesHeld> now = co_await hold_pages();
    if (!now.ok()) co_return now.error();
    held = std::move(*now);
    co_return Result<void>();
  };
  hold.release = [&held] { const PagesHeld over = std::move(held); };
  CCR_CO_TRY(co_await verifier.run(hold));
  report.pages_checked = verifier.progress().pages_checked;
  report.differing_total = verifier.progress().pages_differing;
  report.differing = verifier.progress().differing;
  watch.done_bytes = verifier.progress().bytes_read;
  co_return Result<void>();
}

Task<Result<void>> PassiveCopy::verify_active(VerifyRequest request, VerifyReport& report, VerifyWatch& watch) {
  watch.phase = "active";
  transport::Hello hello = hello_about(transport::Purpose::seed, database_, keeper_.state().signature, keeper_.state().epoch);
  Result<PeerSession> session = co_await connect_to_active(context_, active_node(), std::move(hello));
  if (!session.ok()) co_return session.error();
  seed::VerifyOptions options;
  options.page_size = keeper_.state().page_size;
  options.bytes_per_second = request.bytes_per_second_max;
  options.progress = [&watch](std::uint64_t done_bytes, std::uint64_t total_bytes) {
    watch.done_bytes = done_bytes;
    watch.total_bytes = total_bytes;
  };
  const Result<seed::VerifyReport> verified = co_await seed::verify_extents(context_.clock, *session->connection, std::move(options));
  if (!verified.ok()) co_return verified.error();
  report.active_pages_checked = verified->pages;
  report.active_differing_total = verified->differing;
  report.active_differing = verified->first_differing;
  co_return Result<void>();
}

// A proof at or after where the active copy stands now; a suspended copy is compared where it rests, by its last proof. One that is delayed will
// not come there for long, and its delay is not given up for a proof: its last one counts, and the report says as of where it is.
Task<Result<void>> PassiveCopy::verify_roots(VerifyReport& report) {
  const storage::CopyState& state = keeper_.state();
  constexpr Duration patience = std::chrono::seconds(60);
  const Instant end = context_.clock.now() + patience;
  const Position start = tip_ ? tip_->durable : state.min_required;
  while (!(state.root_equal_at >= start && state.root_equal_at.known())) {
    if (state.suspended || state.failed) break;
    if (held() && state.root_equal_at.known()) break;
    if (!state.seeded) break;  // the roots differed: a difference is on its way
    if (context_.clock.now() >= end) {
      co_return Error{ErrorKind::timeout, "no root was compared at or after " + to_text(start) + " within 60 s",
                       held() ? "the copy is delayed by replay_lag: verify again when status shows its first root" : "ccr status " + database_.name};
    }
    constexpr Duration turn = std::chrono::milliseconds(50);
    co_await context_.clock.sleep(turn);
  }
  report.position = state.root_equal_at;
  report.root = state.root_equal;
  const bool rests = state.suspended || state.failed;
  const bool proven_here = rests ? state.root_equal_at == state.min_required : held() || state.root_equal_at >= start;
  report.roots_equal = state.root_equal_at.known() && state.seeded && proven_here;
  co_return Result<void>();
}

}  // namespace ccr::engine
