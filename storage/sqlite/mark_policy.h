// MarkPolicy decides what is held in the wal-index, and when. Pure: facts and times in, a move out.
//
//   resting    nothing happens, inotify will tell. The anchor stays, or slot 0: how late we wake is nothing to the application, nor to us.
//   following  commits arrive. An anchor is held: no writer can reset the WAL, checkpoints copy it into the file as they like.
//   yielding   the WAL is above its limit and no moment for slot 0 could be had: nothing is held, for the application to reset it. Ends with the
//              reset, with everything in the file, or 20 ms after the first commit of the gap without either (then other readers hold it
//              back; tried again later).
//
// The moment for slot 0: everything is captured, and a checkpoint has brought everything into the file. Whoever holds slot 0 from
// then on lets the next writer reset the WAL (or a waiting TRUNCATE go) and still loses nothing: what is committed later cannot be
// brought into the file, so it cannot be reset away, until it is captured under the next anchor. No thread need wake up in time for that.
// A TRUNCATE that finds the anchor has copied the WAL first: its writes to the file wake us.
// A writer at full speed reaches that moment only between its checkpoint and its next commit, some ten microseconds: so around the frame at
// which its checkpoints come (learned), and while they come, we look often. Each miss costs it a checkpoint of one commit.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ccr::storage::sqlite {

// What a session holds in the wal-index (sqlite_session.h).
enum class Hold : std::uint8_t { nothing, anchor, mark, slot_zero };

class MarkPolicy {
 public:
  enum class State : std::uint8_t { resting, following, yielding };
  enum class Move : std::uint8_t { keep, anchor, settle, release };

  static constexpr Duration quiet_max = std::chrono::milliseconds(4);    // without news for so long: rest
  static constexpr Duration yield_max = std::chrono::milliseconds(20);   // of a gap in which commits arrive
  static constexpr Duration yield_pause = std::chrono::milliseconds(250);  // after a gap that brought nothing, or since the last slot 0: a gap is the last resort
  static constexpr Duration follow_poll = std::chrono::milliseconds(1);
  static constexpr Duration yield_poll = std::chrono::microseconds(200);
  static constexpr Duration hot_poll = std::chrono::microseconds(20);
  static constexpr Duration hot_max = std::chrono::milliseconds(10);  // after the last sign of a checkpoint
  static constexpr Duration watch_max = std::chrono::milliseconds(1);  // beyond the time it was expected to take
  static constexpr std::uint32_t many_frames = 64;
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
  // Whether a checkpoint that runs while commits come is about to end, by how long the last one of its size took: worth not sleeping for.
  bool watches_checkpoint(Instant now) const noexcept;
  Duration poll(Instant now) const noexcept;
  bool listens(Instant now) const noexcept;  // whether inotify should wake us: not while we poll faster than it helps

 private:
  bool quiet(Instant now) const noexcept;
  bool checkpoint_runs(Instant now) const noexcept { return backfill_attempted_ > backfilled_ && now - last_checkpoint_ < running_max; }
  void note_checkpoints(const After& facts);

  State state_ = State::resting;
  Instant last_news_;
  Instant gap_since_;    // first commit seen while yielding; 0: none yet
  Instant yield_again_;  // not before
  Instant last_checkpoint_;       // last change of how far checkpoints have come
  std::uint32_t backfilled_ = 0;  // as last seen
  std::uint32_t backfill_attempted_ = 0;
  Instant checkpoint_since_;      // the last one began
  std::size_t checkpoint_size_ = 0;  // its place in the next
  Duration checkpoint_took_[2] = {};  // one of a few frames, one of many
  std::uint32_t due_frame_ = 0;   // where the application's checkpoints come; 0: not known
  bool due_ = false;              // near that frame
  bool settled_ = false;          // in slot 0: there is no moment to catch
};

}  // namespace ccr::storage::sqlite
