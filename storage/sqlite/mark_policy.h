// MarkPolicy decides what is held in the wal-index, and when. Pure: facts and times in, a move out.
//
//   resting    nothing happens, inotify will tell. The anchor stays, or slot 0: how late we wake is nothing to the application, nor to us.
//   idle       at rest for idle_after, and the WAL still has what is not in the file: nothing is held, so that whoever empties the
//              WAL by hand or by night passes at once, also without a busy handler. What was captured needs no hold; who wakes us by his
//              first frame would have to commit, checkpoint and commit again before we look, to reset away what we did not see.
//   following  commits arrive. An anchor is held: no writer can reset the WAL, checkpoints copy it into the file as they like.
//   aside      a checkpoint is bringing everything of a long WAL into the file, and little or nothing is left to capture: nothing is held
//              until it ends or a commit is seen. Whoever checkpoints in his own commit cannot commit meanwhile, and finds the WAL free to be
//              reset by his next.
//   yielding   the WAL is above its limit and no such checkpoint came: nothing is held, for the application to reset it. Ends with the
//              reset, with everything in the file, or 20 ms after the first commit of the gap without either (then other readers hold it
//              back; tried again later).
//
// After a checkpoint, when everything is captured and in the file, slot 0 is held: it lets the next writer reset the WAL, or a TRUNCATE go,
// and still loses nothing: what is committed later cannot be brought into the file, so it cannot be reset away, until it is captured
// under the next anchor. No thread need wake up in time for that. Between the end of a program's checkpoint and its next commit lie some
// ten microseconds, which only the luckiest thread would hit: hence aside. A commit that comes first is seen at the next look, an anchor is
// taken, and what was reset away still lies behind the new frames, which need a whole filling to get there.
// Slot 0 holds back every checkpoint, so a commit must not meet it: the first frame written ends it, and it is not taken again before that
// transaction is published, or has written nothing for settle_pause (it was rolled back, or its sync takes long).
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ccr::storage::sqlite {

// What a session holds in the wal-index (sqlite_session.h).
enum class Hold : std::uint8_t { nothing, anchor, mark, slot_zero };

class MarkPolicy {
 public:
  enum class State : std::uint8_t { resting, idle, following, aside, yielding };
  enum class Move : std::uint8_t { keep, anchor, settle, release };

  static constexpr Duration quiet_max = std::chrono::milliseconds(4);    // without news for so long: rest
  static constexpr Duration idle_after = std::chrono::seconds(1);  // long enough for a program that commits now and then to find the anchor
  static constexpr Duration publish_max = std::chrono::milliseconds(250);  // the same while a transaction is written: its sync comes before its publication
  static constexpr Duration settle_pause = std::chrono::milliseconds(20);  // a TRUNCATE may have to wait for it
  static constexpr std::uint32_t aside_frames_min = 500;  // SQLite's own checkpoints come at 1,000; what empties a short WAL again and again waits for slot 0
  static constexpr Duration yield_max = std::chrono::milliseconds(20);   // of a gap in which commits arrive
  static constexpr Duration yield_pause = std::chrono::milliseconds(250);  // after a gap that brought nothing, or since the last slot 0: a gap is the last resort
  static constexpr Duration follow_poll = std::chrono::milliseconds(1);
  static constexpr Duration free_poll = std::chrono::microseconds(200);  // while nothing is held
  static constexpr Duration running_max = std::chrono::seconds(1);  // a checkpoint that goes on for longer has died
  static constexpr Duration rest_poll = std::chrono::milliseconds(250);

  struct Before {
    Instant now;
    bool wal_written = false;   // inotify saw a write to the WAL
    bool file_written = false;  // and to the file: a checkpoint
    bool moved = false;        // the wal-index is ahead of what is captured
    bool reset = false;        // …and has other salts
    bool fully_backfilled = false;
    Hold hold = Hold::nothing;
  };
  // Before a look is captured: anchor means that another look is needed under it.
  Move before(const Before& facts);

  struct After {
    Instant now;
    std::uint32_t last_frame = 0;
    std::uint32_t backfilled = 0;
    std::uint32_t backfill_attempted = 0;
    bool captured = false;    // nothing was committed since
    bool near = false;        // little was, and the engine takes what we capture
    bool over_limit = false;  // the WAL is above its limit
    Hold hold = Hold::nothing;
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
  bool quiet(Instant now) const noexcept;
  bool checkpoint_runs(Instant now) const noexcept { return backfill_attempted_ > backfilled_ && now - last_checkpoint_ < running_max; }
  void note_checkpoints(const After& facts);

  State state_ = State::resting;
  Instant last_news_;
  bool writing_ = false;  // frames were written that no commit has published yet
  Instant written_at_;    // the last of them
  Instant resting_since_;  // 0: not yet
  Instant gap_since_;    // first commit seen while yielding; 0: none yet
  Instant yield_again_;  // not before
  Instant last_checkpoint_;       // last change of how far checkpoints have come
  std::uint32_t backfilled_ = 0;  // as last seen
  std::uint32_t backfill_attempted_ = 0;
};

}  // namespace ccr::storage::sqlite
