// What one seed of the swarm plays with: each kind of fault and each feature is there or not, with p = 1/2.
//
// Leaving kinds out is the point: a run in which everything happens hides what only shows when a neighbour is quiet. Pure.
#pragma once

#include <string>

#include "base/random.h"
#include "tests/sim/cluster.h"

namespace ccr::sim {

struct SwarmOptions {
  ClusterOptions cluster;
  Duration safety{0};               // of virtual time in which things break
  Duration commit_pause_max{0};     // between two commits
  Duration trouble_pause_max{0};    // between two troubles
  PageNumber pages_max = 0;
  bool large_commits = false;       // also such that are longer than a generation
  bool process_kills = false, power_cuts = false, freezes = false, wall_jumps = false;
  bool cuts = false, half_opens = false, link_stalls = false, partitions = false, path_losses = false;
  bool disk_stalls = false, disk_full = false, disk_errors = false, read_only = false, no_descriptors = false;
  bool suspensions = false, seeds = false, full_seeds = false, other_sources = false, handovers = false;
  bool restores = false, forces = false;  // of older disks of passive copies; of what is whole, while the active node is down
  bool swaps = false;                     // of the disks of two nodes
};

SwarmOptions draw_options(Random random);
std::string to_text(const SwarmOptions& options);

}  // namespace ccr::sim
