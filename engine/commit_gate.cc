#include "engine/commit_gate.h"

#include "engine/copy_state.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

Position safe_elsewhere(CommitMode mode, const CopyTable& copies, Position end) {
  Position furthest;
  for (const auto& [node, copy] : copies.all()) {
    const transport::Watermarks& marks = copy.watermarks;
    const bool follows = marks.state == name_of(State::healthy) || marks.state == name_of(State::resynchronizing);
    if (!copy.connected || !copy.heard || !follows || !marks.root_equal_at.known()) continue;
    const Position there = mode == CommitMode::received ? marks.received : std::min(marks.durable, marks.inspected);
    if (there <= end) furthest = std::max(furthest, there);  // beyond it the log is another one
  }
  return furthest;
}

CommitGate::CommitGate(const DatabaseConfig& database, std::string subject, Clock& clock, const CopyTable& copies, Trace& trace)
    : mode_(database.kind == DatabaseKind::pages ? database.commit : CommitMode::async),
      fallback_(database.commit_fallback),
      subject_(std::move(subject)),
      clock_(clock),
      copies_(copies),
      trace_(trace) {}

void CommitGate::durable_here(Position position, const storage::SourceCursor& cursor) {
  newest_ = position;
  groups_.push_back({position, cursor, clock_.now()});
}

std::optional<Duration> CommitGate::waiting() const {
  if (groups_.empty()) return std::nullopt;
  return clock_.now() - groups_.front().since;
}

void CommitGate::look_at_fallback(Position elsewhere) {
  if (!elsewhere.known() || !fallen_back_) back_from_.reset();
  else if (!back_from_) back_from_ = newest_;  // what was there when a copy came back; under load it is never at the newest
  const bool caught_up = back_from_ && elsewhere >= *back_from_;
  const bool patient = fallback_ == Duration::zero() || groups_.empty() || clock_.now() - groups_.front().since < fallback_;
  if (fallen_back_ ? !caught_up : patient) return;
  fallen_back_ = !fallen_back_;
  back_from_.reset();
  const Event event{fallen_back_ ? "commit_fallback" : "commit_mode_restored", subject_,
                    {{"mode", name_of(mode_)}, {"position", to_text(fallen_back_ ? groups_.front().position : newest_)}}};
  trace_.record(event);
}

std::optional<storage::SourceCursor> CommitGate::release(Position end) {
  const Position elsewhere = waits_for_others() ? safe_elsewhere(mode_, copies_, end) : Position{};
  if (waits_for_others()) look_at_fallback(elsewhere);
  std::optional<storage::SourceCursor> last;
  const bool at_once = !waits_for_others() || fallen_back_;
  while (!groups_.empty() && (at_once || groups_.front().position <= elsewhere)) {
    last = groups_.front().cursor;
    groups_.pop_front();
  }
  return last;
}

}  // namespace ccr::engine
