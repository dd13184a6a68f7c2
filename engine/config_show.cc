// The configuration in force, written so that parse_config reads the same back.
#include <array>

#include <fmt/format.h>

#include "engine/config.h"

namespace ccr::engine {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string size_text(std::uint64_t bytes) {
  struct Unit {
    std::uint64_t factor;
    const char* name;
  };
  constexpr std::array units{Unit{GiB, "GiB"}, Unit{MiB, "MiB"}, Unit{KiB, "KiB"}};
  for (const Unit& unit : units) {
    if (bytes != 0 && bytes % unit.factor == 0) return fmt::format("\"{}{}\"", bytes / unit.factor, unit.name);
  }
  return fmt::format("\"{}\"", bytes);
}

std::string rate_text(std::uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return "\"unlimited\"";
  if (bytes_per_second % 1'000'000 == 0) return fmt::format("\"{}MB/s\"", bytes_per_second / 1'000'000);
  return fmt::format("\"{}B/s\"", bytes_per_second);
}

std::string duration_text(Duration duration) {
  const std::int64_t nanoseconds = duration.count();
  if (nanoseconds % 1'000'000'000 == 0) return fmt::format("\"{}s\"", nanoseconds / 1'000'000'000);
  if (nanoseconds % 1'000'000 == 0) return fmt::format("\"{}ms\"", nanoseconds / 1'000'000);
  return fmt::format("\"{}ns\"", nanoseconds);
}

template <class Items, class Text>
std::string list_of(const Items& items, Text text) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + quoted(text(item));
  return "[" + out + "]";
}

const std::string& itself(const std::string& text) { return text; }

std::string show_tls(const Config& config) {
  std::string out = fmt::format("\n[tls]\nmode = \"{}\"\n", config.tls_off ? "off" : "require");
  if (!config.tls_ca.empty()) out += fmt::format("ca = {}\n", quoted(config.tls_ca));
  if (!config.tls_cert.empty()) out += fmt::format("cert = {}\n", quoted(config.tls_cert));
  if (!config.tls_key.empty()) out += fmt::format("key = {}\n", quoted(config.tls_key));
  if (!config.tls_denied.empty()) out += fmt::format("denied = {}\n", list_of(config.tls_denied, itself));
  return out;
}

std::string show_lags(const char* key, const std::map<std::string, Duration>& lags) {
  std::string list;
  for (const auto& [copy, lag] : lags) list += fmt::format("{}{} = {}", list.empty() ? "" : ", ", copy, duration_text(lag));
  return list.empty() ? "" : fmt::format("{} = {{ {} }}\n", key, list);
}

std::string show_database(const DatabaseConfig& database) {
  std::string out = fmt::format("\n[databases.{}]\nkind = \"{}\"\npath = {}\nlogs = {}\n", database.name, name_of(database.kind),
                                quoted(database.path), quoted(database.logs));
  out += fmt::format("copies = {}\n", list_of(database.copies, itself));
  out += fmt::format("generation_size = {}\n", size_text(database.generation_bytes));
  out += fmt::format("log_budget = {}\n", size_text(database.log_budget_bytes));
  out += fmt::format("log_budget_end = \"{}\"\nretention = {}\n", database.log_budget_stops ? "stop" : "drop", quoted(database.retention.text()));
  out += fmt::format("wal_limit = {}\n", size_text(database.wal_limit_bytes));
  out += fmt::format("wal_budget = {}\n", size_text(database.wal_budget_bytes));
  out += fmt::format("catch_up_limit = {}\n", size_text(database.catch_up_limit_bytes));
  out += fmt::format("page_size = {}\n", database.page_size);
  out += fmt::format("seed = \"{}\"\n", database.seed_auto ? "auto" : "manual");
  out += fmt::format("commit = \"{}\"\ncommit_fallback = {}\n", name_of(database.commit), duration_text(database.commit_fallback));
  if (!database.on_demote.empty()) out += fmt::format("on_demote = {}\n", quoted(database.on_demote));
  if (!database.on_promote.empty()) out += fmt::format("on_promote = {}\n", quoted(database.on_promote));
  out += show_lags("replay_lag", database.replay_lag) + show_lags("truncation_lag", database.truncation_lag);
  return out;
}

std::string show_transport(const TransportConfig& transport) {
  std::string out =
      fmt::format("\n[transport]\nwindow = {}\ncongestion = {}\ncompression = {}\ncompression_memory = {}\nstreams = {}\n", quoted(transport.window),
                  quoted(transport.congestion), quoted(transport.compression), size_text(transport.compression_memory_bytes), quoted(transport.streams));
  out += fmt::format("seed_rate = {}\n", rate_text(transport.seed_bytes_per_second));
  out += fmt::format("heartbeat = {{ interval = {}, missed = {} }}\n", duration_text(transport.heartbeat_interval),
                     transport.heartbeat_missed);
  return out;
}

}  // namespace

std::string show_config(const Config& config) {
  std::string out = fmt::format("cluster = {}\nstate_dir = {}\ncontrol_socket = {}\n", quoted(config.cluster),
                                quoted(config.state_dir), quoted(config.control_socket));
  for (const auto& [name, node] : config.nodes) {
    const auto text = [](const transport::Endpoint& endpoint) { return endpoint.text(); };
    out += fmt::format("\n[nodes.{}]\naddresses = {}\n", name, list_of(node.addresses, text));
    if (!node.pins.empty()) out += fmt::format("pins = {}\n", list_of(node.pins, itself));
  }
  out += show_tls(config);
  for (const auto& [name, database] : config.databases) out += show_database(database);
  out += show_transport(config.transport);
  out += fmt::format("\n[verify]\nrate = {}\n", rate_text(config.verify_bytes_per_second));
  const ScrubConfig& scrub = config.scrub;
  return out + fmt::format("\n[scrub]\nevery = {}\nrate = {}\nwhen = \"{}\"\n", scrub.every > Duration::zero() ? duration_text(scrub.every) : quoted("off"),
                           rate_text(scrub.bytes_per_second), scrub.only_idle ? "idle" : "always");
}

}  // namespace ccr::engine
