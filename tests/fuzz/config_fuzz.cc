// Any text as the configuration file, read as the daemon reads it: what is refused has words and a place, what is accepted keeps what
// engine/config.h promises. Then the edits of `ccr add` and `ccr forget`: each says why not, or gives a text that says exactly what was meant.
#include <algorithm>
#include <bit>
#include <set>

#include "engine/config.h"
#include "engine/config_table.h"
#include "storage/log_format.h"
#include "tools/config_changes.h"
#include "tools/config_edit.h"

namespace {

using namespace ccr;
using namespace ccr::engine;

const std::string file_name = "ccr.toml";

Result<Config> read(const std::string& text, const std::string& node) {
  Result<Config> config = parse_config(text, file_name, node);
  if (!config.ok()) CCR_ASSERT(config.error().kind == ErrorKind::config && config.error().message.starts_with(file_name + ":"));
  return config;
}

bool is_place(const std::string& path) { return path.starts_with("/") && path.find('\0') == std::string::npos; }

void check_database(const Config& config, const DatabaseConfig& database) {
  CCR_ASSERT(valid_name(database.name) && is_place(database.path) && is_place(database.logs) && database.path != database.logs);
  CCR_ASSERT(!database.copies.empty() && std::set(database.copies.begin(), database.copies.end()).size() == database.copies.size());
  for (const std::string& copy : database.copies) CCR_ASSERT(config.nodes.contains(copy));
  for (const auto* lags : {&database.replay_lag, &database.truncation_lag}) {
    for (const auto& [copy, lag] : *lags) CCR_ASSERT(database.has_copy(copy) && lag >= Duration::zero() && lag <= std::chrono::hours(14 * 24));
  }
  CCR_ASSERT(storage::valid_page_size(database.page_size) && storage::valid_generation_bytes(database.generation_bytes));
  CCR_ASSERT(database.log_budget_bytes >= 4 * database.generation_bytes && database.log_budget_bytes <= size_limit);
  CCR_ASSERT(database.wal_budget_bytes == 0 || database.wal_budget_bytes >= database.wal_limit_bytes);
  const bool pages = database.kind == DatabaseKind::pages;
  CCR_ASSERT(pages || (database.commit == CommitMode::async && !database.log_budget_stops));
  CCR_ASSERT(database.commit == CommitMode::async || database.copies.size() > 1);
  CCR_ASSERT(!pages || (database.on_demote.empty() && database.on_promote.empty()));
}

void check_promises(const Config& config) {
  CCR_ASSERT(valid_name(config.cluster) && !config.nodes.empty() && (config.node.empty() || config.nodes.contains(config.node)));
  for (const std::string* path : {&config.state_dir, &config.control_socket, &config.tls_ca, &config.tls_cert, &config.tls_key}) {
    CCR_ASSERT(is_place(*path) && (config.node.empty() || path->find("{node}") == std::string::npos));
  }
  std::set<transport::Endpoint> addresses;
  for (const auto& [name, node] : config.nodes) {
    CCR_ASSERT(valid_name(name) && name == node.name && node.pins.size() <= pins_max);
    CCR_ASSERT(!node.addresses.empty() && node.addresses.size() <= addresses_max);
    for (const transport::Endpoint& address : node.addresses) {
      const Result<transport::Endpoint> again = transport::parse_endpoint(address.text());
      CCR_ASSERT(again.ok() && *again == address && addresses.insert(address).second);
    }
  }
  CCR_ASSERT(config.tls_denied.size() <= denied_max);
  CCR_ASSERT(config.transport.window_bytes <= 512 * MiB && (config.transport.window_bytes != 0) == (config.transport.window != "auto"));
  CCR_ASSERT(config.transport.heartbeat_missed >= 2 && config.transport.heartbeat_interval >= std::chrono::milliseconds(50));
  CCR_ASSERT(config.transport.silence_max() <= std::chrono::minutes(20));
  std::set<std::string> places;
  for (const auto& [name, database] : config.databases) {
    CCR_ASSERT(name == database.name);
    check_database(config, database);
    if (database.has_copy(config.node)) CCR_ASSERT(places.insert(database.path).second && places.insert(database.logs).second);
  }
}

// Where what is meant is a configuration at all, the new text says exactly that; else it is refused as well.
void check_edit(const std::string& text, const Result<std::string>& edited, const Config& meant) {
  if (!edited.ok()) {
    CCR_ASSERT(edited.error().kind == ErrorKind::config && !edited.error().message.empty() && !edited.error().hint.empty());
    return;
  }
  const Result<Config> after = read(*edited, "");
  const Result<Config> wanted = read(show_config(meant), "");
  CCR_ASSERT(after.ok() == wanted.ok());
  if (after.ok()) CCR_ASSERT(show_config(*after) == show_config(*wanted));
  const std::vector<std::string> lines = tools::changed_lines(text, *edited);
  const auto come = std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("+ "); });
  const auto lines_of = [](const std::string& of) { return std::count(of.begin(), of.end(), '\n') + (of.empty() || of.ends_with("\n") ? 0 : 1); };
  CCR_ASSERT(lines_of(*edited) - lines_of(text) == 2 * come - static_cast<std::ptrdiff_t>(lines.size()));
}

void add_database(const std::string& text, const Config& config) {
  const tools::NewDatabase added{"added", "pages", "/added/{node}/file", "/added/{node}/log", {config.nodes.begin()->first}};
  if (config.databases.contains(added.name)) return;
  Config meant = config;
  DatabaseConfig& database = meant.databases[added.name];
  database.name = added.name;
  database.kind = DatabaseKind::pages;
  database.path = added.path;
  database.logs = added.logs;
  database.copies = added.copies;
  check_edit(text, tools::with_database(text, added), meant);
}

void edit_copies(const std::string& text, const Config& config, const DatabaseConfig& database) {
  const auto other = std::find_if(config.nodes.begin(), config.nodes.end(), [&database](const auto& node) { return !database.has_copy(node.first); });
  if (other != config.nodes.end()) {
    Config meant = config;
    meant.databases[database.name].copies.push_back(other->first);
    check_edit(text, tools::with_copy(text, database.name, other->first), meant);
  }
  if (database.copies.size() == 1) return;  // the database goes as a whole
  for (const std::string& gone : {database.copies.front(), database.copies.back()}) {
    Config meant = config;
    DatabaseConfig& left = meant.databases[database.name];
    std::erase(left.copies, gone);
    left.replay_lag.erase(gone);
    left.truncation_lag.erase(gone);
    check_edit(text, tools::without_copy(text, database.name, gone), meant);
  }
}

void edit(const std::string& text, const Config& config) {
  add_database(text, config);
  for (const auto& [name, database] : config.databases) {
    edit_copies(text, config, database);
    Config meant = config;
    meant.databases.erase(name);
    check_edit(text, tools::without_database(text, name), meant);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const Result<Config> config = read(text, "");
  if (!config.ok()) return 0;
  check_promises(*config);
  const std::string shown = show_config(*config);
  const Result<Config> again = read(shown, "");
  CCR_ASSERT(again.ok() && show_config(*again) == shown && tools::config_changes(*config, *again).empty());
  for (const auto& [name, database] : config->databases) {
    const DatabaseConfig& other = again->databases.at(name);
    CCR_ASSERT(database.retention == other.retention && database.replay_lag == other.replay_lag && database.truncation_lag == other.truncation_lag);
    CCR_ASSERT(database.log_budget_bytes == other.log_budget_bytes && database.commit_fallback == other.commit_fallback && database.path == other.path);
  }
  CCR_ASSERT(config->transport.seed_bytes_per_second == again->transport.seed_bytes_per_second && config->scrub.every == again->scrub.every);
  const Result<Config> here = read(text, config->nodes.begin()->first);
  if (here.ok()) check_promises(*here);
  edit(text, *config);
  return 0;
}
