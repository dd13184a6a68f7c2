#include "tools/config_json.h"

#include <nlohmann/json.hpp>

#include "engine/status_parts.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

json database_json(const engine::DatabaseConfig& database) {
  json lags = json::object(), kept = json::object();
  for (const auto& [copy, lag] : database.replay_lag) lags[copy] = seconds(lag);
  for (const auto& [copy, lag] : database.truncation_lag) kept[copy] = seconds(lag);
  return {{"kind", engine::name_of(database.kind)},
          {"path", database.path},
          {"logs", database.logs},
          {"copies", database.copies},
          {"generation_size", database.generation_bytes},
          {"log_budget", database.log_budget_bytes},
          {"log_budget_end", database.log_budget_stops ? "stop" : "drop"},
          {"retention", database.retention.text()},
          {"wal_limit", database.wal_limit_bytes},
          {"wal_budget", database.wal_budget_bytes},
          {"catch_up_limit", database.catch_up_limit_bytes},
          {"page_size", database.page_size},
          {"seed", database.seed_auto ? "auto" : "manual"},
          {"commit", engine::name_of(database.commit)},
          {"commit_fallback_seconds", seconds(database.commit_fallback)},
          {"on_demote", database.on_demote},
          {"on_promote", database.on_promote},
          {"replay_lag", std::move(lags)},
          {"truncation_lag", std::move(kept)}};
}

json transport_json(const engine::TransportConfig& transport) {
  return {{"window", transport.window},
          {"congestion", transport.congestion},
          {"compression", transport.compression},
          {"compression_memory", transport.compression_memory_bytes},
          {"streams", transport.streams},
          {"seed_rate", engine::rate_limit_json(transport.seed_bytes_per_second)},
          {"heartbeat", {{"interval", seconds(transport.heartbeat_interval)}, {"missed", transport.heartbeat_missed}}}};
}

}  // namespace

json config_json(const engine::Config& config) {
  json nodes = json::object();
  for (const auto& [name, node] : config.nodes) {
    json addresses = json::array();
    for (const transport::Endpoint& address : node.addresses) addresses.push_back(address.text());
    nodes[name] = {{"addresses", std::move(addresses)}};
  }
  json databases = json::object();
  for (const auto& [name, database] : config.databases) databases[name] = database_json(database);
  return {
      {"schema", 1},
      {"cluster", config.cluster},
      {"node", config.node},
      {"state_dir", config.state_dir},
      {"control_socket", config.control_socket},
      {"nodes", std::move(nodes)},
      {"tls",
       {{"mode", config.tls_off ? "off" : "require"}, {"ca", config.tls_ca}, {"cert", config.tls_cert}, {"key", config.tls_key}}},
      {"databases", std::move(databases)},
      {"transport", transport_json(config.transport)},
      {"verify", {{"rate", engine::rate_limit_json(config.verify_bytes_per_second)}}},
      {"scrub",
       {{"every_seconds", config.scrub.every > Duration::zero() ? json(std::chrono::duration<double>(config.scrub.every).count()) : json(nullptr)},
        {"rate", engine::rate_limit_json(config.scrub.bytes_per_second)},
        {"when", config.scrub.only_idle ? "idle" : "always"}}},
      {"warnings", config.warnings}};
}

}  // namespace ccr::tools
