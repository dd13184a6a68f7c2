#include "engine/position_times.h"

#include <algorithm>
#include <iterator>

#include "base/result.h"

namespace ccr::engine {

namespace {

constexpr std::int64_t age_parts = 64;  // a mark may stand for positions of such a part of its age

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

Position PositionTimes::reached_by(Instant time) const {
  // Rising by position, and so by time: what is reached later lies further.
  const auto later = std::partition_point(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.last <= time; });
  return later == marks_.begin() ? Position{} : std::prev(later)->position;
}

std::optional<Instant> PositionTimes::next_beyond(Position done) const {
  const auto mark = first_beyond(done);
  if (mark == marks_.end()) return std::nullopt;
  return mark->last;
}

std::vector<PositionTimes::Age> PositionTimes::summary(Position done, Instant now, std::size_t stretches_max) const {
  CCR_ASSERT(stretches_max >= 2);
  std::vector<Age> told;
  const auto from = first_beyond(done);
  if (from == marks_.end()) return told;
  const Duration stretch = (marks_.back().last - from->first) / static_cast<std::int64_t>(stretches_max - 1);
  Instant begun = from->first;
  for (auto mark = from; mark != marks_.end(); ++mark) {
    const bool goes_on = !told.empty() && mark->last - begun <= stretch;
    if (!goes_on && !told.empty()) begun = mark->last;
    if (!goes_on) told.emplace_back();
    told.back() = {mark->position, now - mark->last};
  }
  CCR_ASSERT(told.size() <= stretches_max);
  return told;
}

void PositionTimes::restore(const std::vector<Age>& summary, Instant now) {
  marks_.clear();
  for (const Age& age : summary) {
    const Instant then = now + -std::max(age.age, Duration::zero());
    if (!marks_.empty() && marks_.back().last > then) continue;
    reached(age.position, then);
  }
}

}  // namespace ccr::engine
