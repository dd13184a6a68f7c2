// MarkPolicy decides when a read mark is taken, moved and dropped. Pure: facts and times in, a move out.
//
//   resting    nothing happens. No mark, or one in slot 0 (below).
//   following  commits arrive: each turn takes a new mark, reads to it and drops the old one, hand over hand.
//   yielding   everything is captured and a checkpoint is held back by us, or the WAL is above its limit: no mark at all, so that the
//              application's own checkpoint completes and its next write resets the WAL. Ends with the reset, with everything in the
//              file, or 20 ms after the first commit of the gap without either (then other readers hold it back; tried again later).
//
// Slot 0: when a checkpoint has brought the whole WAL into the file, a new mark lands in slot 0, which holds back no reset and no
// TRUNCATE, only the backfill of commits that come later, that is, of those we have not read yet. So moving to it when everything is in the
// file lets a waiting TRUNCATE go at once and still loses nothing.
// The 1000 frames of an autocheckpoint are reached again and again: from the frame where one was first held back (learned in each
// filling) the next fillings are yielded a little before, so that the writer's checkpoint finds the way free.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ccr::storage::sqlite {

class MarkPolicy {
 public:
  enum class State : std::uint8_t { resting, following, yielding };
  enum class Move : std::uint8_t { keep, hand_over, release };

  static constexpr Duration quiet_max = std::chrono::milliseconds(4);    // without news for so long: rest
  static constexpr Duration yield_max = std::chrono::milliseconds(20);   // of a gap in which commits arrive
  static constexpr Duration yield_pause = std::chrono::milliseconds(250);  // after a gap that brought nothing
  static constexpr Duration follow_poll = std::chrono::milliseconds(1);
  static constexpr Duration yield_poll = std::chrono::microseconds(200);
  static constexpr Duration rest_poll = std::chrono::milliseconds(250);

  struct Before {
    Instant now;
    bool wal_written = false;  // inotify saw a write to the WAL
    bool moved = false;        // the wal-index is ahead of what is captured
    bool reset = false;        // …and has other salts
    bool fully_backfilled = false;
  };
  // Before a look is captured: hand_over takes the mark that it is read under.
  Move before(const Before& facts);

  struct After {
    Instant now;
    std::uint32_t last_frame = 0;
    std::uint32_t backfilled = 0;
    bool captured = false;    // nothing was committed since
    bool near = false;        // little was, and the engine takes what we capture
    bool over_limit = false;  // the WAL is above its limit
    bool marked = false;
    bool in_slot_zero = false;
  };
  // After everything of a look is captured; the facts are those of another look after that.
  Move after(const After& facts);

  // A page read or a catch-up needs a mark at any time; it counts as news.
  void touched(Instant now);

  State state() const noexcept { return state_; }
  bool gap_under_way() const noexcept { return state_ == State::yielding && gap_since_.nanoseconds != 0; }
  Duration poll(Instant now) const noexcept;
  bool listens(Instant now) const noexcept;  // whether inotify should wake us: not while we poll faster than it helps

 private:
  bool quiet(Instant now) const noexcept { return now - last_news_ >= quiet_max; }
  bool checkpoint_is_due(const After& facts);

  State state_ = State::resting;
  Instant last_news_;
  Instant gap_since_;       // first commit seen while yielding; 0: none yet
  Instant yield_again_;     // not before
  std::uint32_t due_frame_ = 0;  // where the application's checkpoint is expected; 0: not known
};

}  // namespace ccr::storage::sqlite
