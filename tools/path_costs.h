// What a connection does without, and what that costs on its path. Pure; for tune, status, and whoever checks a host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace ccr::tools {

struct PathFacts {
  bool scaling = true, timestamps = true;
  Duration round_trip{0};
  std::uint64_t bytes_per_second = 0;  // of the link, or of what it carried; 0: not known
};

struct PathCost {
  std::string what, hint;
};

// In the order of what they cost.
std::vector<PathCost> path_costs(const PathFacts& facts);

}  // namespace ccr::tools
