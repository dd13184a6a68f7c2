// PositionTimes remembers when positions of a log were reached, to tell for how long what lies beyond some position has waited.
//
// Pure bookkeeping. Bounds: marks_max entries; when they are full, neighbours that lie close together for their age become one, with the
// later position and the earlier time. So a wait is never told shorter than it is, and longer by at most a 64th of itself;
// and nothing is told to be reached earlier than it was, but later by as little. summary() tells it in a few lines, for what must survive a restart.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/position.h"

namespace ccr::engine {

class PositionTimes {
 public:
  static constexpr std::size_t marks_max = 4096;

  void reached(Position position, Instant now);  // nothing where it is not beyond every one before
  void clear() { marks_.clear(); }

  // Since the first position beyond `done` was reached; nullopt: none lies beyond.
  std::optional<Duration> waiting(Position done, Instant now) const;
  // When the last of the positions in (after, until] was reached; nullopt: none lies there.
  std::optional<Instant> last_in(Position after, Position until) const;
  // The last position that was reached at that time or before; not known: none was.
  Position reached_by(Instant time) const;
  // When everything of the first stretch beyond `done` was reached: the next change of reached_by(); nullopt: nothing lies beyond.
  std::optional<Instant> next_beyond(Position done) const;

  // What lies beyond `done`, as at most `stretches_max` positions with the age that their whole stretch has, rising.
  struct Age {
    Position position;
    Duration age{0};
  };
  std::vector<Age> summary(Position done, Instant now, std::size_t stretches_max) const;
  void restore(const std::vector<Age>& summary, Instant now);  // in place of all that is known; what does not rise is left out

 private:
  struct Mark {
    Position position;    // the last of those it stands for
    Instant first, last;  // when the first and the last of them were reached
  };

  void thin_out(Instant now);
  std::vector<Mark>::const_iterator first_beyond(Position position) const;

  std::vector<Mark> marks_;  // rising
};

}  // namespace ccr::engine
