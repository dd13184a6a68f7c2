// StreamGrowth decides how many streams a seed has: one more at a time, as long as that brought more than a twentieth of the rate.
//
// look() is called in even steps with what arrived so far. A step counts only where the streams were what limits: not where a rate limit, the
// disk here, or a want of differing extents did. Two such steps make a rate, the one after each change is left out. Where one more stream did
// not help it goes again, and that is the end of it. A lost one is wanted again after a pause, which doubles from pause_min to pause_max while
// it is lost soon again. Pure: facts in, number out.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace ccr::seed {

class StreamGrowth {
 public:
  static constexpr Duration pause_min = std::chrono::seconds(1), pause_max = std::chrono::seconds(32);

  // Begins with `least` streams, has never more than `most`. Equal: a fixed number.
  StreamGrowth(std::size_t least, std::size_t most);

  std::size_t wanted() const noexcept { return wanted_; }
  // `limits`: since the last look the streams had as many extents asked for as they may.
  void look(Instant now, std::uint64_t bytes, bool limits);
  // Other bounds from now on.
  void change(std::size_t least, std::size_t most);
  // One could not be had, or ended: it comes back no sooner than may_open() says.
  void lost(Instant now);
  bool may_open(Instant now) const noexcept { return now >= open_after_; }
  // One goes for good: the others are enough.
  void settle();

 private:
  struct Look {
    Instant at;
    std::uint64_t bytes = 0;
  };

  void judge(double rate);
  void measure_anew() noexcept;

  std::size_t most_, wanted_;
  bool settled_;
  bool changed_ = true;          // since the last step: what it measured is of neither number
  std::optional<Look> from_;     // where the rate under way began
  int steps_ = 0;                // of it
  std::optional<double> before_;  // bytes a second with one stream fewer
  Duration pause_{0};
  Instant open_after_;
};

}  // namespace ccr::seed
