// ReplayDelay decides how far a delayed copy may replay now, and which replayed log it still keeps. Pure bookkeeping.
//
// A delay counts the time since log was received and inspected here, by the monotonic clock, while the node runs. Wall clocks, of this node or in
// the log, have no part in it: one that jumps releases nothing. What a restart must know are ages, not times, in the copy's state: time for which
// the node did not run does not count, and of a crash what was not saved yet (save_interval()). So log is never replayed early, and nothing waits longer
// than the whole lag from a restart on. Everything is released late by at most a 64th of the lag (engine/position_times.h), again so much after a restart.
// The fixed 50 generations that Exchange's SCR keeps besides are not there: they let a target follow a source that lost log in a failover. Here a fork is
// found when nodes meet, goes to quarantine, and the difference comes (engine/passive_fork.cc), so they would only make a small lag long.
// Bounds: those of PositionTimes, CopyState::ages_max of each kind in the state.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "engine/position_times.h"
#include "storage/state_file.h"

namespace ccr::engine {

struct Lags {
  Duration replay{0}, truncation{0};
  bool operator==(const Lags&) const = default;
};

// Replay goes no further than this while somebody decides; a decision that does not come holds it no longer than its lease.
struct ReplayStop {
  Position at;
  Instant until;
  Position limit(Position wanted, Instant now) const { return now < until ? std::min(wanted, at) : wanted; }
};

class ReplayDelay {
 public:
  void received(Position inspected, Instant now) { received_.reached(inspected, now); }
  void replayed(Position position, Instant now) { replayed_.reached(position, now); }
  void clear();  // of the log: another one comes

  // How far; `inspected` where there is no lag.
  Position may_replay(Position inspected, Duration lag, Instant now) const;
  // Until more than `limit` may be replayed; nullopt: nothing else is here.
  std::optional<Duration> due_in(Position limit, Duration lag, Instant now) const;
  std::optional<Duration> waiting(Position replayed, Instant now) const { return received_.waiting(replayed, now); }
  // Replayed log from here on is kept, of what `lag` says; not known: nothing was replayed for so long.
  Position kept_from(Duration lag, Instant now) const { return replayed_.reached_by(now + -lag); }
  bool keeps(Duration lag, Position replayed, Instant now) const { return lag > Duration::zero() && kept_from(lag, now) < replayed; }

  static Duration save_interval(const Lags& lags);
  void save(storage::CopyState& state, const Lags& lags, Instant now) const;
  void restore(const storage::CopyState& state, Instant now);

 private:
  PositionTimes received_, replayed_;
};

}  // namespace ccr::engine
