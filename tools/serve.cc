// ccr serve: one node in the foreground, until a signal ends it.
#include <csignal>
#include <cstdio>
#include <new>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include "base/assert.h"
#include "storage/sqlite/sqlite_source.h"
#include "tools/commands.h"
#include "tools/daemon.h"
#include "tools/event_line.h"
#include "tools/service_notify.h"

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

Task<Result<void>> reload(Daemon& daemon) {
  notify_service("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(daemon.clock().now().nanoseconds / 1000));
  static_cast<void>(co_await daemon.read_again());  // what was refused is an event
  notify_service("READY=1");
  co_return Result<void>();
}

Task<Result<void>> watch_signals(Executor executor, Daemon& daemon, TaskGroup& group, engine::Node& node, Trace& trace) {
  // When this ends the signals have their default effect again: a second Ctrl-C ends a node that does not stop.
  asio::signal_set signals(executor, SIGTERM, SIGINT, SIGHUP);
  for (;;) {
    const int signal = co_await signals.async_wait(asio::use_awaitable);
    if (signal != SIGHUP) {
      const Event stopping{"node_stopping", node.config().node, {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}}};
      trace.record(stopping);
      notify_service("STOPPING=1");
      group.stop();
      co_return Result<void>();
    }
    group.spawn(reload(daemon), TaskGroup::OnError::keep_others);  // while copies end in their time, signals are heard
  }
}

// Begins after the node's and the server's first steps: the addresses are bound.
Task<Result<void>> announce(Clock& clock) {
  notify_service("READY=1");
  co_await clock.sleep(Duration::zero());
  co_return Result<void>();
}

Task<void> keep(Task<Result<void>> task, Result<void>& outcome) { outcome = co_await std::move(task); }

}  // namespace

ExitCode run_serve(const CommonOptions& common) {
  Result<DaemonSetup> setup = Daemon::prepare(common.config_file, common.node);
  if (!setup.ok()) return report(setup.error());
  for (const std::string& warning : setup->config.warnings) note("warning: " + warning);
  const std::string library = storage::sqlite_warning();
  if (!library.empty()) note("warning: " + library);
  std::set_new_handler(out_of_memory);
  std::signal(SIGPIPE, SIG_IGN);  // a log reader that went away is no reason to end
  asio::io_context context;
  SystemClock clock;
  LogTrace trace(clock);
  Result<void> outcome;
  Daemon daemon(context, std::move(*setup), trace);
  const auto beside = [&](engine::Node& node, TaskGroup& group) {
    group.spawn(watch_signals(context.get_executor(), daemon, group, node, trace));
    group.spawn(announce(daemon.clock()));
  };
  asio::co_spawn(context, keep(daemon.run(beside), outcome), [&context](std::exception_ptr failure) {
    CCR_ASSERT(!failure);
    context.stop();  // the disk may still watch its ring
  });
  context.run();
  return outcome ? ExitCode::done : report(outcome.error());
}

}  // namespace ccr::tools
