// Cluster is a handful of whole nodes in one world: alpha begins with the active copies, the others with passive ones. Source kind `pages`.
//
// commit() runs a transaction on the active node's store and remembers what was acknowledged: the model that every copy is held against.
// Threads: one. Lifetime: the world outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/node.h"
#include "tests/sim/node_host.h"

namespace ccr::sim {

struct ClusterOptions {
  std::vector<std::string> nodes = {"alpha", "beta"};
  std::uint64_t generation_bytes = 256 * KiB;
  std::uint32_t page_size = 512;
  std::uint64_t log_budget_bytes = 64 * GiB;
  bool seed_auto = false;
  engine::CommitMode commit = engine::CommitMode::async;
  Duration commit_fallback{0};
  std::map<std::string, Duration> replay_lag, truncation_lag;  // of copies
  int paths = 1;  // addresses of each node: 10.77.0.N, then 10.78.0.N
  std::string compression = "none";
  std::string streams = "auto";  // of a seed
  std::uint64_t compression_memory_bytes = 64 * MiB;
  engine::ScrubConfig scrub{std::chrono::seconds(0), 0, false};  // off
  engine::SourceFactory sqlite;  // makes the database one whose source is another's
  Programs* programs = nullptr;  // of all nodes: CCR_NODE tells which
  std::function<void(const std::string& node, engine::Config& config)> configure;  // what is not the same on every node
  DiskOptions disk;
  NetworkOptions network;
  // Puts another Network over a node's simulated one, TLS say; none: the simulated one proves no names.
  std::function<std::unique_ptr<transport::Network>(const std::string& node, Incarnation& life)> over_network;
};

class Cluster {
 public:
  static constexpr const char* database = "orders";

  Cluster(World& world, ClusterOptions options);
  ~Cluster();

  static std::string address(std::size_t node, int path) {
    return "10." + std::to_string(77 + path) + ".0." + std::to_string(node + 1);
  }
  NodeHost& host(const std::string& name) { return *hosts_.at(name); }
  SimNetwork& network() noexcept { return network_; }
  const std::vector<std::string>& names() const noexcept { return options_.nodes; }
  std::uint32_t page_size() const noexcept { return options_.page_size; }
  engine::Node* node(const std::string& name);            // null while it is not running
  engine::Config config_of(const std::string& name) const;  // as its next start reads it
  engine::Hosted* hosted(const std::string& name);        // null: not running, or it has no copy
  std::string active_node();                              // that serves, or did last, in the highest epoch there was; alpha at first
  engine::ActiveCopy* active();                           // of that node, when it is mounted
  engine::ActiveCopy* active(const std::string& name);
  engine::PassiveCopy* passive(const std::string& name);  // where it is a passive one
  std::string state(const std::string& name);             // "" when not running, or without a copy

  void start_all();
  // A transaction on `pages` with content drawn from `random`; pending until the store answers. False: nobody serves, or not that node.
  bool commit(Random& random, std::vector<PageNumber> pages);
  bool commit_at(const std::string& name, Random& random, std::vector<PageNumber> pages);
  // What was written since `mark` is given up by a person: copies hold nothing of it.
  std::size_t mark() const noexcept { return history_.size(); }
  void give_up_since(std::size_t mark) { history_.resize(mark); }
  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  std::uint64_t pending() const noexcept { return pending_; }

  // A command of `ccr`, as JSON: its answer is dropped, and whatever it began goes on.
  void request(const std::string& name, const std::string& line);
  // Operators. Each is the node's own work, as behind its control socket, and ends before it; no effect while the copy is not open.
  void request_seed(const std::string& name, engine::SeedRequest request = {});
  void request_suspend(const std::string& name);
  void request_resume(const std::string& name);

  // With the node down: its page file; whether it holds every acknowledged commit (a page may also hold a newer one that was never
  // answered). The oracle of FAULTS invariants 1 and 3.
  Result<Bytes> page_file_of(const std::string& name);
  Result<void> check_content(const Bytes& content, const std::string& where) const;
  std::vector<std::string> events_of(const std::string& event) const;
  std::string story() const;  // every event so far, a line each, with its virtual time
  // Puts what the test itself does into the story, and into the world's trace.
  void remark(const std::string& text);
  std::function<void(const std::string& node, const Event&)> on_event;

 private:
  struct Written {
    std::uint64_t sequence = 0;
    std::map<PageNumber, Digest64> pages;
    bool acknowledged = false;
  };

  Digest64 zero_digest(PageNumber page) const;
  Task<Result<void>> live(std::string name, Incarnation& incarnation);
  Task<Result<void>> commit_task(engine::PageStore& store, std::vector<engine::PageWrite> writes, std::shared_ptr<Written> written);

  World& world_;
  ClusterOptions options_;
  std::string served_by_;
  Epoch served_epoch_ = 0;
  SimNetwork network_;
  std::map<std::string, std::unique_ptr<NodeHost>> hosts_;
  std::map<std::string, engine::Node*> nodes_;
  std::vector<std::shared_ptr<Written>> history_;  // in the order of the calls
  struct Told {
    Instant at;
    std::string node;
    Event event;
  };
  std::vector<Told> events_;
  std::uint64_t acknowledged_ = 0, pending_ = 0, sequence_ = 0;
};

}  // namespace ccr::sim
