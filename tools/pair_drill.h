// PairDrill plays one drill with two nodes: outage, frozen-node, disk-full, failover or fork (tools/drill_outage.cc, drill_failover.cc, drill_fork.cc).
//
// It runs where the passive copy is, and asks the active node's daemon too: over its socket on this host, or over --peer-socket, which ssh can bring here.
// check() asks what must hold before anything is changed. run() completes when the drill is over, however that was, with the state of before: what
// it did is undone at its end, on Ctrl-C, on a failure (within undo_max), and by its guard (tools/drill_guard.h) when it is killed. facts().ended says why it is not at
// its end. Bounds: each wait ends after Options::longest in all; the fault after Options::seconds, in the node itself or in the guard. Blocking; threads: the one that made it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/system_clock.h"
#include "engine/config.h"
#include "tools/commands.h"
#include "tools/control_client.h"
#include "tools/drill_facts.h"
#include "tools/drill_guard.h"
#include "tools/progress_display.h"

namespace ccr::tools {

class PairDrill {
 public:
  struct Options {
    DrillKind kind = DrillKind::outage;
    Target copy;
    double seconds = 10;  // of the fault, or of the load
    bool load = false;
    std::uint64_t load_bytes_per_second = 2'000'000;
    std::string full = "log";  // or pages: what has no room in disk-full
    bool on_active = false;    // there, instead of the copy
    std::string peer_socket;  // of the other node's daemon; empty: as its configuration here says
    Duration longest = std::chrono::hours(1);
  };

  static constexpr Duration undo_max = std::chrono::minutes(10);  // then the guard goes on with it

  PairDrill(const CommonOptions& common, const engine::Config& config, Options options);
  ~PairDrill();

  Result<void> check();
  void run(int interrupt);  // a descriptor that becomes readable on Ctrl-C
  const DrillFacts& facts() const noexcept { return facts_; }
  std::vector<std::string> plan() const;  // what would be done, and what it may cost
  bool interrupted() const;
  bool undone() const noexcept { return undone_; }  // the state of before is there again

 private:
  using Seen = std::function<bool(const PairLook&)>;

  // tools/pair_drill.cc
  PairFacts& pair() { return *facts_.pair; }
  double now() const;
  Result<nlohmann::json> ask(const std::string& socket, const nlohmann::json& request, Duration silence_max = std::chrono::seconds(10));
  Result<nlohmann::json> ask_own(nlohmann::json request, Duration silence_max = std::chrono::seconds(10));
  Result<nlohmann::json> ask_peer(nlohmann::json request);
  Result<nlohmann::json> ask_looking(const std::string& socket, const nlohmann::json& request);  // looks go on until the answer is there
  Result<nlohmann::json> bring_home(Duration longest);
  Result<PairLook> look();
  void learn(const PairLook& look);
  bool pause();                                                   // a look's time; false: interrupted
  Result<PairLook> until(const Seen& seen, double limit, const std::string& what);  // timeout: not within `limit` seconds
  Result<void> for_seconds(double seconds);
  Result<void> settle();  // the copy is healthy, and all that is known of now is replayed and compared
  void find_peer();
  void gate(std::string name, std::string found, bool holds) { facts_.gates.push_back({std::move(name), std::move(found), holds}); }
  Result<void> add_gates();
  Result<void> add_move_gates();
  Result<void> begin_load(const std::string& socket);
  std::uint64_t end_load();  // the commits that it was answered
  std::uint64_t load_pages() const;
  Result<void> note_events();
  Result<void> play();
  Result<void> undo();
  ReturnPlan way_home() const;

  Result<void> outage();       // tools/drill_outage.cc
  Result<void> frozen_node();
  Result<void> disk_full();
  const std::string& full_socket() const { return options_.on_active ? peer_socket_ : config_.control_socket; }
  bool shows_fault(const PairLook& look) const;
  Result<void> behind_fault();
  Result<void> failover();     // tools/drill_failover.cc
  Result<void> turn_there();
  Result<void> turn_home();
  Result<void> verify_home_copy(DrillTurn& turn);
  Result<void> add_fork_gates();  // tools/drill_fork.cc
  Result<void> fork();
  Result<void> write_alone();
  Result<void> activate_by_force();
  void note_fork();  // what the old active copy has now, before it is the active one again

  const CommonOptions& common_;
  const engine::Config& config_;
  Options options_;
  int interrupt_ = -1;
  SystemClock clock_;
  Instant began_;
  DrillFacts facts_;
  ProgressDisplay display_;
  std::string phase_ = "look";
  std::string peer_socket_;  // empty: it is not at hand
  std::unique_ptr<DrillGuard> guard_;
  std::optional<ControlClient> load_;
  std::uint64_t load_commits_ = 0;  // as its progress told last
  std::uint64_t page_count_ = 0;    // of the active copy, before
  std::uint32_t page_size_ = 0;
  std::optional<double> moved_at_;  // when the last move was answered
  bool own_silent_ = false;         // this node's daemon is stopped by the drill
  bool parted_ = false, filled_ = false, moved_ = false, undone_ = false;
  Position forked_end_;
  std::uint64_t event_before_ = 0, peer_event_before_ = 0;  // the last ones before the drill
  double advanced_at_ = 0;          // when commits were seen to go on
};

}  // namespace ccr::tools
