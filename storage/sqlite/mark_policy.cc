#include "storage/sqlite/mark_policy.h"

namespace ccr::storage::sqlite {

bool MarkPolicy::quiet(Instant now) const noexcept {
  return now - last_news_ >= quiet_max && !checkpoint_runs(now);
}

bool MarkPolicy::watches_checkpoint(Instant now) const noexcept {
  if (state_ != State::following || settled_ || !checkpoint_runs(now)) return false;
  const Duration took = checkpoint_took_[checkpoint_size_];
  const Duration runs = now - checkpoint_since_;
  return runs >= took - took / 4 && runs < took + took / 4 + watch_max;
}

MarkPolicy::Move MarkPolicy::before(const Before& facts) {
  const bool news = facts.wal_written || facts.moved;
  if (news || facts.file_written) last_news_ = facts.now;
  if (state_ == State::yielding) {
    if (facts.moved && gap_since_.nanoseconds == 0) gap_since_ = facts.now;
    const bool too_long = gap_since_.nanoseconds != 0 && facts.now - gap_since_ >= yield_max;
    if (!facts.reset && !facts.fully_backfilled && !too_long) return Move::keep;
    if (too_long) yield_again_ = facts.now + yield_pause;
    state_ = State::following;
    return Move::anchor;
  }
  if (news || facts.file_written) state_ = State::following;
  if (!news) return Move::keep;
  return facts.hold == Hold::anchor ? Move::keep : Move::anchor;
}

void MarkPolicy::note_checkpoints(const After& facts) {
  const bool changed = facts.backfilled != backfilled_ || facts.backfill_attempted != backfill_attempted_;
  if (changed && facts.backfill_attempted != 0) last_checkpoint_ = facts.now;
  if (facts.backfill_attempted > facts.backfilled && facts.backfill_attempted != backfill_attempted_) {
    checkpoint_since_ = facts.now;
    checkpoint_size_ = facts.backfill_attempted - facts.backfilled > many_frames ? 1 : 0;
  }
  if (facts.backfilled != backfilled_ && facts.backfilled == backfill_attempted_) {
    checkpoint_took_[checkpoint_size_] = facts.now - checkpoint_since_;
  }
  if (backfilled_ == 0 && facts.backfilled != 0) due_frame_ = facts.backfilled;
  backfilled_ = facts.backfilled;
  backfill_attempted_ = facts.backfill_attempted;
  const std::uint32_t margin = due_frame_ / 8;  // some milliseconds of a fast writer
  due_ = due_frame_ != 0 && facts.last_frame >= due_frame_ - margin && facts.last_frame <= due_frame_ + margin;
}

MarkPolicy::Move MarkPolicy::after(const After& facts) {
  note_checkpoints(facts);
  settled_ = facts.hold == Hold::slot_zero;
  if (settled_) yield_again_ = facts.now + yield_pause;
  if (state_ == State::yielding) {
    if (facts.hold == Hold::nothing) return Move::keep;
    if (facts.near) return Move::release;
    state_ = State::following;  // too far behind to hold nothing
  }
  const bool can_settle = facts.captured && facts.backfilled == facts.last_frame;
  if (can_settle && !settled_) return Move::settle;
  if (facts.captured && quiet(facts.now)) state_ = State::resting;
  if (can_settle) return Move::keep;
  if (state_ == State::following && facts.near && facts.over_limit && facts.now >= yield_again_) {
    state_ = State::yielding;
    gap_since_ = {};
    return Move::release;
  }
  return facts.hold == Hold::anchor ? Move::keep : Move::anchor;
}

void MarkPolicy::touched(Instant now) {
  if (state_ == State::resting) state_ = State::following;
  last_news_ = now;
}

Duration MarkPolicy::poll(Instant now) const noexcept {
  if (listens(now)) return rest_poll;
  if (state_ == State::yielding) return yield_poll;
  const bool checkpoints = backfill_attempted_ != 0 && now - last_checkpoint_ < hot_max;
  return !quiet(now) && !settled_ && (due_ || checkpoints) ? hot_poll : follow_poll;
}

bool MarkPolicy::listens(Instant now) const noexcept {
  return state_ == State::resting || (state_ == State::yielding && quiet(now));
}

}  // namespace ccr::storage::sqlite
