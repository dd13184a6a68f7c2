#include "engine/config.h"

#include <algorithm>
#include <bit>
#include <set>

#include <fmt/format.h>

#include "engine/config_application.h"
#include "engine/config_log.h"
#include "engine/config_keys.h"
#include "engine/config_paths.h"
#include "engine/config_table.h"
#include "storage/log_format.h"
#include "transport/log_packer.h"

namespace ccr::engine {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t copies_max = 16;
constexpr std::size_t socket_path_bytes_max = 107;  // sun_path less its zero
constexpr IntegerRange heartbeat_missed_range{2, 20};
constexpr DurationRange heartbeat_interval_range{50ms, 60s};
constexpr SizeRange window_range{4 * KiB, 512 * MiB};  // the kernel counts buffers in 31 bits, its overhead included
constexpr std::size_t congestion_name_max = 15;        // the kernel's TCP_CA_NAME_MAX less its zero
constexpr DurationRange scrub_every_range{1s, 366 * 24h};
constexpr SizeRange compression_memory_range{0, 64 * GiB};  // 0: nothing is packed

// Everything that reading the file gathers beside the Config itself.
struct Reading {
  Config config;
  ConfigPaths paths;
  ConfigFaults faults;
};

void read_addresses(const ConfigTable& table, NodeConfig& node) {
  std::vector<std::string> texts;
  table.require("addresses", "addresses = [\"10.77.0.1:64327\"]");
  if (!table.texts("addresses", texts)) return;
  for (const std::string& text : texts) {
    const Result<transport::Endpoint> endpoint = transport::parse_endpoint(text);
    if (!endpoint)
      return table.fault("addresses", table.label("addresses") + ": " + endpoint.error().message, endpoint.error().hint);
    node.addresses.push_back(*endpoint);
  }
  if (texts.empty() || texts.size() > addresses_max) {
    table.fault("addresses",
                fmt::format("{}: expected 1 to {} addresses, found {}", table.label("addresses"), addresses_max, texts.size()));
  }
}

// Hexadecimal digits as other programs print them too: colons are left out, letters are small.
std::optional<std::string> hex_digits(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == ':') continue;
    const char small = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    if (!((small >= '0' && small <= '9') || (small >= 'a' && small <= 'f'))) return std::nullopt;
    digits += small;
  }
  return digits;
}

// As a certificate's number is shown: whole bytes, none of them a leading zero.
std::string canonical_number(const std::string& digits) {
  const std::size_t first = digits.find_first_not_of('0');
  const std::string rest = first == std::string::npos ? "0" : digits.substr(first);
  return rest.size() % 2 == 0 || rest == "0" ? rest : "0" + rest;
}

struct HexList {
  std::size_t entries_max, digits_min, digits_max;
  bool number;
  const char* of;    // what stands in it
  const char* hint;
};

void read_hex_list(const ConfigTable& table, const char* key, const HexList& list, std::vector<std::string>& out) {
  std::vector<std::string> texts;
  if (!table.texts(key, texts)) return;
  const std::string label = table.label(key);
  if (texts.size() > list.entries_max)
    return table.fault(key, fmt::format("{}: expected at most {}, found {}", label, list.entries_max, texts.size()));
  for (const std::string& text : texts) {
    const std::optional<std::string> digits = hex_digits(text);
    if (!digits || digits->size() < list.digits_min || digits->size() > list.digits_max)
      return table.fault(key, fmt::format("{}: expected {}, found '{}'", label, list.of, text), list.hint);
    out.push_back(list.number ? canonical_number(*digits) : *digits);
  }
}

constexpr HexList pin_list{pins_max, 64, 64, false, "the SHA-256 of a key, 64 hex digits", "ccr cert show has it, behind the key"};
constexpr HexList denied_list{denied_max, 1, 42, true, "the serial number of a certificate in hex", "ccr cert show has it"};

void read_nodes(const ConfigTable& root, Reading& reading) {
  root.require("nodes", "[nodes.alpha]");
  const std::optional<ConfigTable> nodes = root.table("nodes");
  if (!nodes) return;
  std::map<transport::Endpoint, std::string> owners;
  nodes->each_table([&](const std::string& name, const ConfigTable& table) {
    table.only({"addresses", "pins"});
    NodeConfig node;
    node.name = name;
    read_addresses(table, node);
    read_hex_list(table, "pins", pin_list, node.pins);
    for (const transport::Endpoint& address : node.addresses) {
      const auto [owner, fresh] = owners.emplace(address, name);
      if (!fresh)
        table.fault("addresses",
                    fmt::format("{}: {} stands for node {} already", table.label("addresses"), address.text(), owner->second));
    }
    reading.config.nodes.emplace(name, std::move(node));
  });
  if (reading.config.nodes.empty() && reading.faults.empty())
    root.fault("nodes", "nodes: expected at least one node, found none", "such as [nodes.alpha]");
}

void read_tls(const ConfigTable& root, Reading& reading) {
  Config& config = reading.config;
  if (const std::optional<ConfigTable> tls = root.table("tls")) {
    tls->only({"mode", "ca", "cert", "key", "denied"});
    std::string mode = "require";
    tls->word("mode", mode, {"require", "off"});
    tls->path("ca", config.tls_ca);
    tls->path("cert", config.tls_cert);
    tls->path("key", config.tls_key);
    read_hex_list(*tls, "denied", denied_list, config.tls_denied);
    config.tls_off = mode == "off";
  }
  for (std::string* path : {&config.tls_ca, &config.tls_cert, &config.tls_key}) *path = replace_node(*path, config.node);
}

void read_copies(const ConfigTable& table, const Config& config, DatabaseConfig& database) {
  table.require("copies", "copies = [\"alpha\", \"beta\"]");
  if (!table.texts("copies", database.copies)) return;
  const std::string label = table.label("copies");
  if (database.copies.empty() || database.copies.size() > copies_max) {
    table.fault("copies", fmt::format("{}: expected 1 to {} nodes, found {}", label, copies_max, database.copies.size()));
  }
  std::vector<std::string> known;
  for (const auto& [name, node] : config.nodes) known.push_back(name);
  std::set<std::string> seen;
  for (const std::string& copy : database.copies) {
    if (!seen.insert(copy).second) table.fault("copies", fmt::format("{}: node '{}' stands twice", label, copy));
    if (config.nodes.contains(copy)) continue;
    const std::optional<std::string> nearest = did_you_mean(copy, known);
    table.fault("copies", fmt::format("{}: expected nodes of [nodes], found '{}'", label, copy),
                nearest ? fmt::format("did you mean '{}'?", *nearest) : fmt::format("add [nodes.{}]", copy));
  }
}

void read_sizes(const ConfigTable& table, DatabaseConfig& database) {
  std::uint64_t page_size = database.page_size;
  table.size("page_size", page_size, {storage::page_size_min, storage::page_size_max});
  table.size("generation_size", database.generation_bytes, {storage::generation_bytes_min, storage::generation_bytes_max});
  table.size("catch_up_limit", database.catch_up_limit_bytes, {0, size_limit});
  if (!std::has_single_bit(page_size)) {
    table.fault("page_size", fmt::format("{}: expected a power of two, found {}", table.label("page_size"), page_size));
  }
  if (!std::has_single_bit(database.generation_bytes)) {
    table.fault("generation_size",
                fmt::format("{}: expected a power of two, found {}", table.label("generation_size"), database.generation_bytes));
  }
  database.page_size = static_cast<std::uint32_t>(page_size);
}

void read_database(const std::string& name, const ConfigTable& table, Reading& reading) {
  table.only({"kind", "path", "logs", "copies", "generation_size", "log_budget", "log_budget_end", "retention", "wal_budget", "replay_lag", "truncation_lag", "wal_limit", "catch_up_limit",
              "page_size", "seed", "commit", "commit_fallback", "on_demote", "on_promote"});
  DatabaseConfig database;
  database.name = name;
  std::string kind = name_of(database.kind);
  table.word("kind", kind, {"pages", "sqlite"});
  database.kind = kind == "pages" ? DatabaseKind::pages : DatabaseKind::sqlite;
  table.require("path", "path = \"/srv/orders/orders.db\"");
  table.path("path", database.path);
  table.require("logs", "logs = \"/srv/orders-log\"");
  table.path("logs", database.logs);
  read_copies(table, reading.config, database);
  read_sizes(table, database);
  read_log(table, database);
  std::string seed = "manual";
  table.word("seed", seed, {"auto", "manual"});
  database.seed_auto = seed == "auto";
  read_commit(table, database);
  read_commands(table, database);
  reading.paths.databases[name] = {database.path, database.logs, database.kind, database.copies};
  database.path = replace_node(database.path, reading.config.node);
  database.logs = replace_node(database.logs, reading.config.node);
  reading.config.databases.emplace(name, std::move(database));
}

void read_window(const ConfigTable& table, Config& config) {
  std::string& window = config.transport.window;
  table.text("window", window);
  if (window == "auto") return;
  const Result<std::uint64_t> bytes = parse_size(window);
  if (!bytes || *bytes < window_range.low || *bytes > window_range.high) {
    return table.fault("window",
                       fmt::format("{}: expected auto or a size of 4KiB to 512MiB, found '{}'", table.label("window"), window));
  }
  config.transport.window_bytes = *bytes;
}

// Which names there are, the kernel of each host knows: ccr serve and ccr config check ask it.
void read_congestion(const ConfigTable& table, Config& config) {
  std::string& congestion = config.transport.congestion;
  table.text("congestion", congestion);
  const auto legal = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  if (!congestion.empty() && congestion.size() <= congestion_name_max && std::all_of(congestion.begin(), congestion.end(), legal))
    return;
  table.fault("congestion",
              fmt::format("{}: expected auto, default, or a name such as cubic or bbr, found '{}'", table.label("congestion"), congestion));
}

void read_compression(const ConfigTable& table, Config& config) {
  std::string& compression = config.transport.compression;
  table.text("compression", compression);
  if (compression == "auto" || compression == "none") return;
  for (int level = 1; level <= transport::zstd_level_max; ++level) {
    if (compression == fmt::format("zstd:{}", level)) return;
  }
  const std::optional<std::string> nearest = did_you_mean(compression, {"auto", "none", "zstd:1"});
  table.fault(
      "compression",
      fmt::format("{}: expected none, auto or zstd:1..{}, found '{}'", table.label("compression"), transport::zstd_level_max, compression),
      nearest ? fmt::format("did you mean '{}'?", *nearest) : "");
}

void read_streams(const ConfigTable& table, Config& config) {
  std::string& streams = config.transport.streams;
  table.text("streams", streams);
  if (streams == "auto") return;
  for (int count = 1; count <= streams_max; ++count) {
    if (streams == std::to_string(count)) return;
  }
  table.fault("streams",
              fmt::format("{}: expected auto or \"1\" to \"{}\", found '{}'", table.label("streams"), streams_max, streams));
}

void read_transport(const ConfigTable& root, Config& config) {
  const std::optional<ConfigTable> table = root.table("transport");
  if (!table) return;
  table->only({"window", "congestion", "compression", "compression_memory", "streams", "seed_rate", "heartbeat"});
  TransportConfig& transport = config.transport;
  read_window(*table, config);
  read_congestion(*table, config);
  read_compression(*table, config);
  table->size("compression_memory", transport.compression_memory_bytes, compression_memory_range);
  read_streams(*table, config);
  table->rate("seed_rate", transport.seed_bytes_per_second);
  const std::optional<ConfigTable> heartbeat = table->table("heartbeat");
  if (!heartbeat) return;
  heartbeat->only({"interval", "missed"});
  heartbeat->duration("interval", transport.heartbeat_interval, heartbeat_interval_range);
  heartbeat->integer("missed", transport.heartbeat_missed, heartbeat_missed_range);
}

void read_verify(const ConfigTable& root, Config& config) {
  const std::optional<ConfigTable> table = root.table("verify");
  if (!table) return;
  table->only({"rate"});
  table->rate("rate", config.verify_bytes_per_second);
}

void read_scrub(const ConfigTable& root, Config& config) {
  const std::optional<ConfigTable> table = root.table("scrub");
  if (!table) return;
  table->only({"every", "rate", "when"});
  std::string every;
  table->text("every", every);
  if (every == "off") config.scrub.every = Duration::zero();
  if (every != "off") table->duration("every", config.scrub.every, scrub_every_range);
  table->rate("rate", config.scrub.bytes_per_second);
  std::string when = "always";
  table->word("when", when, {"always", "idle"});
  config.scrub.only_idle = when == "idle";
}

void read_places(const ConfigTable& root, Reading& reading) {
  Config& config = reading.config;
  ConfigPaths& paths = reading.paths;
  paths.state_dir = "/var/lib/ccr/{node}";
  root.path("state_dir", paths.state_dir);
  paths.control_socket = paths.state_dir + "/control.sock";
  root.path("control_socket", paths.control_socket);
  config.state_dir = replace_node(paths.state_dir, config.node);
  config.control_socket = replace_node(paths.control_socket, config.node);
  for (std::string* path : {&config.tls_ca, &config.tls_cert, &config.tls_key}) *path = replace_node(*path, config.node);
  if (config.control_socket.size() > socket_path_bytes_max) {
    const char* key = root.has("control_socket") ? "control_socket" : "state_dir";
    root.fault(key,
               fmt::format("control_socket: expected at most {} characters, found {} in '{}'", socket_path_bytes_max,
                           config.control_socket.size(), config.control_socket),
               "set control_socket to a shorter path, such as /run/ccr-{node}.sock");
  }
}

void report_conflict(const ConfigTable& root, const PathConflict& conflict) {
  const std::optional<ConfigTable> databases = conflict.database.empty() ? std::nullopt : root.table("databases");
  const std::optional<ConfigTable> database = databases ? databases->table(conflict.database) : std::nullopt;
  const ConfigTable& place = database ? *database : root;
  place.fault(conflict.key, conflict.message, conflict.hint);
}

void check_node(const ConfigTable& root, const Config& config) {
  if (config.node.empty() || config.nodes.empty() || config.nodes.contains(config.node)) return;
  std::vector<std::string> known;
  for (const auto& [name, node] : config.nodes) known.push_back(name);
  const std::optional<std::string> nearest = did_you_mean(config.node, known);
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  root.fault("nodes", fmt::format("nodes: this node is '{}', expected one of {}", config.node, list),
             nearest ? fmt::format("did you mean '{}'?", *nearest) : "name this node with --node NAME or CCR_NODE");
}

void read_root(const ConfigTable& root, Reading& reading) {
  root.only({"cluster", "state_dir", "control_socket", "nodes", "tls", "databases", "transport", "verify", "scrub"});
  root.require("cluster", "cluster = \"lab\"");
  root.text("cluster", reading.config.cluster);
  if (root.has("cluster") && !valid_name(reading.config.cluster) && reading.faults.empty()) {
    root.fault("cluster", fmt::format("cluster: expected a name of letters, digits, - and _, at most {} of them, found '{}'",
                                      name_characters_max, reading.config.cluster));
  }
  read_nodes(root, reading);
  check_node(root, reading.config);
  read_tls(root, reading);
  read_places(root, reading);
  if (const std::optional<ConfigTable> databases = root.table("databases")) {
    databases->each_table([&](const std::string& name, const ConfigTable& table) { read_database(name, table, reading); });
  }
  read_transport(root, reading.config);
  read_verify(root, reading.config);
  read_scrub(root, reading.config);
  if (!reading.faults.empty()) return;
  const std::optional<PathConflict> conflict = find_path_conflict(reading.paths, reading.config.nodes);
  if (conflict) report_conflict(root, *conflict);
}

}  // namespace

Result<Config> parse_config(const std::string& text, const std::string& file, const std::string& node) {
  Reading reading{{}, {}, ConfigFaults(file)};
  reading.config.node = node;
  if (const std::optional<std::size_t> line = find_deep_key(text))
    return Error{ErrorKind::config, fmt::format("{}:{}:1: a key of more than {} parts", file, *line, key_parts_max), ""};
  try {
    const toml::table document = toml::parse(text, file);
    read_root(ConfigTable(document, "", reading.faults), reading);
  } catch (const toml::parse_error& error) {
    reading.faults.add(error.source(), std::string(error.description()));
  }
  CCR_TRY(reading.faults.first());
  return std::move(reading.config);
}

}  // namespace ccr::engine
