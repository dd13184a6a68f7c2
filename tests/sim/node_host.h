// NodeHost is one machine of a world: a disk and addresses that stay, and one node at a time that lives on them.
//
// start() makes the next Incarnation and runs the factory's task on it. kill() ends it at once, at any event: the disk is severed
// with a crash of the given style, the network dies (process_only: the kernel closes the connections; else the machine vanishes),
// the task is stopped and unwound, all while virtual time stands still. The next start() finds what the crash left. stop() ends it
// politely: the task is stopped, its last operations take their time. A node that returns by itself is not alive; outcome() says
// how it ended. freeze() holds back everything that the node waits for (SIGSTOP, a paused machine) until thaw(); time and its peers
// go on. Call all of it from outside the executor: between steps, or in an event of the world. Lifetime: world and network outlive
// it; the destructor kills. Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "base/trace.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_network.h"

namespace ccr::sim {

// Feeds the world's trace hash, and who listens.
class SimTrace final : public Trace {
 public:
  SimTrace(World& world, std::string node) : world_(world), node_(std::move(node)) {}
  void record(const Event& event) override;
  std::function<void(const std::string& node, const Event&)> listener;

 private:
  World& world_;
  std::string node_;
};

// What one life of a node is given; all of it dies with it.
struct Incarnation {
  std::string name;
  std::uint64_t number = 0;  // of the life, from 1
  Executor executor;
  std::unique_ptr<SimClock> clock;
  std::unique_ptr<storage::Disk> disk;
  std::unique_ptr<transport::Network> network;
  Random random{0};
  Trace* trace = nullptr;
};

struct NodeHostOptions {
  std::string name;
  std::vector<std::string> addresses;
  DiskOptions disk;
  std::int64_t drift_ppm = 0;
  Duration wall_offset{0};
};

class NodeHost {
 public:
  using Factory = std::function<Task<Result<void>>(Incarnation&)>;

  NodeHost(World& world, SimNetwork& network, NodeHostOptions options, Factory factory);
  ~NodeHost();
  NodeHost(const NodeHost&) = delete;
  NodeHost& operator=(const NodeHost&) = delete;

  void start();
  void kill(CrashStyle style);
  void ask_to_stop();                                    // politely, thawed if need be; alive() becomes false in its time
  Ended stop(Duration limit = std::chrono::minutes(5));  // asks, and runs the world until it has
  bool alive() const noexcept { return life_ != nullptr && life_->group.running() > 0; }
  // Of the last life that ended; ok also when it was stopped. None while it runs.
  const std::optional<Result<void>>& outcome() const noexcept { return outcome_; }

  // A task beside the node's own, in its life: ends with it. The error of it is dropped.
  void run_in_life(Task<Result<void>> task);

  void freeze();
  void thaw();
  bool frozen() const noexcept { return frozen_; }
  void jump_wall(Duration by);
  void limit_descriptors(bool none);  // of files and connections; its next lives have none either, until it is over

  SimDisk& disk() noexcept { return disk_; }
  HostId host() const noexcept { return host_; }
  SimTrace& trace() noexcept { return trace_; }
  const std::string& name() const noexcept { return options_.name; }
  std::uint64_t lives() const noexcept { return lives_; }

 private:
  struct Life {
    explicit Life(const Executor& executor) : group(executor) {}
    Incarnation incarnation;
    TaskGroup group;
  };

  Task<Result<void>> run(Life& life);
  void bury();  // a life whose task has ended

  World& world_;
  SimNetwork& network_;
  NodeHostOptions options_;
  Factory factory_;
  SimDisk disk_;
  SimTrace trace_;
  Random random_;
  ClockState clock_;
  HostId host_;
  std::unique_ptr<Life> life_;
  std::optional<Result<void>> outcome_;
  std::uint64_t lives_ = 0;
  bool frozen_ = false;
};

}  // namespace ccr::sim
