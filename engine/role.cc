#include "engine/role.h"

#include <algorithm>

#include "engine/copy_table.h"

namespace ccr::engine {

RoleVerdict compare_roles(const Role& here, const Signature& signature_here, const Role& there, const Signature& signature_there) {
  if (signature_here.known() && signature_here != signature_there) return RoleVerdict::foreign;
  if (there.epoch != here.epoch) return there.epoch > here.epoch ? RoleVerdict::newer : RoleVerdict::older;
  return there.active == here.active ? RoleVerdict::same : RoleVerdict::conflict;
}

void put_first(std::vector<std::string>& copies, const std::string& active) {
  const auto found = std::find(copies.begin(), copies.end(), active);
  if (found != copies.end()) std::rotate(copies.begin(), found, found + 1);
}

Role role_of(const storage::CopyState& state, const std::string& configured) {
  return {state.epoch, state.active.empty() ? configured : state.active, state.forced};
}

namespace {

// The log of a copy that was agreed to be activated as of a commit ends there, for nobody but that activation.
void keep_cut(storage::CopyState& state, bool agreed, bool was_active) {
  if (!state.cut.known()) return;
  if (!agreed && was_active) state.durable = {};  // it may be cut already
  if (!agreed) state.cut = {};
  if (!agreed) return;
  state.durable = std::min(state.durable, state.cut);
  state.received_ages.clear();
}

}  // namespace

void hear_epoch(storage::CopyState& state, Epoch epoch, bool forced) {
  const bool unasked = forced || epoch > state.epoch;  // of what came between nobody asked here
  if (state.deposed == storage::Deposed::asked) state.deposed = unasked ? storage::Deposed::by_force : storage::Deposed::no;
  state.epoch = std::max(state.epoch, epoch);
}

bool waits_forked(const storage::CopyState& state) { return state.failed && state.cause.rfind(forked_cause, 0) == 0; }

bool may_be_alone(const storage::CopyState& state) { return state.deposed != storage::Deposed::no && !waits_forked(state); }

void hear_resume(storage::CopyState& state) {
  if (!waits_forked(state)) return;
  state.deposed = storage::Deposed::no;
  state.prepared = 0;
  state.prepared_whole = false;
  state.cut = {};
}

void take_role(storage::CopyState& state, const Role& role, const std::string& own, const std::vector<std::string>& copies, bool was_active,
               Generation first) {
  const bool active = role.active == own;
  if (!active && !was_active) hear_epoch(state, role.epoch, role.forced);
  keep_cut(state, active && (was_active || role.epoch == state.prepared), was_active);
  state.epoch = role.epoch;
  state.active = role.active;
  state.forced = role.forced;
  state.prepared = 0;
  state.prepared_whole = false;
  const bool rotten = was_active && !active && state.cause.rfind("PAGE", 0) == 0;
  const std::string damage = state.cause;
  if (active || was_active) {
    state.suspended = state.failed = false;
    state.comment.clear();
    state.suspended_by.clear();
    state.cause.clear();
    state.pages_at_rest = {};
    state.seed = {};
  }
  state.seed.from = state.seed.until = {};  // a pass has one epoch (FAULTS invariant 11)
  if (active) state.deposed = storage::Deposed::no;
  if (active == was_active) return;
  state.pins.clear();
  if (!active) {
    state.deposed = role.forced ? storage::Deposed::by_force : storage::Deposed::asked;
    state.failed = rotten;
    if (rotten) state.cause = damage;
    state.damaged_pages = rotten ? 1 : 0;
    state.seeded = state.signature.known();  // its pages are what its log says, to that log's end
    return;
  }
  for (const std::string& node : copies) {
    if (node != own && first.number != 0) move_copy_pin(state.pins, node, Position::start_of(first));
  }
}

}  // namespace ccr::engine
