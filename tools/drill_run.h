// DrillRun plays one drill against a passive copy: it drives the commands that its node's daemon has anyway, looks at its status while
// they run, and fills DrillFacts.
//
// check() asks what must hold before anything is changed. run() completes when the drill is over, however that was: facts().ended says
// why it is not at its end. Ctrl-C ends it at the next look, and nothing is left half done: the seed goes on in the
// daemon (seed_asked()), load ends with its connection, and a page or a file that was damaged is on its way to be repaired. Bounds: each wait
// ends after Options::patience without any progress, and after Options::longest in all. Blocking; threads: the one that made it.
#pragma once

#include <functional>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "base/system_clock.h"
#include "engine/config.h"
#include "tools/commands.h"
#include "tools/control_client.h"
#include "tools/drill_facts.h"
#include "tools/progress_display.h"

namespace ccr::tools {

class DrillRun {
 public:
  struct Options {
    DrillKind kind = DrillKind::reseed;
    Target copy;
    std::uint64_t seed_bytes_per_second_max = 0;  // 0: no limit but the configured ones
    std::uint64_t load_bytes_per_second = 2'000'000;
    std::uint64_t cuts = 3;
    double link_seconds = 4;  // 0: the link is not measured
    double written_seconds = 10;  // behind the backup of restored_backup
    Duration patience = std::chrono::seconds(60), longest = std::chrono::hours(1);
  };

  DrillRun(const CommonOptions& common, const engine::Config& config, Options options);

  Result<void> check();
  void run(int interrupt);  // a descriptor that becomes readable on Ctrl-C
  const DrillFacts& facts() const noexcept { return facts_; }
  std::vector<std::string> plan() const;
  bool interrupted() const;
  bool seed_asked() const noexcept { return seeding_; }  // it goes on in the daemon, however the drill ends

 private:
  Result<nlohmann::json> ask(const nlohmann::json& request, bool watched = false);
  Result<DrillLook> look();
  Result<nlohmann::json> ask_own(nlohmann::json request, bool watched = false);  // of the copy
  bool pause(Duration how_long) const;  // false: interrupted
  double now() const;
  Result<void> play();
  void measure_link();
  Result<void> reseed();
  Result<void> play_rot();
  Result<void> restore_backup();  // tools/drill_restored.cc
  Result<void> write_behind();
  Result<void> put_older_back();
  void put_away();
  Result<bool> verified();
  Result<void> start_seed(bool full);
  Result<void> wait_healthy();
  Result<bool> progressed(const DrillLook& look);  // true: healthy
  Result<void> cut_when_due(const DrillLook& look);
  Result<void> find_load();
  std::string load_text() const;  // who will write while the seed runs
  Result<void> begin_load();
  Result<void> settle();

  const CommonOptions& common_;
  const engine::Config& config_;
  Options options_;
  int interrupt_ = -1;
  SystemClock clock_;
  Instant began_;
  DrillFacts facts_;
  ProgressDisplay display_;
  bool seeding_ = false;  // a seed was asked for
  std::optional<std::string> load_socket_;  // of the active node's daemon, where `ccr load` can be played
  std::optional<ControlClient> load_;
  std::vector<double> cuts_;  // still to come, as shares of the seed
};

}  // namespace ccr::tools
