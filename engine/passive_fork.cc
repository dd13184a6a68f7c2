// How a passive copy leaves a history that is not its active one's: what is behind the fork is kept aside, and only what differs comes.
#include <algorithm>
#include <utility>

#include "engine/passive_copy.h"
#include "engine/passive_files.h"
#include "engine/retention.h"
#include "engine/role.h"
#include "storage/log_handover.h"

namespace ccr::engine {

// The log here took another way than the active's, or went further. The phase ends, and leave_fork() follows.
void PassiveCopy::meet_fork(const transport::Welcome& welcome) {
  fork_ = welcome.fork;
  const std::string where = fork_->number != 0 ? "at generation " + to_text(*fork_) : "at a generation that " + active_node() + " does not hold";
  difference_reason_ = "the histories fork " + where + "; the log here goes to " + to_text(files_->log->wanted()) + ", that of " + active_node() +
                       " to " + to_text(welcome.durable);
  const Event event{"fork", subject_of(database_, context_.config.node),
                    {{"from", to_text(*fork_)}, {"here", to_text(files_->log->wanted())}, {"there", to_text(welcome.durable)}, {"epoch", std::to_string(welcome.epoch)}}};
  context_.trace.record(event);
  end_phase();
}

// A page store acknowledged what is here and is not there any more: this may be the only copy of it, and no log of it is given up unasked.
Error PassiveCopy::went_back(Position there) const {
  const std::string active = subject_of(database_, active_node()), here = subject_of(database_, context_.config.node);
  return {ErrorKind::refused, active + " went back: its log ends at " + to_text(there) + ", and " + here + " has it to " + to_text(files_->log->wanted()),
          "`ccr activate " + database_.name + " --on " + context_.config.node + "` goes on with what is here; `ccr activate " + database_.name + " --on " +
              active_node() + " --dial force` with what is there"};
}

// A suspended copy hears that its active one ends before it, as behind a restore: it says so, and whoever resumes it then wants what is there.
void PassiveCopy::note_went_back() {
  const storage::CopyState& state = keeper_.state();
  const bool rests = standing_.state() == State::suspended && state.seeded && files_ != nullptr && database_.kind == DatabaseKind::pages;
  const bool beyond = rests && storage::end_of_block(tip_->durable) < files_->log->durable() && state.epoch == files_->log->epoch();
  if (std::exchange(beyond_, beyond) != beyond) standing_.enter(standing_.state(), resting_cause(), resting_hint());
}

std::string PassiveCopy::forked_hint() const {
  const std::string& own = context_.config.node;
  return "`ccr resume " + subject_of(database_, own) + "` sets them aside and takes the log of " + active_node() + "; `ccr activate " + database_.name + " --on " + own +
         " --dial force` takes these, and those of " + active_node() + " are set aside";
}

// What lies behind the fork goes to quarantine/. Where nothing of it came into the pages, the other history's log is all that is missing.
Task<Result<void>> PassiveCopy::leave_fork() {
  if (!fork_ || !files_) co_return Result<void>();  // files that are opened again are compared again
  const Generation fork = *std::exchange(fork_, std::nullopt);
  storage::CopyState& state = keeper_.state();
  cut_backup_mark(state, fork.number != 0 ? Position::start_of(fork) : Position{});
  if (state.deposed == storage::Deposed::by_force) {
    const std::string how = state.forced ? " was activated by force in epoch " : " went on without hearing how far this copy is, in epoch ";
    co_return co_await fail_for_good(forked_cause + active_node() + how + std::to_string(state.epoch) + ", and this copy has commits that it has not; " + difference_reason_, forked_hint());
  }
  if (!state.seeded || fork.number == 0 || state.max_required > Position::start_of(fork)) {
    need_difference(difference_reason_);
    co_return Result<void>();
  }
  const Result<void> room = co_await storage::check_quarantine(context_.disk, paths_.log_directory, fork);
  if (!room.ok() && room.error().kind == ErrorKind::full) co_return co_await quarantine_full(room.error());
  if (!room.ok()) co_return room.error();
  state.durable = Position{};  // before the log goes: one shorter than this would be damage at the next start
  forget_log_times();
  CCR_CO_TRY(co_await keeper_.save());
  tell_aside(fork, difference_reason_);
  co_return co_await files_->log->set_aside(fork);
}

// What this node wrote itself while the copy was the active one.
Task<Result<void>> PassiveCopy::take_own_log() {
  storage::CopyState& state = keeper_.state();
  storage::RecoveryOptions options;
  options.directory = {paths_.log_directory, state.signature, state.page_size};
  options.header = {state.epoch, database_.generation_bytes, context_.clock.wall_now()};
  options.proven = state.durable;
  const storage::LogDirectory directory = options.directory;
  const Result<std::optional<Position>> end = co_await storage::recover_written_log(context_.disk, options);
  if (!end.ok()) co_return end.error();
  if (*end) {
    // The table of pages was ahead of the pages, to here at most.
    state.durable = **end;
    state.max_required = std::max(state.max_required, **end);
    CCR_CO_TRY(co_await keeper_.save());
  }
  co_return co_await storage::give_written_log(context_.disk, directory);
}

Task<Result<void>> PassiveCopy::prepare(Epoch epoch, Position cut, bool whole) {
  keeper_.state().prepared = epoch;
  keeper_.state().prepared_whole = whole;
  keeper_.state().cut = cut;
  CCR_CO_TRY(co_await keeper_.save());
  pace_replay();
  co_return Result<void>();
}

// The copy was, or will be, something else meanwhile: the next life begins with what is on the disk.
Task<void> PassiveCopy::leave() {
  CCR_ASSERT(phase_ == nullptr);
  files_.reset();
  opened_ = false;
  changed_.notify();
  co_await keeper_.close();
  opened_ = reopen_ = full_ = beyond_ = false;
  fork_.reset();
  tip_.reset();
  tip_times_.clear();
  delay_.clear();
  at_once_until_ = {};
  stop_ = {};
  difference_reason_.clear();
  quarantine_.reset();
  changed_.notify();
}

void PassiveCopy::tell_aside(Generation from, const std::string& cause) {
  const Position end = files_->log->wanted();
  if (from > end.generation || (from == end.generation && end.offset == 0)) return;  // there is nothing
  const Event event{"generations_set_aside", subject_of(database_, context_.config.node),
                    {{"from", to_text(from)}, {"to", to_text(end)}, {"cause", cause}}};
  context_.trace.record(event);
}

}  // namespace ccr::engine
