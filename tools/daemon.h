// Daemon is one node put together from the seams of production: what `ccr serve` runs in the foreground, and a program in itself (library/).
//
// prepare() reads the configuration and what it names (certificates, sysctls), and changes nothing. run() claims the node's directories, serves
// its control socket, and completes with the node: stopped with the caller, or with the first error of any part. read_again() is what SIGHUP asks for.
// Lifetime: the io_context outlives it, and its thread alone runs it; stop the context behind run(), the disk may still watch its ring.
// Threads: the context's, one. Bounds: the node's.
#pragma once

#include <functional>
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

class Daemon {
 public:
  // Spawns what lives beside the node, whose first steps, and the control socket's, come before theirs.
  using Beside = std::function<void(engine::Node& node, TaskGroup& group)>;

  static Result<DaemonSetup> prepare(const std::string& config_file, const std::string& node);

  Daemon(asio::io_context& context, DaemonSetup setup, Trace& trace);

  Task<Result<void>> run(Beside beside);
  void read_again(engine::Node& node);  // the configuration and the certificate; what of them is in force at once, and events for the rest
  Clock& clock() noexcept { return clock_; }

 private:
  Task<Result<std::vector<storage::DirectoryLock>>> claim_logs();
  Task<Result<void>> give_back_memory();
  void read_config_again(engine::Node& node);
  void read_certificate_again(engine::Node& node);

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
};

}  // namespace ccr::tools
