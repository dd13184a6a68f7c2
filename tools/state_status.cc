#include "tools/state_status.h"

#include <array>
#include <fstream>

#include <nlohmann/json.hpp>

#include "engine/role.h"
#include "engine/status_parts.h"

namespace ccr::tools {
namespace {

using engine::position_json;
using engine::rate_limit_json;
using nlohmann::json;
using storage::CopyState;

json time_json(WallTime time) {
  if (!time.known()) return nullptr;
  return to_rfc3339(time);
}

json queue_json(json generations, json bytes) {
  return {{"generations", std::move(generations)}, {"bytes", std::move(bytes)}, {"seconds", nullptr}};
}

json seed_json(const storage::SeedProgress& seed) {
  return {{"running", false},
          {"done_bytes", seed.done_bytes},
          {"total_bytes", seed.total_bytes},
          {"extents_sent", seed.extents_sent},
          {"extents_equal", seed.extents_equal},
          {"wire_bytes", seed.wire_bytes},
          {"logical_bytes", nullptr},
          {"cuts", nullptr},
          {"extents_again", nullptr},
          {"log_lag_seconds", nullptr},
          {"rate", nullptr},
          {"rate_limit", rate_limit_json(seed.bytes_per_second_max)},
          {"eta_seconds", nullptr}};
}

// Every field of a copy as the daemon shows it, each unknown.
json unknown_copy(const std::string& node, bool active) {
  json copy = engine::blank_copy(node, active ? "active" : "passive");
  for (auto& [field, value] : copy["seed"].items())
    if (field != "running") value = nullptr;
  return copy;
}

struct Standing {
  std::string state, cause, comment, hint;
  WallTime since;
};

Standing standing_of(const CopyState& state, bool active, const std::string& database, const std::string& node) {
  const std::string subject = database + "@" + node;
  const std::string start = "start it: ccr serve --node " + node;
  if (active) return {"dismounted", "the daemon is not running", "", start, {}};
  const std::string seed = "ccr seed " + subject + (engine::may_be_alone(state) ? " --yes" : "");
  if (engine::waits_forked(state)) return {state.suspended ? "suspended" : "failed_and_suspended", state.cause, state.comment, start + "; its hint names both answers", state.since};
  if (state.failed) return {"failed_and_suspended", state.cause, state.comment, seed, state.since};
  if (state.damaged_pages > 0) return {state.suspended ? "suspended" : "failed_and_suspended", state.cause, state.comment, seed, state.since};
  const std::string by = state.suspended_by.empty() ? "" : "by " + state.suspended_by;
  if (state.suspended) return {"suspended", by, state.comment, "ccr resume " + subject, state.since};
  if (!state.seeded && !state.seed.source.empty()) return {"seeding", "interrupted: it goes on when the daemon starts", "", start, {}};
  if (!state.seeded) return {"needs_seed", "", "", "ccr seed " + subject, {}};
  return {"disconnected", "the daemon is not running", "", start, {}};
}

json known_copy(const engine::DatabaseConfig& database, const std::string& node, bool active, const CopyState& state, Duration scrub_every) {
  json copy = unknown_copy(node, active);
  const Standing standing = standing_of(state, active, database.name, node);
  copy["state"] = standing.state;
  copy["cause"] = standing.cause;
  copy["comment"] = standing.comment;
  copy["hint"] = standing.hint;
  copy["since"] = time_json(standing.since);
  copy["generated"] = position_json(active ? state.durable : state.tip);
  copy["durable"] = position_json(state.durable);
  copy["inspected"] = position_json(state.durable);
  copy["replayed"] = position_json(state.min_required);
  if (!active && state.durable.known() && state.min_required.known() && state.durable >= state.min_required) {
    copy["replay_queue"] = queue_json(state.durable.generation.number - state.min_required.generation.number,
                                      distance(state.min_required, state.durable, database.generation_bytes).value);
  }
  copy["root_equal_at"] = position_json(state.root_equal_at);
  if (state.root_equal_at.known()) copy["root_equal"] = to_hex(state.root_equal, 16);
  copy["disk_verified_at"] = time_json(state.disk_verified_at);
  copy["tip_heard_at"] = time_json(state.tip_heard);
  copy["seed"] = seed_json(state.seed);
  engine::ScrubShown scrub;
  scrub.progress = state.scrub;
  scrub.page_size = state.page_size;
  engine::put_scrub(copy, scrub, scrub_every, WallTime{});
  for (const char* of_the_daemon : {"asked", "overdue"}) copy["scrub"][of_the_daemon] = nullptr;
  return copy;
}

json copy_json(const engine::DatabaseConfig& database, const std::string& node, bool own, const StateFound& found, Duration scrub_every) {
  const bool active = node == database.copies.front();
  if (own && found.state) return known_copy(database, node, active, *found.state, scrub_every);
  json copy = unknown_copy(node, active);
  if (!own) return copy;
  copy["cause"] = found.trouble;
  if (!found.trouble.empty()) return copy;
  copy["state"] = active ? "dismounted" : "needs_seed";
  if (active) copy["cause"] = "it was never started here";
  copy["hint"] = active ? "start it: ccr serve --node " + node : "ccr seed " + database.name + "@" + node;
  return copy;
}

std::optional<Bytes> read_slot(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text(storage::StateFile::state_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  const ByteView view = as_bytes(text);
  return Bytes(view.begin(), view.end());
}

}  // namespace

Result<CopyState> read_state(const std::string& directory) {
  std::optional<std::pair<CopyState, std::uint64_t>> newest;
  bool there = false;
  for (const char* name : {"state.0", "state.1"}) {
    const std::optional<Bytes> slot = read_slot(directory + "/" + name);
    if (!slot) continue;
    there = true;
    Result<std::pair<CopyState, std::uint64_t>> state = storage::decode_state(*slot);
    if (state && (!newest || state->second > newest->second)) newest = std::move(*state);
  }
  if (newest) return std::move(newest->first);
  if (there) return Error{ErrorKind::corrupt, "state in '" + directory + "': neither slot is valid", ""};
  return Error{ErrorKind::not_found, "no state in '" + directory + "'", ""};
}

json status_of_states(const engine::Config& config, const std::map<std::string, StateFound>& states) {
  json status{{"schema", 1}, {"cluster", config.cluster}, {"node", config.node}, {"daemon", false}, {"databases", json::array()}};
  status["tls"] = config.tls_off ? "off" : "require";
  for (const auto& [name, configured] : config.databases) {
    const auto at = states.find(name);
    const StateFound found = at == states.end() ? StateFound{} : at->second;
    engine::DatabaseConfig database = configured;
    if (found.state) engine::put_first(database.copies, found.state->active);  // as far as this node knows
    json entry{{"name", name}, {"kind", engine::name_of(database.kind)}, {"active", database.copies.front()}, {"epoch", nullptr}};
    entry["signature"] = found.state && found.state->signature.known() ? json(found.state->signature.text()) : json(nullptr);
    if (found.state && found.state->epoch != 0) entry["epoch"] = found.state->epoch;
    entry["copies"] = json::array();
    for (const std::string& node : database.copies)
      entry["copies"].push_back(copy_json(database, node, node == config.node, found, config.scrub.every));
    status["databases"].push_back(std::move(entry));
  }
  return status;
}

json status_from_disk(const engine::Config& config) {
  std::map<std::string, StateFound> states;
  for (const auto& [name, database] : config.databases) {
    Result<CopyState> state = read_state(config.state_dir + "/" + name);
    if (state) {
      states[name].state = std::move(*state);
    } else if (state.error().kind != ErrorKind::not_found) {
      states[name].trouble = state.error().message;
    }
  }
  return status_of_states(config, states);
}

}  // namespace ccr::tools
