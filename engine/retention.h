// From where on a copy keeps log that no copy, seed or replay needs any more: `retention` of its database. Pure.
//
//   circular      nothing
//   until-backup  everything behind the newest backup that is known, of any copy; without one, all there is
//   keep 7d       what came here less than 7 days ago, counted as for a delayed copy (engine/replay_delay.h): while the node ran
//
// What the log budget took (CopyState::log_given_up) is not kept any more, and not asked for again. The verdict on a generation is
// storage/truncation.h's, on either side: both kinds of copy keep log alike, so a move changes nothing of it.
#pragma once

#include <algorithm>
#include <optional>

#include "engine/config.h"
#include "storage/state_file.h"

namespace ccr::engine {

// `came`: the last position that was here already when the time of `keep` ago was now; not known: none was. nullopt: nothing is kept.
inline std::optional<Position> retained_from(const Retention& retention, const storage::CopyState& state, Position came) {
  switch (retention.kind) {
    case Retention::Kind::circular: return std::nullopt;
    case Retention::Kind::until_backup: return std::max(state.backup.at, state.log_given_up);
    case Retention::Kind::keep: return std::max(came, state.log_given_up);
  }
  return std::nullopt;
}

// Whether the budget took log that the policy would have: since the newest backup, or of the time.
inline bool retention_broken(const Retention& retention, const storage::CopyState& state, Position came) {
  const Position wanted = retention.kind == Retention::Kind::until_backup ? state.backup.at : came;
  return retention.kind != Retention::Kind::circular && state.log_given_up > wanted;
}

// A mark of another history, or of a part of this one that was left, says nothing: false. Else it is the copy's from now on.
inline bool take_backup_mark(storage::CopyState& state, const storage::BackupMark& mark) {
  if (mark.at <= state.backup.at) return false;
  state.backup = mark;
  return true;
}

// The history ends at `end`, or leaves what was here from there on.
inline void cut_backup_mark(storage::CopyState& state, Position end) {
  if (state.backup.at > end) state.backup = {};
}

}  // namespace ccr::engine
