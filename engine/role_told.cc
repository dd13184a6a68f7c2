#include "engine/role_told.h"

#include <algorithm>

namespace ccr::engine {

using transport::RoleEntry;

namespace {

const storage::CopyState* live_state(const Hosted& hosted) {
  if (hosted.active && hosted.active->ready()) return &hosted.active->state();
  return !hosted.is_active_here && hosted.passive->opened() ? &hosted.passive->state() : nullptr;
}

void put_backup(const Hosted& hosted, RoleEntry& entry) {
  const storage::CopyState* state = live_state(hosted);
  if (state == nullptr) return;
  entry.backup = state->backup.at;
  entry.backup_epoch = state->backup.epoch;
  entry.backup_taken = state->backup.taken;
}

void put_end(const Hosted& hosted, RoleEntry& entry) {
  if (hosted.active && hosted.active->ready()) {
    entry.serving = entry.whole = true;
    entry.end = hosted.active->tip().durable;
    entry.commit = hosted.active->tip().commit;
  } else if (hosted.is_active_here) {
    entry.whole = true;
    entry.end = hosted.last_tip.durable;
    entry.commit = hosted.last_tip.commit;
  } else if (hosted.passive->opened()) {
    const transport::Watermarks marks = hosted.passive->watermarks();
    entry.whole = hosted.passive->state().seeded;
    entry.end = marks.inspected;
    entry.commit = marks.replayed_commit;
  }
}

}  // namespace

Signature signature_of(const Hosted& hosted) {
  const storage::CopyState* state = live_state(hosted);
  return state != nullptr ? state->signature : hosted.signature;
}

Role role_of(const Hosted& hosted) {
  Role role = hosted.role;
  if (const storage::CopyState* state = live_state(hosted)) role.epoch = std::max(role.epoch, state->epoch);
  return role;
}

void hear_of_backup(Hosted& hosted, const RoleEntry& entry, Epoch epoch) {
  const storage::CopyState* state = live_state(hosted);
  if (state == nullptr || !entry.backup.known() || entry.backup_epoch != epoch || entry.epoch != epoch || entry.signature != state->signature) return;
  const storage::BackupMark mark{entry.backup, entry.backup_epoch, entry.backup_taken};
  if (hosted.active) hosted.active->note_backup(mark);
  else hosted.passive->note_backup(mark);
}

void hear_of_access(Hosted& hosted, const RoleEntry& entry) {
  const storage::CopyState* state = live_state(hosted);
  if (hosted.is_active_here || state == nullptr || !entry.serving || entry.file_owner.empty() || entry.signature != state->signature || entry.epoch < state->epoch) return;
  hosted.passive->note_access({entry.file_owner, entry.file_group, entry.file_mode, entry.file_label});
}

RoleEntry told_of(const Hosted& hosted) {
  RoleEntry entry;
  entry.database = hosted.config.name;
  const Role role = role_of(hosted);
  entry.signature = signature_of(hosted);
  entry.epoch = role.epoch;
  entry.active = role.active;
  entry.forced = role.forced;
  put_end(hosted, entry);
  put_backup(hosted, entry);
  return entry;
}

Epoch prepared_of(const Hosted& hosted) { return !hosted.is_active_here && hosted.passive->opened() ? hosted.passive->state().prepared : hosted.prepared; }

Result<void> check_active_named(const NodeContext& context, const Hosted& hosted, const storage::CopyState& state) {
  if (state.active.empty() || hosted.config.has_copy(state.active)) return {};
  const CopyPaths paths = paths_of(context.config, hosted.config, true);
  const std::string& name = hosted.config.name;
  return Error{ErrorKind::identity,
               "the state in " + paths.state_directory + " is of a copy whose active one is on " + state.active + ", which copies of " + name + " does not name",
               "name " + state.active + " there; where it is gone: ccr activate " + name + " --on " + context.config.node + ", then ccr forget " + name + "@" + state.active +
                   "; a new history begins without " + paths.state_directory + " and " + paths.log_directory};
}

}  // namespace ccr::engine
