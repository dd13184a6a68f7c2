#include "engine/position_times.h"

#include <algorithm>

namespace ccr::engine {

namespace {

constexpr std::int64_t age_parts = 16;  // a mark may stand for positions of such a part of its age

}  // namespace

void PositionTimes::reached(Position position, Instant now) {
  if (!position.known() || (!marks_.empty() && marks_.back().position >= position)) return;
  if (marks_.size() == marks_max) thin_out(now);
  marks_.push_back({position, now, now});
}

void PositionTimes::thin_out(Instant now) {
  std::size_t kept = 0;  // the last of those that stay
  for (std::size_t i = 1; i < marks_.size(); ++i) {
    const Mark& next = marks_[i];
    const bool close = next.last - marks_[kept].first <= (now - next.last) / age_parts;
    const Instant first = close ? marks_[kept].first : next.first;
    if (!close) ++kept;
    marks_[kept] = {next.position, first, next.last};
  }
  marks_.resize(kept + 1);
  if (marks_.size() < marks_max) return;
  marks_[1].first = marks_[0].first;  // all at once, and none old: the two oldest
  marks_.erase(marks_.begin());
}

std::vector<PositionTimes::Mark>::const_iterator PositionTimes::first_beyond(Position position) const {
  return std::partition_point(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.position <= position; });
}

std::optional<Duration> PositionTimes::waiting(Position done, Instant now) const {
  const auto mark = first_beyond(done);
  if (mark == marks_.end()) return std::nullopt;
  return now - mark->first;
}

std::optional<Instant> PositionTimes::last_in(Position after, Position until) const {
  const auto beyond = first_beyond(until);
  if (beyond == marks_.begin() || std::prev(beyond)->position <= after) return std::nullopt;
  return std::prev(beyond)->first;
}

}  // namespace ccr::engine
