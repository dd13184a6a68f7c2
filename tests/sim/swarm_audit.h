// What must hold of a cluster at rest, read from its disks: contents (FAULTS invariants 1, 3), chains (4), names (25).
#pragma once

#include "tests/sim/cluster.h"

namespace ccr::sim {

// Every node must be down. The first thing that is wrong, with the node and the file.
Result<void> audit(World& world, Cluster& cluster, const std::string& active);

}  // namespace ccr::sim
