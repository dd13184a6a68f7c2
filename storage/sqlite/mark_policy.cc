#include "storage/sqlite/mark_policy.h"

namespace ccr::storage::sqlite {

bool MarkPolicy::quiet(Instant now) const noexcept {
  return now - last_news_ >= (writing_ ? publish_max : quiet_max) && !checkpoint_runs(now);
}

MarkPolicy::Move MarkPolicy::before(const Before& facts) {
  const bool news = facts.wal_written || facts.moved;
  if (state_ == State::idle && !news) return Move::keep;  // a checkpoint that brings into the file what is captured is nothing to us
  if (news || facts.file_written) last_news_ = facts.now;
  if (news) writing_ = !facts.moved;
  if (news) written_at_ = facts.now;
  if (state_ == State::aside && !facts.moved) return Move::keep;
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
  backfilled_ = facts.backfilled;
  backfill_attempted_ = facts.backfill_attempted;
}

MarkPolicy::Move MarkPolicy::after(const After& facts) {
  note_checkpoints(facts);
  const bool settled = facts.hold == Hold::slot_zero;
  if (settled) yield_again_ = facts.now + yield_pause;
  if (state_ == State::yielding) {
    if (facts.hold == Hold::nothing) return Move::keep;
    if (facts.near) return Move::release;
    state_ = State::following;  // too far behind to hold nothing
  }
  const bool all_in_file = facts.captured && facts.backfilled == facts.last_frame;
  if (state_ == State::idle && facts.captured) {
    if (all_in_file) return settled ? Move::keep : Move::settle;
    return facts.hold == Hold::nothing ? Move::keep : Move::release;
  }
  if (state_ == State::idle) state_ = State::following;
  const bool all_on_its_way =
      facts.near && facts.last_frame >= aside_frames_min && facts.backfill_attempted == facts.last_frame && checkpoint_runs(facts.now);
  if (state_ == State::aside && all_on_its_way && facts.hold == Hold::nothing) return Move::keep;
  if (state_ == State::aside) state_ = State::following;
  if (all_in_file && !settled && !(writing_ && facts.now - written_at_ < settle_pause)) return Move::settle;
  if (facts.captured && quiet(facts.now)) {
    if (state_ != State::resting || resting_since_.nanoseconds == 0) resting_since_ = facts.now;
    state_ = State::resting;
  }
  if (all_in_file && settled) return Move::keep;
  if (all_on_its_way && !all_in_file) {
    state_ = State::aside;
    return Move::release;
  }
  if (state_ == State::resting && facts.captured && facts.now - resting_since_ >= idle_after) {
    state_ = State::idle;
    return facts.hold == Hold::nothing ? Move::keep : Move::release;
  }
  if (state_ == State::following && facts.near && facts.over_limit && facts.now >= yield_again_) {
    state_ = State::yielding;
    gap_since_ = {};
    return Move::release;
  }
  return facts.hold == Hold::anchor ? Move::keep : Move::anchor;
}

void MarkPolicy::touched(Instant now) {
  if (state_ == State::resting || state_ == State::idle) state_ = State::following;
  last_news_ = now;
}

Duration MarkPolicy::poll(Instant now) const noexcept {
  if (listens(now)) return rest_poll;
  return state_ == State::aside || state_ == State::yielding ? free_poll : follow_poll;
}

bool MarkPolicy::listens(Instant now) const noexcept {
  return state_ == State::resting || state_ == State::idle || (state_ == State::yielding && quiet(now));
}

}  // namespace ccr::storage::sqlite
