#include "tests/sim/swarm_options.h"

#include <utility>
#include <vector>

namespace ccr::sim {

using namespace std::chrono_literals;

SwarmOptions draw_options(Random random) {
  const auto coin = [&random] { return random.chance(1, 2); };
  SwarmOptions options;
  ClusterOptions& cluster = options.cluster;
  if (coin()) cluster.nodes.push_back("gamma");
  if (coin()) cluster.page_size = 1024;
  if (random.chance(1, 4)) cluster.generation_bytes = 512 * KiB;
  cluster.seed_auto = coin();
  if (coin()) cluster.log_budget_bytes = random.between(4, 12) * cluster.generation_bytes;
  options.safety = std::chrono::seconds(random.between(10, 40));
  options.commit_pause_max = coin() ? 400ms : 40ms;
  options.trouble_pause_max = coin() ? 8s : 2s;
  options.pages_max = static_cast<PageNumber>(coin() ? 200 : 6000);
  options.large_commits = coin();

  options.process_kills = coin();
  options.power_cuts = coin();
  options.freezes = coin();
  options.wall_jumps = coin();
  options.cuts = coin();
  options.half_opens = coin();
  options.link_stalls = coin();
  options.partitions = coin();
  options.disk_stalls = coin();
  options.disk_full = coin();
  options.disk_errors = random.chance(1, 4);
  options.suspensions = coin();
  options.seeds = coin();
  options.full_seeds = coin();

  if (options.disk_stalls) cluster.disk.stall_ppm = static_cast<std::uint32_t>(random.between(20, 500));
  if (options.disk_errors) {
    cluster.disk.read_error_ppm = coin() ? 500 : 0;  // reads are few: a batch of 100 seeds must see some
    cluster.disk.write_error_ppm = coin() ? 200 : 0;
    cluster.disk.sync_error_ppm = coin() ? 200 : 0;
    cluster.disk.other_error_ppm = coin() ? 200 : 0;
    cluster.disk.sync_failure_reverts = coin();
  }
  NetworkOptions& network = cluster.network;
  if (options.cuts) network.cut_ppm = 500;
  if (options.link_stalls) network.stall_ppm = 500;
  if (coin()) network.loss_ppm = 2000;
  if (coin()) network.bit_flip_ppm = 500;
  if (options.half_opens) network.half_open_every = 15s;
  if (options.partitions) network.partition_every = 15s;

  // An eighth: its tables cost more than all else.
  if (coin() && coin() && coin()) cluster.compression = coin() ? "auto" : "zstd:1";  // NOLINT(misc-redundant-expression)
  if (coin()) cluster.compression_memory_bytes = 24 * MiB;  // one stream gets the shortest history, a second one none
  options.path_losses = random.chance(1, 8);
  if (options.path_losses) cluster.paths = 2;
  if (coin()) cluster.streams = std::to_string(random.between(2, 5));
  options.other_sources = cluster.nodes.size() > 2 && coin();
  if (coin()) cluster.scrub.every = std::chrono::seconds(random.between(1, 10));
  cluster.scrub.only_idle = coin();
  options.handovers = coin();
  if (random.chance(1, 3)) cluster.commit = coin() ? engine::CommitMode::durable : engine::CommitMode::received;
  if (coin()) cluster.commit_fallback = std::chrono::seconds(random.between(1, 10));
  // Some seconds to some tens of them: the swarm's healing waits for it.
  for (const std::string& node : cluster.nodes) {
    if (random.chance(1, 6)) cluster.replay_lag[node] = std::chrono::seconds(random.between(1, 30));
    if (random.chance(1, 8)) cluster.truncation_lag[node] = std::chrono::seconds(random.between(1, 60));
  }
  // Beside handovers either may lose what was acknowledged, rightly.
  options.read_only = coin();
  options.no_descriptors = coin();
  options.restores = !options.handovers && coin();
  options.forces = !options.handovers && !options.restores && !options.disk_errors && coin();
  options.swaps = random.chance(1, 4);
  return options;
}

std::string to_text(const SwarmOptions& options) {
  const ClusterOptions& cluster = options.cluster;
  std::string text = std::to_string(cluster.nodes.size()) + " nodes, pages of " + std::to_string(cluster.page_size) + ", generations of " +
                     std::to_string(cluster.generation_bytes / KiB) + " KiB, budget " +
                     std::to_string(cluster.log_budget_bytes / cluster.generation_bytes) + " generations";
  const std::pair<bool, const char*> features[] = {
      {cluster.seed_auto, "seed_auto"},      {options.large_commits, "large commits"}, {options.process_kills, "process kills"},
      {options.power_cuts, "power cuts"},    {options.freezes, "freezes"},             {options.wall_jumps, "wall jumps"},
      {options.cuts, "cuts"},                {options.half_opens, "half-opens"},       {options.link_stalls, "link stalls"},
      {options.partitions, "partitions"}, {options.path_losses, "two paths"},    {options.disk_stalls, "disk stalls"},     {options.disk_full, "disk full"},
      {options.read_only, "read-only disks"}, {options.no_descriptors, "no descriptors"},
      {options.disk_errors, "disk errors"},  {options.suspensions, "suspensions"},     {options.seeds, "seeds"},
      {options.full_seeds, "full seeds"},    {cluster.network.loss_ppm > 0, "loss"},   {cluster.network.bit_flip_ppm > 0, "bit flips"},
      {cluster.compression != "none", "compression"}, {cluster.streams != "auto", "many streams"}, {options.other_sources, "other sources"},
      {cluster.scrub.every > 0s, "scrubs"}, {options.handovers, "handovers"}, {cluster.commit != engine::CommitMode::async, "commits that wait"},
      {!cluster.replay_lag.empty(), "delayed copies"}, {!cluster.truncation_lag.empty(), "kept log"},
      {options.restores, "restores"}, {options.forces, "forced activations"}, {options.swaps, "swapped disks"}};
  for (const auto& [on, name] : features)
    if (on) text += std::string(", ") + name;
  return text;
}

}  // namespace ccr::sim
