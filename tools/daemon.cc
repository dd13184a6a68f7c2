#include "tools/daemon.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "engine/control_server.h"
#include "storage/sqlite/sqlite_source.h"
#include "storage/system_disk.h"
#include "tools/config_changes.h"
#include "tools/config_file.h"
#include "tools/tcp_setup.h"
#include "tools/tls_setup.h"

namespace ccr::tools {
namespace {

std::unique_ptr<storage::LogSource> open_source(engine::NodeContext& context, const engine::DatabaseConfig& database,
                                                std::optional<storage::SourceCursor> cursor) {
  storage::SqliteSourceOptions options;
  options.path = database.path;
  options.cursor = cursor;
  options.wal_limit_bytes = database.wal_limit_bytes;
  options.wal_budget_bytes = database.wal_budget_bytes;
  return storage::open_sqlite_source(context.executor, context.clock, std::move(options));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

Result<DaemonSetup> Daemon::prepare(const std::string& config_file, const std::string& node) {
  DaemonSetup setup;
  setup.config_file = config_file;
  Result<engine::Config> config = load_config(config_file, node);
  if (!config.ok()) return config.error();
  setup.config = std::move(*config);
  if (!setup.config.tls_off) {
    Result<std::shared_ptr<const transport::TlsIdentity>> loaded = load_identity(setup.config);
    if (!loaded.ok()) return loaded.error();
    setup.identity = std::move(*loaded);
  }
  Result<TcpSetup> tcp = tcp_setup(setup.config.transport);
  if (!tcp.ok()) return tcp.error();
  setup.tcp = std::move(tcp->settings);
  if (!tcp->warning.empty()) setup.config.warnings.push_back(tcp->warning);
  return setup;
}

Daemon::Daemon(asio::io_context& context, DaemonSetup setup, Trace& trace)
    : executor_(context.get_executor()),
      config_file_(std::move(setup.config_file)),
      config_(std::move(setup.config)),
      trace_(trace),
      disk_(storage::open_system_disk(executor_, storage::DiskChoice::automatic)),
      tcp_(executor_, std::move(setup.tcp)) {
  if (setup.identity == nullptr) return;
  tls_.emplace(tcp_, clock_, node_addresses(config_), std::move(setup.identity));
  hold_to_rules(config_, *tls_);
}

Task<Result<void>> Daemon::run(Beside beside) {
  const std::string state_dir = config_.state_dir;
  CCR_CO_TRY(co_await disk_->make_directories(state_dir));
  const Result<storage::DirectoryLock> lock = storage::lock_directory(state_dir);
  if (!lock) co_return lock.error();
  const Result<std::vector<storage::DirectoryLock>> logs = co_await claim_logs();
  if (!logs) co_return logs.error();
  transport::Network& network = tls_ ? static_cast<transport::Network&>(*tls_) : tcp_;
  engine::Node node(executor_, clock_, *disk_, network, Random(seed_of_the_machine()), trace_, config_, open_source,
                    &cpu_, &programs_);
  engine::ControlServer server(executor_, config_.control_socket, node);
  CCR_CO_TRY(server.bind());
  TaskGroup group(executor_);
  group.spawn(node.run());
  group.spawn(server.run());
  beside(node, group);
  group.spawn(give_back_memory());
  const Result<void> ended = co_await group.join();
  const Event stopped{"node_stopped", config_.node, {}};
  trace_.record(stopped);
  co_return ended;
}

// A second daemon may have a state directory of its own, even a copy of ours, and still name our logs. A directory that cannot be
// claimed for another reason is its copy's trouble, which status shows; the others are served.
Task<Result<std::vector<storage::DirectoryLock>>> Daemon::claim_logs() {
  std::vector<storage::DirectoryLock> claimed;
  for (const auto& [name, database] : config_.databases) {
    if (std::find(database.copies.begin(), database.copies.end(), config_.node) == database.copies.end()) continue;
    const std::string logs = database.logs;
    const Result<void> made = co_await disk_->make_directories(logs);
    if (!made) continue;
    Result<storage::DirectoryLock> claim = storage::claim_directory(logs);
    if (claim) {
      claimed.push_back(std::move(*claim));
    } else if (claim.error().kind == ErrorKind::busy) {
      co_return claim.error();
    }
  }
  co_return std::move(claimed);
}

// Of the whole process, and so nothing that a node does.
Task<Result<void>> Daemon::give_back_memory() {
  constexpr Duration turn = std::chrono::seconds(30);
  for (;;) {
    co_await clock_.sleep(turn);
    AlignedBuffer::give_back_unused();
  }
}

void Daemon::read_again(engine::Node& node) {
  read_config_again(node);
  read_certificate_again(node);
}

// Whom to believe and how far copies are delayed is in force at once. Of all else it says what a restart would change; what runs goes on as it is.
void Daemon::read_config_again(engine::Node& node) {
  const Result<engine::Config> config = load_config(config_file_, config_.node);
  if (!config) {
    node.events().record({"config_refused", config_.node, {{"cause", config.error().message}, {"hint", config.error().hint}}});
    return;
  }
  const std::vector<std::string> changes = config_changes(config_, *config);
  config_.tls_denied = config->tls_denied;
  for (auto& [name, known] : config_.nodes) {
    if (const auto read = config->nodes.find(name); read != config->nodes.end()) known.pins = read->second.pins;
  }
  for (auto& [name, known] : config_.databases) {
    const auto read = config->databases.find(name);
    if (read == config->databases.end()) continue;
    known.replay_lag = read->second.replay_lag;
    known.truncation_lag = read->second.truncation_lag;
  }
  node.take_lags(*config);
  if (tls_) hold_to_rules(config_, *tls_);
  const bool restart = !config_changes(config_, *config).empty();
  node.events().record({"config_read",
                        config_.node,
                        {{"changes", changes.empty() ? "none" : joined(changes)}, {"restart", restart ? "needed" : "no"}}});
}

// Open sessions stay; a file that is no good leaves what was in force.
void Daemon::read_certificate_again(engine::Node& node) {
  if (!tls_) return;
  Result<std::shared_ptr<const transport::TlsIdentity>> identity = load_identity(config_);
  if (!identity.ok()) {
    const Error& error = identity.error();
    node.events().record({"certificate_refused", config_.node, {{"cause", error.message}, {"hint", error.hint}, {"in_force", "the one before"}}});
    return;
  }
  const transport::CertificateFacts& facts = (*identity)->facts();
  node.events().record({"certificate_read", config_.node, {{"expires", to_rfc3339(facts.not_after)}, {"sha256", facts.fingerprint}}});
  tls_->use(std::move(*identity));
  node.look_at_certificate();
}

}  // namespace ccr::tools
