#include "engine/status.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "engine/certificate_dates.h"
#include "engine/status_parts.h"

namespace ccr::engine {
namespace {

using nlohmann::json;

ScrubShown scrub_shown(const Hosted& hosted, const storage::CopyState& state) {
  const Scrub& scrub = *hosted.scrub;
  ScrubShown shown;
  shown.page_size = state.page_size;
  shown.asked = scrub.asked();
  shown.progress = state.scrub;
  if (!scrub.running()) return shown;
  shown.progress = scrub.progress();
  shown.page_count = scrub.page_count();
  shown.waiting = scrub.waiting();
  return shown;
}

// Where its log is on this node, and how much of it an absent copy may keep.
void put_log(json& copy, const DatabaseConfig& database) {
  copy["log_directory"] = database.logs;
  copy["log_budget_bytes"] = database.log_budget_bytes;
}

// The active copy as its own node sees it.
json active_here(const Node& node, const Hosted& hosted, WallTime now) {
  json copy = blank_copy(hosted.config.copies.front(), "active");
  put_standing(copy, *hosted.standing);
  put_log(copy, hosted.config);
  if (hosted.active && hosted.active->redo_end().known()) {
    const std::uint64_t left = distance(hosted.active->redo_at(), hosted.active->redo_end(), hosted.config.generation_bytes).value;
    copy["cause"] = "replays the log that is here: " + std::to_string(left) + " bytes are left";
  }
  const bool ready = hosted.active && hosted.active->ready();
  if (!ready && hosted.standing->state() == State::mounted) {  // its life ends
    copy["state"] = name_of(State::initializing);
    copy["cause"] = "it is served no more: another one is about to serve, or the node stops";
  }
  if (!ready) return copy;
  const ActiveCopy& active = *hosted.active;
  const ActiveCopy::Tip& tip = active.tip();
  for (const char* mark : {"generated", "received", "durable", "inspected"}) copy[mark] = position_json(tip.durable);
  copy["replayed"] = position_json(active.replayed());
  copy["commit"] = tip.commit;
  copy["page_count"] = tip.page_count;
  copy["root"] = tip.root_known ? json(to_hex(tip.root, 16)) : json(nullptr);
  copy["log_first_generation"] = active.log_keeper().first().number;
  copy["log_bytes"] = active.log_keeper().bytes();
  put_retention(copy, hosted.config.retention, active.state(), active.log_keeper().came());
  const storage::LogSource::Gauges gauges = active.gauges();
  put_scrub(copy, scrub_shown(hosted, active.state()), node.config().scrub.every, now);
  const CommitGate& gate = active.commit_gate();
  const DatabaseConfig& database = hosted.config;
  copy["commits"] = {{"mode", name_of(database.commit)},
                     {"fallback_seconds", database.commit_fallback > Duration::zero() ? json(std::chrono::duration<double>(database.commit_fallback).count()) : json(nullptr)},
                     {"fallen_back", gate.fallen_back()},
                     {"waiting_seconds", gate.waiting() ? json(std::chrono::duration<double>(*gate.waiting()).count()) : json(0.0)}};
  copy["source"] = {{"wal_bytes", gauges.wal_bytes}, {"uncaptured_bytes", gauges.uncaptured_bytes}, {"lag_seconds", gauges.lag_seconds}};
  return copy;
}

// What was never proven equal to its active copy, or is being made so, is no copy: it neither lags nor lacks a part of the log.
bool is_copy(const transport::Watermarks& marks) { return marks.root_equal_at.known() && marks.inspected.known(); }

// As this node's configuration says, which every node has.
LagShown lag_there(const Hosted& hosted, const std::string& node, const transport::Watermarks& marks) {
  LagShown shown{{lag_of(hosted.config.replay_lag, node), lag_of(hosted.config.truncation_lag, node)}, std::nullopt, std::nullopt, false};
  const Duration waited(static_cast<std::int64_t>(marks.replay_queue_ns));
  if (shown.lags.replay > Duration::zero() && marks.replayed < marks.inspected) shown.due_in = std::max(Duration::zero(), shown.lags.replay - waited);
  return shown;
}

LagShown lag_here(const PassiveCopy& passive) {
  LagShown shown{passive.lags(), std::nullopt, passive.replay_due_in(), passive.replay_rests()};
  const storage::CopyState& state = passive.state();
  const bool counted = passive.tip() && passive.watermarks().inspected == passive.tip()->durable && passive.tip()->commit >= state.replayed_commit;
  if (counted) shown.commits = passive.tip()->commit - state.replayed_commit;
  return shown;
}

// A passive copy as its active node knows it: what it reported, and when.
json passive_there(const Hosted& hosted, const std::string& node) {
  json copy = blank_copy(node, "passive");
  const CopyFacts& facts = hosted.copies->of(node);
  if (!facts.heard) {
    copy["state"] = "disconnected";
    copy["cause"] = "never heard of since this node started";
  } else {
    const transport::Watermarks& marks = facts.watermarks;
    copy["state"] = facts.connected ? marks.state : "disconnected";
    copy["cause"] = facts.connected ? marks.cause : "last heard " + to_rfc3339(last_heard(facts)) + " as " + marks.state;
    copy["since"] = to_rfc3339(facts.connected ? facts.state_since : last_heard(facts));
    if (facts.connected) copy["comment"] = marks.comment;
    if (facts.connected) copy["hint"] = marks.hint;
    put_watermarks(copy, marks);
    copy["tip_heard_at"] = to_rfc3339(last_heard(facts));
  }
  const storage::Pin* dropped = nullptr;
  if (hosted.active && hosted.active->ready()) {
    const ActiveCopy& active = *hosted.active;
    copy["generated"] = position_json(active.tip().durable);
    if (facts.heard && is_copy(facts.watermarks)) {
      put_queues(copy, active.tip().durable, facts.watermarks.inspected, facts.watermarks.replayed, hosted.config.generation_bytes);
      if (facts.connected) copy["replay_queue"]["seconds"] = static_cast<double>(facts.watermarks.replay_queue_ns) / 1e9;
      // The end of the log is known here, and what it had; it may have replayed since, and no more than that.
      if (!facts.connected) copy["queues_as_of"] = to_rfc3339(last_heard(facts));
      put_lag(copy, lag_there(hosted, node, facts.watermarks));
    }
    dropped = find_pin(active.state().pins, node, storage::Pin::Kind::copy);
  }
  if (dropped != nullptr && dropped->dropped) copy["hint"] = "its log was dropped at the end of log_budget: it will take a difference";
  put_shipped(copy, facts.shipped_bytes, facts.wire_bytes, facts.connected ? &facts.packing : nullptr);
  if (facts.connected) {
    copy["ship_bytes_per_second"] = facts.bytes_per_second;
    copy["mode"] = facts.block_mode ? "block" : "file";
    const std::optional<double> lag = hosted.copies->lag_of(node);
    // What a program committed and the log has not yet is missing over there too.
    const double source_lag = hosted.active && hosted.active->ready() ? hosted.active->gauges().lag_seconds : 0;
    copy["lag_seconds"] = lag ? json(*lag + source_lag) : json(nullptr);
    if (copy["copy_queue"].is_object() && lag) copy["copy_queue"]["seconds"] = copy["copy_queue"]["bytes"] == 0 ? 0.0 : *lag;
    put_connection(copy, facts.path, facts.connection);
  }
  return copy;
}

// A passive copy on its own node.
json passive_here(const Node& node, const Hosted& hosted, WallTime now) {
  json copy = blank_copy(node.config().node, "passive");
  put_standing(copy, *hosted.standing);
  put_log(copy, hosted.config);
  const PassiveCopy& passive = *hosted.passive;
  const transport::Watermarks marks = passive.watermarks();
  put_watermarks(copy, marks);
  json& seed = copy["seed"];
  seed["rate_limit"] = rate_limit_json(passive.seed_rate_limit());
  seed["streams"] = passive.seed_counters().streams;
  if (!passive.state().seed.source.empty()) seed["source"] = passive.state().seed.source;
  seed["cuts"] = passive.seed_cuts().count;
  seed["extents_again"] = passive.seed_cuts().extents_again;
  // What is being made equal is no copy and has no lag of its own, but its log is shipped meanwhile.
  if (passive.seeding() && passive.connected() && passive.tip())
    seed["log_lag_seconds"] = std::chrono::duration<double>(passive.lag()).count();
  if (passive.state().suspended) copy["comment"] = passive.state().comment;
  const std::optional<Digest64> root = passive.root();
  copy["root"] = root ? json(to_hex(*root, 16)) : json(nullptr);
  const storage::CopyState& state = passive.state();
  if (passive.tip_heard_at().known()) copy["tip_heard_at"] = to_rfc3339(passive.tip_heard_at());
  if (state.tip.known()) copy["generated"] = position_json(state.tip);
  // Without contact nobody here knows what is missing: 'unknown since', never 0.
  if (passive.connected() && passive.tip() && is_copy(marks)) {
    put_queues(copy, passive.tip()->durable, marks.inspected, marks.replayed, hosted.config.generation_bytes);
    copy["lag_seconds"] = std::chrono::duration<double>(passive.lag()).count();
    copy["copy_queue"]["seconds"] = copy["lag_seconds"];
    copy["replay_queue"]["seconds"] = static_cast<double>(marks.replay_queue_ns) / 1e9;
  }
  put_lag(copy, lag_here(passive));
  if (passive.opened()) put_retention(copy, hosted.config.retention, state, passive.came());
  if (const std::optional<storage::Quarantine> aside = passive.quarantine()) {
    copy["quarantine"] = {{"files", aside->files}, {"bytes", aside->bytes}};
  }
  put_scrub(copy, scrub_shown(hosted, state), node.config().scrub.every, now);
  put_shipped(copy, passive.log_bytes_received(), passive.wire_bytes_received(), nullptr);
  if (passive.connection() != nullptr) put_connection(copy, passive.connection()->peer(), passive.connection()->facts());
  return copy;
}

// The active copy as a passive node knows it.
json active_there(const Hosted& hosted) {
  json copy = blank_copy(hosted.config.copies.front(), "active");
  const PassiveCopy& passive = *hosted.passive;
  const bool connected = passive.connected();
  copy["state"] = connected ? json("mounted") : json(nullptr);
  if (!connected) copy["cause"] = "no contact";
  if (passive.state().tip.known()) copy["generated"] = position_json(passive.state().tip);
  if (passive.tip_heard_at().known()) copy["tip_heard_at"] = to_rfc3339(passive.tip_heard_at());
  if (passive.tip() && passive.tip()->root_known && connected) copy["root"] = to_hex(passive.tip()->root, 16);
  return copy;
}

json copy_of(const Node& node, const Hosted& hosted, const std::string& name, WallTime now) {
  const bool here = name == node.config().node;
  if (name == hosted.config.copies.front()) return here ? active_here(node, hosted, now) : active_there(hosted);
  if (here) return passive_here(node, hosted, now);
  if (hosted.is_active_here) return passive_there(hosted, name);
  json copy = blank_copy(name, "passive");
  copy["cause"] = "known on " + hosted.config.copies.front();
  return copy;
}

// Of nodes with several addresses, that this one dials.
json paths_json(const PathTable& table) {
  json list = json::array();
  for (const auto& [peer, paths] : table.peers()) {
    if (!table.judged(peer)) continue;
    for (const Path& path : paths) {
      const bool up = path.state == PathState::up;
      list.push_back({{"peer", peer},
                      {"path", path.address.text()},
                      {"state", name_of(path.state)},
                      {"since", to_rfc3339(path.since)},
                      {"rtt_seconds", up ? json(std::chrono::duration<double>(path.round_trip).count()) : json(nullptr)},
                      {"cause", path.cause}});
    }
  }
  return list;
}

// Of every other node, heard of or not.
json peers_json(const Node& node) {
  json list = json::array();
  for (const auto& [name, configured] : node.config().nodes) {
    if (name == node.config().node) continue;
    json peer = {{"node", name}, {"configuration_equal", nullptr}, {"heard_at", nullptr}, {"clock_ahead_seconds", nullptr}, {"round_trip_seconds", nullptr}};
    const auto told = node.peers().find(name);
    if (told != node.peers().end()) {
      peer["configuration_equal"] = told->second.configuration_equal;
      peer["heard_at"] = to_rfc3339(told->second.heard_at);
      if (const std::optional<ClockSeen>& clock = told->second.clock) {
        peer["clock_ahead_seconds"] = seconds_of(clock->ahead);
        peer["round_trip_seconds"] = seconds_of(clock->round_trip);
      }
    }
    list.push_back(std::move(peer));
  }
  return list;
}

}  // namespace

json status_of(const Node& node, Clock& clock, const std::string& database, const std::string& copy_node) {
  json document = {{"schema", 1},          {"cluster", node.config().cluster},     {"node", node.config().node},
                   {"daemon", true},       {"at", to_rfc3339(clock.wall_now())},   {"tls", node.config().tls_off ? "off" : "require"},
                   {"databases", json::array()}};
  if (const std::optional<transport::OwnCertificate> own = node.own_certificate()) {
    document["certificate"] = {{"name", own->name},
                               {"expires_at", to_rfc3339(own->not_after)},
                               {"days_left", days_left(*own, clock.wall_now())},
                               {"sha256", own->fingerprint}};
  }
  document["disk"] = node.disk_name();
  document["paths"] = paths_json(node.paths());
  document["peers"] = peers_json(node);
  for (const auto& [name, hosted] : node.databases()) {
    if (!database.empty() && name != database) continue;
    json entry = {{"name", name}, {"kind", name_of(hosted->config.kind)}, {"active", hosted->config.copies.front()},
                  {"epoch", nullptr}, {"signature", nullptr}, {"copies", json::array()}};
    const storage::CopyState* state = nullptr;
    if (hosted->active && hosted->active->ready()) state = &hosted->active->state();
    if (!hosted->is_active_here) state = &hosted->passive->state();
    if (state != nullptr && state->signature.known()) {
      entry["epoch"] = state->epoch;
      entry["signature"] = state->signature.text();
      entry["page_size"] = state->page_size;
    }
    for (const std::string& copy : hosted->config.copies)
      if (copy_node.empty() || copy == copy_node) entry["copies"].push_back(copy_of(node, *hosted, copy, clock.wall_now()));
    document["databases"].push_back(std::move(entry));
  }
  return document;
}

}  // namespace ccr::engine
