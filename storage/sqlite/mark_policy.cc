#include "storage/sqlite/mark_policy.h"

namespace ccr::storage::sqlite {

MarkPolicy::Move MarkPolicy::before(const Before& facts) {
  if (facts.wal_written || facts.moved) last_news_ = facts.now;
  switch (state_) {
    case State::resting:
      if (!facts.wal_written && !facts.moved) return Move::keep;
      state_ = State::following;
      return Move::hand_over;
    case State::following:
      return facts.moved ? Move::hand_over : Move::keep;
    case State::yielding:
      break;
  }
  if (facts.reset || facts.fully_backfilled) {
    state_ = State::following;
    return Move::hand_over;
  }
  if (facts.moved && gap_since_.nanoseconds == 0) gap_since_ = facts.now;
  if (gap_since_.nanoseconds != 0 && facts.now - gap_since_ >= yield_max) {
    state_ = State::following;
    due_frame_ = 0;  // the application checkpoints elsewhere, or others hold it back
    yield_again_ = facts.now + yield_pause;
    return Move::hand_over;
  }
  return Move::keep;
}

bool MarkPolicy::checkpoint_is_due(const After& facts) {
  const bool held_back = facts.backfilled > 0 && facts.backfilled < facts.last_frame;
  if (held_back && due_frame_ == 0) due_frame_ = facts.backfilled;
  if (held_back || facts.over_limit) return true;
  return due_frame_ != 0 && facts.last_frame >= due_frame_ - due_frame_ / 16;
}

MarkPolicy::Move MarkPolicy::after(const After& facts) {
  if (state_ == State::yielding) {
    if (!facts.marked) return Move::keep;
    if (facts.near) return Move::release;
    state_ = State::following;  // too far behind to be without a mark
  }
  if (facts.captured && facts.backfilled == facts.last_frame) {
    if (state_ == State::following && quiet(facts.now)) state_ = State::resting;
    return facts.in_slot_zero ? Move::keep : Move::hand_over;
  }
  if (state_ == State::following) {
    if (facts.near && facts.now >= yield_again_ && checkpoint_is_due(facts)) {
      state_ = State::yielding;
      gap_since_ = {};
      return Move::release;
    }
    if (!facts.captured || !quiet(facts.now)) return Move::keep;
    state_ = State::resting;
  }
  return facts.marked && facts.captured ? Move::release : Move::keep;
}

void MarkPolicy::touched(Instant now) {
  if (state_ == State::resting) state_ = State::following;
  last_news_ = now;
}

Duration MarkPolicy::poll(Instant now) const noexcept {
  if (listens(now)) return rest_poll;
  return state_ == State::yielding ? yield_poll : follow_poll;
}

bool MarkPolicy::listens(Instant now) const noexcept {
  return state_ == State::resting || (state_ == State::yielding && quiet(now));
}

}  // namespace ccr::storage::sqlite
