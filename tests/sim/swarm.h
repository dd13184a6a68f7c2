// Swarm is one seed's life of a cluster: it is troubled at random while a writer commits, then healed, then it must become whole.
//
//   1. safety: troubles and operators at random virtual times; after every event the watermarks are ordered, never go back within one
//      seeded history, and never pass what alpha has durable; rest that a person or a failure asked for is left only by a person
//      Some seeds put an older disk of a passive copy back, some swap those of two nodes for a while, some activate by force as the active node dies, where nothing is lost by it
//   2. healing: faults end, nodes start, operators resume and seed what waits for a person
//   3. liveness: every copy healthy, replayed to alpha's end, its root proven there, within liveness_limit
//   4. a night, minutes or hours long, in which nobody writes (swarm_night.cc): all rests, and what breaks then is found; in the morning a commit is
//      everywhere at once
//   5. a restart of everything, which must come back to the same; then the audit of the disks (swarm_audit.h)
//
// run() ends at the first thing that is wrong; broken assertions of the engine end the process, so print the seed before.
// Threads: one. Everything is drawn from the seed: the same build tells the same story, byte for byte.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "tests/sim/swarm_options.h"

namespace ccr::sim {

// What one seed, or a batch of them, did.
struct SwarmCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(Fault::count)> faults{};
  std::map<std::string, std::uint64_t> happened;  // by name: commits, seeds, suspensions …
  std::uint64_t events = 0;
  double virtual_seconds = 0;
  void add(const SwarmCounts& other);
  std::string text() const;
};

struct SwarmReport {
  std::string wrong;  // empty: everything held
  std::uint64_t hash = 0;
  SwarmCounts counts;
  std::string options, story;
};

class Swarm {
 public:
  static constexpr Duration liveness_limit = std::chrono::seconds(120);
  static constexpr Duration down_max = std::chrono::seconds(8);
  static constexpr Duration swapped_max = std::chrono::seconds(12);
  static constexpr Duration frozen_max = std::chrono::seconds(15);
  static constexpr Duration shortage_max = std::chrono::seconds(10);  // of room, of descriptors, of a disk that can be written
  // A batch must see handovers that meet each of them.
  static constexpr std::array faults_in_moves = {Fault::disk_full,        Fault::disk_stall,      Fault::disk_read_error, Fault::disk_write_error,
                                                 Fault::disk_sync_error, Fault::disk_read_only, Fault::no_descriptors};

  explicit Swarm(std::uint64_t seed);
  ~Swarm() { cluster_.on_event = nullptr; }  // its end is no part of the story
  SwarmReport run();

 private:
  // What was seen of one passive copy; positions are those of one seeded history.
  struct Seen {
    std::uint64_t life = 0;
    Position durable, replayed;
    bool suspended = false, failed = false;  // until a person says otherwise
    bool whole = false;                       // seeded, as last seen
    Position free;                            // what a seed needed ended here at most: it is replayed at once
    std::map<Position, Instant> came;         // of a delayed copy: the last look before log was inspected that was not replayed then
  };

  bool live();
  void safety();
  void trouble();
  void node_trouble(const std::string& name);
  void network_trouble();
  void lose_path();
  void disk_trouble(const std::string& name);
  void operate();
  bool can_ask(const std::string& name);
  void ask_seed(const std::string& name, bool full);
  void ask_resume(const std::string& name);
  void ask_handover(const std::string& name);
  void trouble_handover(const std::string& at);
  void force(const std::string& name);
  void go_back(const std::string& name);
  void swap_disks(const std::string& one, const std::string& other);
  void swap_back();
  void exchange_disks(const std::string& one, const std::string& other);
  void start_later(const std::string& name);
  void start_what_ended();
  void write();
  void heal();
  void nurse();
  bool whole();
  bool night();
  Duration draw_night();
  void night_trouble();
  void hold_rest();
  bool morning(Duration found);
  bool wait_until_whole(Duration limit, const std::string& what);
  bool run_for(Duration duration);
  void observe();
  void observe_moves();
  void observe_passive(const std::string& name);
  void observe_delay(const std::string& name, Seen& seen, const transport::Watermarks& marks);
  void hear(const std::string& node, const Event& event);
  void left_rest(const std::string& node, const std::string& next);
  void fail(const std::string& wrong);
  std::string standing();
  const std::string& any_node() { return cluster_.names()[random_.below(cluster_.names().size())]; }
  std::string any_passive();
  Duration up_to(Duration most) { return Duration(1 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most.count())))); }
  void happened(const std::string& what) { ++counts_.happened[what]; }

  World world_;
  SwarmOptions options_;
  Cluster cluster_;
  Random random_, content_;
  SwarmCounts counts_;
  std::map<std::string, Seen> seen_;
  std::map<std::string, DiskState> older_;  // of passive copies' disks
  std::optional<std::pair<std::string, std::string>> swapped_;  // nodes that have each other's disk
  std::map<std::string, std::map<std::string, Bytes>> swapped_files_;  // by node: what it must not touch
  bool forced_ = false;                     // a deposed node that hears of nothing serves, and what it wrote then is a fork
  Position active_end_;
  Instant looked_;  // the last observe(): by night it comes once a second
  std::map<std::string, std::uint64_t> ended_life_;  // the last one that ended by itself
  std::map<Fault, std::uint64_t> fired_;             // as last seen
  bool was_moving_ = false;
  std::string wrong_;
  bool healing_ = false;
};

}  // namespace ccr::sim
