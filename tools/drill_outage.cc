// The drills of a fault between two nodes: an outage of the network, as both would see one, a daemon that answers nobody, a volume without room.
#include <nlohmann/json.hpp>

#include "tools/json_fields.h"
#include "tools/pair_drill.h"

namespace ccr::tools {

using nlohmann::json;

// The node parts itself from the other one, and has the end of it too: whatever becomes of this command, contact comes back.
Result<void> PairDrill::outage() {
  if (options_.load) CCR_TRY(begin_load(peer_socket_));
  phase_ = "no contact";
  const Result<json> parted = ask_own({{"command", "drill"}, {"step", "part"}, {"node", facts_.node}, {"peer", facts_.active}, {"seconds", options_.seconds}});
  if (!parted) return parted.error();
  parted_ = true;
  pair().fault_began = now();
  CCR_TRY(for_seconds(options_.seconds));
  return behind_fault();
}

// The guard stops the process and has the end of it; the kernel takes connections and bytes meanwhile, and nobody reads them.
Result<void> PairDrill::frozen_node() {
  if (options_.load) CCR_TRY(begin_load(peer_socket_));
  Result<ControlClient> daemon = ControlClient::connect(config_.control_socket);
  if (!daemon) return daemon.error();
  const std::optional<int> process = daemon->peer_process();
  if (!process) return Error{ErrorKind::refused, "the daemon's process is not known", ""};
  phase_ = "frozen";
  own_silent_ = true;
  CCR_TRY(guard_->freeze(*process, duration_of(options_.seconds)));
  pair().fault_began = now();
  CCR_TRY(for_seconds(options_.seconds));
  CCR_TRY(guard_->thaw());
  own_silent_ = false;
  return behind_fault();
}

// Nothing is really filled: the node lets writes in that place fail, below everything that writes, and has the end of it.
Result<void> PairDrill::disk_full() {
  if (options_.load) CCR_TRY(begin_load(peer_socket_));
  phase_ = "no room";
  const Result<json> filled = ask(full_socket(), {{"command", "drill"}, {"step", "fill"}, {"database", facts_.database}, {"node", pair().full_node}, {"what", options_.full}, {"seconds", options_.seconds}});
  if (!filled) return filled.error();
  filled_ = true;
  pair().full_place = text_field(*filled, "place");
  pair().fault_began = now();
  CCR_TRY(for_seconds(options_.seconds));
  return behind_fault();
}

bool PairDrill::shows_fault(const PairLook& look) const {
  if (facts_.kind == DrillKind::disk_full) return (options_.on_active ? look.active_cause : look.copy.cause).find(facts_.pair->full_place) != std::string::npos;
  const bool here = look.copy.state == "disconnected" || own_silent_, there = look.other_state == "disconnected" || peer_socket_.empty();
  return here && there;
}

Result<void> PairDrill::behind_fault() {
  const double ended = now();
  pair().fault_ended = ended;
  parted_ = filled_ = false;  // by its own time
  const Result<PairLook> then = look();
  if (!then) return then.error();
  if (then->commit && pair().before->commit) pair().commits_meanwhile = *then->commit - std::min(*then->commit, *pair().before->commit);
  if (load_ && !options_.on_active) {  // which ends a load
    const Result<bool> writes = load_->goes_on();
    if (!writes) return writes.error().within("ccr load");
  }
  end_load();
  const Result<PairLook> healed = until([this](const PairLook& seen) { return seen.copy.healthy() && (peer_socket_.empty() || seen.serves == facts_.active); }, seconds_of(options_.longest), "healthy again");
  if (!healed) return healed.error();
  // Of the active's log that was missing then, as the copy knows it now that it heard of it.
  pair().backlog_bytes = distance(then->copy.durable, healed->copy.generated, facts_.generation_bytes).value;
  pair().healthy_seconds = healed->copy.at_seconds - ended;
  return settle();
}

}  // namespace ccr::tools
