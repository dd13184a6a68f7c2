#include "engine/status_parts.h"

#include <nlohmann/json.hpp>

#include "engine/retention.h"
#include "engine/scrub_pace.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

json queue_json(Position ahead, Position behind, std::uint64_t generation_bytes) {
  const std::uint64_t generations = ahead.generation.number > behind.generation.number ? ahead.generation.number - behind.generation.number : 0;
  return {{"generations", generations}, {"bytes", distance(behind, ahead, generation_bytes).value}, {"seconds", nullptr}};
}

}  // namespace

json position_json(Position position) {
  if (!position.known()) return nullptr;
  return {{"generation", position.generation.number}, {"offset", position.offset}};
}

json rate_limit_json(std::uint64_t bytes_per_second_max) { return bytes_per_second_max > 0 ? json(bytes_per_second_max) : json(nullptr); }

json blank_copy(const std::string& node, const char* role) {
  json copy = {{"node", node}, {"role", role}, {"cause", ""}, {"comment", ""}, {"hint", ""}};
  for (const char* field : {"state", "since", "generated", "received", "durable", "inspected", "replayed", "commit", "replayed_commit", "page_count", "copy_queue", "replay_queue",
                            "ship_bytes_per_second", "lag_seconds", "mode", "root", "root_equal", "root_equal_at", "disk_verified_at", "tip_heard_at",
                            "connection", "shipped", "log_first_generation", "log_bytes", "log_budget_bytes", "log_directory", "quarantine", "queues_as_of", "scrub", "replay_lag",
                            "retention", "last_backup"})
    copy[field] = nullptr;
  // The same fields and types as of a daemon that is down (tools/state_status.cc).
  copy["seed"] = {{"running", false},    {"done_bytes", 0}, {"total_bytes", 0}, {"extents_sent", 0},
                  {"extents_equal", 0}, {"wire_bytes", 0}, {"logical_bytes", 0}, {"rate", 0}, {"rate_limit", nullptr}, {"eta_seconds", nullptr},
                  {"streams", nullptr}, {"source", nullptr}, {"cuts", nullptr}, {"extents_again", nullptr}, {"log_lag_seconds", nullptr}};
  return copy;
}

void put_standing(json& copy, const CopyStanding& standing) {
  copy["state"] = name_of(standing.state());
  copy["cause"] = standing.cause();
  copy["hint"] = standing.hint();
  copy["since"] = to_rfc3339(standing.since());
}

void put_watermarks(json& copy, const transport::Watermarks& marks) {
  copy["received"] = position_json(marks.received);
  copy["durable"] = position_json(marks.durable);
  copy["inspected"] = position_json(marks.inspected);
  copy["replayed"] = position_json(marks.replayed);
  copy["replayed_commit"] = marks.replayed_commit;
  copy["root_equal_at"] = position_json(marks.root_equal_at);
  if (marks.root_equal_at.known()) copy["root"] = copy["root_equal"] = to_hex(marks.root_equal, 16);
  if (marks.disk_verified_at.known()) copy["disk_verified_at"] = to_rfc3339(marks.disk_verified_at);
  json& seed = copy["seed"];
  seed["running"] = marks.seed_running;
  seed["done_bytes"] = marks.seed_done_bytes;
  seed["total_bytes"] = marks.seed_total_bytes;
  seed["extents_sent"] = marks.seed_sent;
  seed["extents_equal"] = marks.seed_equal;
  seed["wire_bytes"] = marks.seed_wire_bytes;
  seed["logical_bytes"] = marks.seed_image_bytes;
  seed["rate"] = marks.seed_rate;
  if (marks.seed_running && marks.seed_rate > 0 && marks.seed_total_bytes >= marks.seed_done_bytes)
    seed["eta_seconds"] = static_cast<double>(marks.seed_total_bytes - marks.seed_done_bytes) / static_cast<double>(marks.seed_rate);
}

void put_lag(json& copy, const LagShown& shown) {
  if (shown.lags == Lags{}) return;
  const auto seconds = [](Duration duration) { return std::chrono::duration<double>(duration).count(); };
  copy["replay_lag"] = {{"seconds", seconds(shown.lags.replay)},
                        {"truncation_seconds", seconds(shown.lags.truncation)},
                        {"held_bytes", nullptr},
                        {"held_commits", shown.commits ? json(*shown.commits) : json(nullptr)},
                        {"behind_seconds", nullptr},
                        {"due_in_seconds", shown.due_in ? json(seconds(*shown.due_in)) : json(nullptr)},
                        {"rests", shown.rests}};
  const json& queue = copy["replay_queue"];
  if (!queue.is_object() || shown.lags.replay == Duration::zero()) return;
  copy["replay_lag"]["held_bytes"] = queue["bytes"];
  copy["replay_lag"]["behind_seconds"] = queue["seconds"];
}

bool replay_queue_in_order(const json& copy) {
  constexpr double slack_seconds = 2;
  const json& queue = copy["replay_queue"];
  if (!queue.is_object()) return false;
  if (queue["bytes"] == 0) return true;
  if (!copy["replay_lag"].is_object() || !queue["seconds"].is_number()) return false;
  const double lag = copy["replay_lag"]["seconds"].get<double>();
  return lag > 0 && queue["seconds"].get<double>() <= lag + lag / 32 + slack_seconds;
}

void put_queues(json& copy, Position generated, Position inspected, Position replayed, std::uint64_t generation_bytes) {
  copy["copy_queue"] = queue_json(generated, inspected, generation_bytes);
  copy["replay_queue"] = queue_json(inspected, replayed, generation_bytes);
}

void put_shipped(json& copy, std::uint64_t logical_bytes, std::uint64_t wire_bytes, const PackingFacts* packing) {
  copy["shipped"] = {{"logical_bytes", logical_bytes}, {"wire_bytes", wire_bytes}, {"level", nullptr}, {"history_bytes", nullptr}, {"reason", nullptr}};
  if (packing == nullptr) return;
  copy["shipped"]["level"] = packing->level;
  copy["shipped"]["history_bytes"] = packing->history_bytes;
  copy["shipped"]["reason"] = packing->reason;
}

void put_scrub(json& copy, const ScrubShown& scrub, Duration every, WallTime now) {
  const auto time = [](WallTime at) { return at.known() ? json(to_rfc3339(at)) : json(nullptr); };
  const storage::ScrubProgress& progress = scrub.progress;
  const std::uint64_t page_size = scrub.page_size;
  copy["scrub"] = {{"every_seconds", every > Duration::zero() ? json(std::chrono::duration<double>(every).count()) : json(nullptr)},
                   {"asked", scrub.asked},
                   {"done_bytes", progress.next_page > 0 ? json((progress.next_page - 1) * page_size) : json(nullptr)},
                   {"total_bytes", scrub.page_count ? json(*scrub.page_count * page_size) : json(nullptr)},
                   {"began_at", time(progress.began)},
                   {"finished_at", time(progress.finished)},
                   {"rotten_pages", progress.rotten},
                   {"repaired_pages", progress.repaired},
                   {"waiting", scrub.waiting.empty() ? json(nullptr) : json(scrub.waiting)},
                   {"overdue", scrub_overdue(progress.began, progress.finished, now, every)}};
}

void put_retention(json& copy, const Retention& retention, const storage::CopyState& state, Position came) {
  const std::optional<Position> from = retained_from(retention, state, came);
  copy["retention"] = {{"policy", retention.text()}, {"keeps_from", from ? position_json(*from) : json(nullptr)}, {"broken", retention_broken(retention, state, came)}};
  if (state.backup.at.known()) copy["last_backup"] = {{"position", position_json(state.backup.at)}, {"taken_at", to_rfc3339(state.backup.taken)}};
}

void put_connection(json& copy, const transport::Endpoint& path, const transport::ConnectionFacts& facts) {
  const auto known = [](auto value) { return value > 0 ? json(value) : json(nullptr); };
  const auto told = [](const auto& value) { return value ? json(*value) : json(nullptr); };
  const auto named = [](const std::string& name) { return name.empty() ? json(nullptr) : json(name); };
  const auto scale = [](int value) { return value >= 0 ? json(value) : json(nullptr); };
  copy["connection"] = {{"path", path.text()},
                        {"tls", named(facts.tls)},
                        {"window_asked", facts.window_asked},
                        {"window_granted", known(facts.window_granted)},
                        {"window_scale", {scale(facts.receive_scale), scale(facts.send_scale)}},
                        {"window_scaling", told(facts.scaling)},
                        {"timestamps", told(facts.timestamps)},
                        {"peer_window", known(facts.send_window)},
                        {"rtt_seconds", known(facts.rtt_seconds)},
                        {"delivery_rate", known(facts.delivery_bytes_per_second)},
                        {"retransmits", told(facts.retransmits)},
                        {"congestion_asked", named(facts.congestion_asked)},
                        {"congestion", named(facts.congestion)},
                        {"held", nullptr}};
  const transport::HeldBuffer& held = facts.held;
  if (held.setting != nullptr)
    copy["connection"]["held"] = {{"setting", held.setting}, {"here", held.here}, {"wanted", held.wanted}};
}

}  // namespace ccr::engine
