// What an active copy does beside capturing: checkpoints of its digest table, idle rolls, and truncation by its LogKeeper.
#include <algorithm>

#include "base/timeout.h"
#include "base/undo.h"
#include "engine/active_copy.h"
#include "engine/retention.h"

namespace ccr::engine {

Task<Result<void>> ActiveCopy::keep_house() {
  constexpr Duration turn = std::chrono::seconds(1), rest_turn = std::chrono::minutes(2);
  constexpr Duration calm = idle_roll + checkpoint_interval;  // after a commit: then all that follows it is done
  Position saved = keeper_.state().durable;
  storage::BackupMark saved_backup = keeper_.state().backup;
  Position seen = tip_.durable;
  CommitNumber seen_commit = tip_.commit;
  Instant committed_at = context_.clock.now();
  bool gave_back = false;
  for (;;) {
    const auto moves = [&] { return seen != tip_.durable || saved_backup != keeper_.state().backup; };
    const bool rests = !moves() && !log_keeper_.full() && saved == keeper_.state().durable && context_.clock.now() - committed_at > calm;
    if (rests) co_await wait_for(context_.clock, rest_turn, tip_changed_, moves);
    co_await context_.clock.sleep(turn);
    {
      while (writing_) co_await changed_.wait();
      struct Writing {
        ActiveCopy& copy;
        explicit Writing(ActiveCopy& c) : copy(c) { copy.writing_ = true; }
        ~Writing() {
          copy.writing_ = false;
          copy.changed_.notify();
        }
      } writing(*this);
      Result<bool> rolled = false;
      if (holds_ == 0) rolled = co_await log_->roll_if_idle(idle_roll);  // whoever holds waits for others to come to this very end
      if (!rolled.ok()) co_return rolled.error();
      if (*rolled) publish_tip();
      CCR_CO_TRY(check_room());
      const bool still = seen == tip_.durable;
      if (still && !gave_back && replayer_) replayer_->give_back();
      gave_back = still;
      if (seen_commit != tip_.commit) committed_at = context_.clock.now();
      seen = tip_.durable;
      seen_commit = tip_.commit;
      if (context_.clock.now() - checkpoint_time_ >= checkpoint_interval) CCR_CO_TRY(co_await checkpoint());
    }
    if (saved != keeper_.state().durable || saved_backup != keeper_.state().backup) {
      CCR_CO_TRY(co_await keeper_.save());
      saved = keeper_.state().durable;
      saved_backup = keeper_.state().backup;
    }
    const bool was_full = log_keeper_.full().has_value();
    CCR_CO_TRY(co_await log_keeper_.look(*log_));
    if (was_full != log_keeper_.full().has_value()) {
      if (standing_.state() == State::mounted) enter_mounted();
      changed_.notify();
    }
    if (gave_back) overlay_->give_back();
    if (gave_back) CCR_CO_TRY(co_await log_->give_back());
  }
}

// The next generation is written full of zeros before it is needed, so that the sync of a small commit writes no metadata. Where log comes so
// fast that a generation is full at once, it would only be written twice. A failure is no news here: the log meets it when it rolls.
Task<Result<void>> ActiveCopy::prepare_log() {
  constexpr Duration calm = std::chrono::milliseconds(250);
  Generation open = log_->open_generation();
  Instant since = context_.clock.now();
  for (;;) {
    co_await tip_changed_.wait();
    if (log_->open_generation() != open) {
      open = log_->open_generation();
      since = context_.clock.now();
    }
    if (context_.clock.now() - since >= calm && !log_->failed()) static_cast<void>(co_await log_->prepare());
  }
}

// An active SQLite copy has no page writes of its own: its redo is the digest table. A page store's replayer keeps the range itself.
Task<Result<void>> ActiveCopy::checkpoint() {
  if (store_ != nullptr || comparing_ != Comparing::no || !digests_whole_ || checkpoint_at_ == tip_.durable) co_return Result<void>();
  const Position position = tip_.durable;
  const CommitNumber commit = tip_.commit;
  CCR_CO_TRY(co_await digests_->flush());
  keeper_.state().min_required = position;
  keeper_.state().max_required = std::max(position, keeper_.state().max_required);
  keeper_.state().replayed_commit = commit;
  CCR_CO_TRY(co_await keeper_.save());
  checkpoint_at_ = position;
  checkpoint_time_ = context_.clock.now();
  co_return Result<void>();
}

Task<Result<void>> ActiveCopy::close_books() {
  while (writing_) co_await changed_.wait();
  if (!comparable()) co_return Error{ErrorKind::busy, "the pages of " + paths_.page_file + " are being compared", "try again when ccr status shows its root"};
  writing_ = true;
  const Undo done([this] {
    writing_ = false;
    changed_.notify();
  });
  checkpoint_at_ = Position{};  // also where nothing came since the last one
  co_return co_await checkpoint();
}

void ActiveCopy::note_backup(const storage::BackupMark& mark) {
  if (mark.at <= tip_.durable && take_backup_mark(keeper_.state(), mark)) tip_changed_.notify();
}

}  // namespace ccr::engine
