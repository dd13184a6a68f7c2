#include "tools/daemon.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

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
      tcp_(executor_, std::move(setup.tcp)),
      reading_over_(executor_) {
  if (setup.identity == nullptr) return;
  tls_.emplace(tcp_, clock_, node_addresses(config_), std::move(setup.identity));
  hold_to_rules(config_, *tls_);
}

Task<Result<void>> Daemon::run(Beside beside) {
  const std::string state_dir = config_.state_dir;
  CCR_CO_TRY(co_await disk_->make_directories(state_dir));
  const Result<storage::DirectoryLock> lock = storage::lock_directory(state_dir);
  if (!lock) co_return lock.error();
  CCR_CO_TRY(co_await claim_logs());
  transport::Network& network = tls_ ? static_cast<transport::Network&>(*tls_) : tcp_;
  engine::Node node(executor_, clock_, *disk_, network, Random(seed_of_the_machine()), trace_, config_, open_source,
                    &cpu_, &programs_);
  engine::ControlServer server(executor_, config_.control_socket, *this);
  CCR_CO_TRY(server.bind());
  TaskGroup group(executor_);
  struct Running {
    Daemon& daemon;
    Running(Daemon& d, engine::Node& node, TaskGroup& group) : daemon(d) {
      daemon.node_ = &node;
      daemon.group_ = &group;
    }
    ~Running() {
      daemon.node_ = nullptr;
      daemon.group_ = nullptr;
      daemon.claims_.clear();
    }
  } running(*this, node, group);
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
Task<Result<void>> Daemon::claim_log(const engine::DatabaseConfig& database) {
  const std::string name = database.name, logs = database.logs;
  const Result<void> made = co_await disk_->make_directories(logs);
  if (!made) co_return Result<void>();
  Result<storage::DirectoryLock> claim = storage::claim_directory(logs);
  if (claim) claims_.insert_or_assign(name, std::move(*claim));
  else if (claim.error().kind == ErrorKind::busy) co_return claim.error();
  co_return Result<void>();
}

Task<Result<void>> Daemon::claim_logs() {
  for (const auto& [name, database] : config_.databases) {
    if (!database.has_copy(config_.node)) continue;
    CCR_CO_TRY(co_await claim_log(database));
  }
  co_return Result<void>();
}

// Of the whole process, and so nothing that a node does.
Task<Result<void>> Daemon::give_back_memory() {
  constexpr Duration turn = std::chrono::seconds(30);
  for (;;) {
    co_await clock_.sleep(turn);
    AlignedBuffer::give_back_unused();
  }
}

// --- reading again ---------------------------------------------------------------------------------------------------------

namespace {

// Whom to believe and how far copies are delayed.
void take_at_once(engine::Config& in_force, const engine::Config& read) {
  in_force.tls_denied = read.tls_denied;
  for (auto& [name, known] : in_force.nodes) {
    if (const auto found = read.nodes.find(name); found != read.nodes.end()) known.pins = found->second.pins;
  }
  for (auto& [name, known] : in_force.databases) {
    const auto found = read.databases.find(name);
    if (found == read.databases.end()) continue;
    known.replay_lag = found->second.replay_lag;
    known.truncation_lag = found->second.truncation_lag;
    known.retention = found->second.retention;
  }
}

// A delay that goes with its copy stays where the copy does.
engine::Config without_copies_refused(const engine::Config& in_force, engine::Config read) {
  for (const engine::MembershipChange& change : engine::membership_changes(in_force, read)) read.databases.erase(change.database);
  return read;
}

}  // namespace

// One reading at a time, those that only ask included: each judges by what is in force.
class Daemon::Turn {
 public:
  explicit Turn(Daemon& daemon) : daemon_(daemon) { daemon_.reading_ = true; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    daemon_.reading_ = false;
    daemon_.reading_over_.notify();
  }

 private:
  Daemon& daemon_;
};

struct Daemon::Asked {
  explicit Asked(const Executor& executor) : done(executor) {}
  std::optional<Result<Reading>> answer;
  Signal done;
};

Task<Result<void>> Daemon::read_again() {
  const Result<Reading> reading = co_await read_config_again();
  read_certificate_again();
  co_return reading.ok() ? Result<void>() : reading.error();
}

// What it would do, with nothing of it done. refused: copies that it may not take or bring.
Task<Result<Daemon::Reading>> Daemon::judge(const engine::Config& read) {
  Reading reading;
  reading.keys = config_changes(config_, read);
  Result<std::vector<engine::MembershipChange>> copies = co_await node_->judge_membership(read);
  if (!copies.ok()) co_return copies.error();
  reading.copies = std::move(*copies);
  engine::Config after = config_;
  engine::take_membership(after, read, reading.copies);
  take_at_once(after, read);
  reading.restart = !config_changes(after, read).empty();
  co_return std::move(reading);
}

// New copies claim their logs before anything changes; those of copies that went are given back when these have ended.
Task<Result<void>> Daemon::take_copies(const engine::Config& read, const std::vector<engine::MembershipChange>& changes) {
  using Here = engine::MembershipChange::Here;
  for (const engine::MembershipChange& change : changes) {
    if (change.here != Here::begins) continue;
    const Result<void> claimed = co_await claim_log(read.databases.at(change.database));
    if (claimed.ok()) continue;
    for (const engine::MembershipChange& each : changes)
      if (each.here == Here::begins) claims_.erase(each.database);
    co_return claimed;
  }
  const Result<void> taken = co_await node_->take_membership(read, changes);
  for (const engine::MembershipChange& change : changes)
    if (change.here == Here::ends) claims_.erase(change.database);
  engine::take_membership(config_, read, changes);
  co_return taken;
}

// Whom to believe, how far copies are delayed and which copies there are is in force at once. Of all else it says what a restart would change; what runs
// goes on as it is.
Task<Result<Daemon::Reading>> Daemon::read_config_again() {
  while (reading_) co_await reading_over_.wait();
  const Turn turn(*this);
  const Result<engine::Config> config = load_config(config_file_, config_.node);
  if (!config) {
    const Event event{"config_refused", config_.node, {{"cause", config.error().message}, {"hint", config.error().hint}}};
    node_->events().record(event);
    co_return config.error();
  }
  const std::vector<std::string> keys = config_changes(config_, *config);
  Result<Reading> reading = co_await judge(*config);
  const engine::Config at_once = reading.ok() ? *config : without_copies_refused(config_, *config);
  take_at_once(config_, at_once);
  node_->take_lags(at_once);
  if (tls_) hold_to_rules(config_, *tls_);
  if (reading.ok()) {
    const Result<void> taken = co_await take_copies(*config, reading->copies);
    if (!taken.ok()) reading = taken.error();
  }
  const bool restart = !config_changes(config_, *config).empty();
  Event event{"config_read", config_.node, {{"changes", keys.empty() ? "none" : joined(keys)}, {"restart", restart ? "needed" : "no"}}};
  if (!reading.ok()) event.fields.insert(event.fields.end(), {{"refused", reading.error().message}, {"hint", reading.error().hint}});
  node_->events().record(event);
  co_return std::move(reading);
}

// --- commands --------------------------------------------------------------------------------------------------------------

Task<Result<nlohmann::json>> Daemon::handle(engine::ControlRequest request, engine::ControlReply& reply) {
  CCR_ASSERT(node_ != nullptr && group_ != nullptr);
  if (request.command() == "reload") co_return co_await reload(std::move(request));
  co_return co_await node_->handle(std::move(request), reply);
}

Task<Result<void>> Daemon::answer_reload(std::shared_ptr<Asked> asked) {
  asked->answer = co_await read_config_again();
  asked->done.notify();
  co_return Result<void>();
}

// With a text, and dry_run: what a file with it would do.
Task<Result<nlohmann::json>> Daemon::reload(engine::ControlRequest request) {
  const Result<std::string> text = request.text("text");
  const Result<bool> dry_run = request.flag("dry_run");
  if (!text.ok()) co_return text.error();
  if (!dry_run.ok()) co_return dry_run.error();
  std::optional<Result<Reading>> reading;
  if (*dry_run) {
    const Result<engine::Config> config =
        text->empty() ? load_config(config_file_, config_.node) : engine::parse_config(*text, config_file_, config_.node);
    if (!config.ok()) co_return config.error();
    while (reading_) co_await reading_over_.wait();
    const Turn turn(*this);
    reading = co_await judge(*config);
  } else {
    auto asked = std::make_shared<Asked>(executor_);
    group_->spawn(answer_reload(asked), TaskGroup::OnError::keep_others);
    while (!asked->answer) co_await asked->done.wait();
    reading = std::move(asked->answer);
  }
  if (!reading->ok()) co_return reading->error();
  nlohmann::json result{{"schema", 1}, {"dry_run", *dry_run}, {"changes", (*reading)->keys}, {"copies", nlohmann::json::array()}, {"restart", (*reading)->restart}};
  for (const engine::MembershipChange& change : (*reading)->copies) result["copies"].push_back(change.text());
  co_return result;
}

// Open sessions stay; a file that is no good leaves what was in force.
void Daemon::read_certificate_again() {
  if (!tls_) return;
  Result<std::shared_ptr<const transport::TlsIdentity>> identity = load_identity(config_);
  if (!identity.ok()) {
    const Error& error = identity.error();
    node_->events().record({"certificate_refused", config_.node, {{"cause", error.message}, {"hint", error.hint}, {"in_force", "the one before"}}});
    return;
  }
  const transport::CertificateFacts& facts = (*identity)->facts();
  node_->events().record({"certificate_read", config_.node, {{"expires", to_rfc3339(facts.not_after)}, {"sha256", facts.fingerprint}}});
  tls_->use(std::move(*identity));
  node_->look_at_certificate();
}

}  // namespace ccr::tools
