// ccr serve: one node in the foreground, put together from the seams of production.
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>

#include "base/bytes.h"
#include "base/system_clock.h"
#include "engine/control_server.h"
#include "engine/node.h"
#include "storage/cpu_threads.h"
#include "storage/directory_lock.h"
#include "storage/sqlite/sqlite_source.h"
#include "storage/system_disk.h"
#include "tools/commands.h"
#include "tools/config_changes.h"
#include "tools/config_file.h"
#include "tools/event_line.h"
#include "tools/host_programs.h"
#include "tools/service_notify.h"
#include "tools/tcp_setup.h"
#include "tools/tls_setup.h"
#include "transport/tcp_network.h"
#include "transport/tls_network.h"

namespace ccr::tools {
namespace {

// Events as lines on stderr, where the service manager keeps them.
class LogTrace final : public Trace {
 public:
  explicit LogTrace(Clock& clock) : clock_(clock) {}
  void record(const Event& event) override {
    const std::string line = event_line(event, clock_.wall_now()) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  }

 private:
  Clock& clock_;
};

std::unique_ptr<storage::LogSource> open_source(engine::NodeContext& context, const engine::DatabaseConfig& database,
                                                std::optional<storage::SourceCursor> cursor) {
  storage::SqliteSourceOptions options;
  options.path = database.path;
  options.cursor = cursor;
  options.wal_limit_bytes = database.wal_limit_bytes;
  return storage::open_sqlite_source(context.executor, context.clock, std::move(options));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

class Daemon {
 public:
  // `identity`: none where [tls] says mode = "off".
  Daemon(asio::io_context& context, const CommonOptions& common, engine::Config config, transport::TcpSettings tcp,
         std::shared_ptr<const transport::TlsIdentity> identity)
      : executor_(context.get_executor()),
        common_(common),
        config_(std::move(config)),
        trace_(clock_),
        disk_(storage::open_system_disk(executor_, storage::DiskChoice::automatic)),
        programs_(clock_),
        tcp_(executor_, std::move(tcp)) {
    if (identity == nullptr) return;
    tls_.emplace(tcp_, clock_, node_addresses(config_), std::move(identity));
    hold_to_rules(config_, *tls_);
  }

  Task<Result<void>> run();

 private:
  Task<Result<std::vector<storage::DirectoryLock>>> claim_logs();
  Task<Result<void>> watch_signals(TaskGroup& group, engine::Node& node);
  Task<Result<void>> give_back_memory();
  Task<Result<void>> announce();
  void read_again(engine::Node& node);
  void read_certificate_again(engine::Node& node);

  Executor executor_;
  const CommonOptions& common_;
  engine::Config config_;
  SystemClock clock_;
  LogTrace trace_;
  std::unique_ptr<storage::Disk> disk_;
  storage::CpuThreads cpu_;
  HostPrograms programs_;
  transport::TcpNetwork tcp_;
  std::optional<transport::TlsNetwork> tls_;
};

Task<Result<void>> Daemon::run() {
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
  group.spawn(watch_signals(group, node));
  group.spawn(node.run());
  group.spawn(server.run());
  group.spawn(announce());
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

// Begins after the node's and the server's first steps: the addresses are bound.
Task<Result<void>> Daemon::announce() {
  notify_service("READY=1");
  co_await clock_.sleep(Duration::zero());
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

Task<Result<void>> Daemon::watch_signals(TaskGroup& group, engine::Node& node) {
  // When this ends the signals have their default effect again: a second Ctrl-C ends a node that does not stop.
  asio::signal_set signals(executor_, SIGTERM, SIGINT, SIGHUP);
  for (;;) {
    const int signal = co_await signals.async_wait(asio::use_awaitable);
    if (signal != SIGHUP) {
      const Event stopping{"node_stopping", config_.node, {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}}};
      trace_.record(stopping);
      notify_service("STOPPING=1");
      group.stop();
      co_return Result<void>();
    }
    notify_service("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(clock_.now().nanoseconds / 1000));
    read_again(node);
    read_certificate_again(node);
    notify_service("READY=1");
  }
}

// Whom to believe is in force at once. Of all else it says what a restart would change; what runs goes on as it is.
void Daemon::read_again(engine::Node& node) {
  const Result<engine::Config> config = load_config(common_.config_file, config_.node);
  if (!config) {
    node.events().record({"config_refused", config_.node, {{"cause", config.error().message}, {"hint", config.error().hint}}});
    return;
  }
  const std::vector<std::string> changes = config_changes(config_, *config);
  config_.tls_denied = config->tls_denied;
  for (auto& [name, known] : config_.nodes) {
    if (const auto read = config->nodes.find(name); read != config->nodes.end()) known.pins = read->second.pins;
  }
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

Task<void> keep(Task<Result<void>> task, Result<void>& outcome) { outcome = co_await std::move(task); }

}  // namespace

ExitCode run_serve(const CommonOptions& common) {
  Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  std::shared_ptr<const transport::TlsIdentity> identity;
  if (!config->tls_off) {
    Result<std::shared_ptr<const transport::TlsIdentity>> loaded = load_identity(*config);
    if (!loaded.ok()) return report(loaded.error());
    identity = std::move(*loaded);
  }
  Result<TcpSetup> tcp = tcp_setup(config->transport);
  if (!tcp.ok()) return report(tcp.error());
  if (!tcp->warning.empty()) config->warnings.push_back(tcp->warning);
  for (const std::string& warning : config->warnings) note("warning: " + warning);
  const std::string library = storage::sqlite_warning();
  if (!library.empty()) note("warning: " + library);
  std::signal(SIGPIPE, SIG_IGN);  // a log reader that went away is no reason to end
  asio::io_context context;
  Result<void> outcome;
  Daemon daemon(context, common, std::move(*config), std::move(tcp->settings), std::move(identity));
  asio::co_spawn(context, keep(daemon.run(), outcome), [&context](std::exception_ptr failure) {
    CCR_ASSERT(!failure);
    context.stop();  // the disk may still watch its ring
  });
  context.run();
  return outcome ? ExitCode::done : report(outcome.error());
}

}  // namespace ccr::tools
