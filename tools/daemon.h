// Daemon is one node put together from the seams of production: what `ccr serve` runs in the foreground, and a program in itself (library/).
//
// prepare() reads the configuration and what it names (certificates, sysctls), and changes nothing. run() claims the node's directories, serves
// its control socket, and completes with the node: stopped with the caller, or with the first error of any part. read_again() is what SIGHUP asks for,
// and the command `reload`: one reading at a time, and a reading that began is carried out though whoever asked for it left.
// Lifetime: the io_context outlives it, and its thread alone runs it; stop the context behind run(), the disk may still watch its ring.
// Threads: the context's, one. Bounds: the node's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "base/system_clock.h"
#include "engine/node.h"
#include "storage/cpu_threads.h"
#include "storage/directory_lock.h"
#include "storage/disk.h"
#include "tools/host_programs.h"
#include "transport/tcp_network.h"
#include "transport/tls_network.h"

namespace ccr::tools {

struct DaemonSetup {
  std::string config_file;
  engine::Config config;  // its warnings, and those of this host
  transport::TcpSettings tcp;
  std::shared_ptr<const transport::TlsIdentity> identity;  // none where [tls] says mode = "off"
};

class Daemon final : private engine::ControlHandler {
 public:
  // Spawns what lives beside the node, whose first steps, and the control socket's, come before theirs.
  using Beside = std::function<void(engine::Node& node, TaskGroup& group)>;

  static Result<DaemonSetup> prepare(const std::string& config_file, const std::string& node);

  Daemon(asio::io_context& context, DaemonSetup setup, Trace& trace);

  Task<Result<void>> run(Beside beside);
  // The configuration and the certificate: what of them is in force at once, and events for the rest. While run() runs, in a group of it.
  Task<Result<void>> read_again();
  Clock& clock() noexcept { return clock_; }

 private:
  // What a reading of the configuration does, or would do.
  struct Reading {
    std::vector<std::string> keys;  // that differ from what is in force
    std::vector<engine::MembershipChange> copies;
    bool restart = false;           // the rest of it needs one
  };
  struct Asked;
  class Turn;

  Task<Result<nlohmann::json>> handle(engine::ControlRequest request, engine::ControlReply& reply) override;
  Task<Result<nlohmann::json>> reload(engine::ControlRequest request);
  Task<Result<void>> answer_reload(std::shared_ptr<Asked> asked);
  Task<Result<void>> claim_logs();
  Task<Result<void>> claim_log(const engine::DatabaseConfig& database);
  Task<Result<void>> give_back_memory();
  Task<Result<Reading>> judge(const engine::Config& read);
  Task<Result<Reading>> read_config_again();
  Task<Result<void>> take_copies(const engine::Config& read, const std::vector<engine::MembershipChange>& changes);
  void read_certificate_again();

  Executor executor_;
  std::string config_file_;
  engine::Config config_;
  Trace& trace_;
  SystemClock clock_;
  std::unique_ptr<storage::Disk> disk_;
  storage::CpuThreads cpu_;
  HostPrograms programs_{clock_};
  transport::TcpNetwork tcp_;
  std::optional<transport::TlsNetwork> tls_;
  std::map<std::string, storage::DirectoryLock> claims_;  // of log directories, by database
  engine::Node* node_ = nullptr;   // while run() runs, as the next
  TaskGroup* group_ = nullptr;
  bool reading_ = false;
  Signal reading_over_;
};

}  // namespace ccr::tools
