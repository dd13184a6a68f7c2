// Which stage of the pipe limits it: pure.
//
// Each stage has what it carried and what it can carry alone, found in the same run. The one with the greatest share limits; where
// no share reaches limiting_share_min none does, and the pipe waits for round trips and syncs between its stages. A processor
// counts as one: one thread decides on each node.
#pragma once

#include <string>
#include <vector>

namespace ccr::engine {

inline constexpr double limiting_share_min = 0.6;

struct ShipStage {
  std::string name;
  double used = 0, limit = 0;  // bytes per second, or processors; below 0: not known
  bool known() const noexcept { return used >= 0 && limit > 0; }
  double share() const noexcept { return known() ? used / limit : 0; }
};

struct ShipStages {
  std::vector<ShipStage>
      carriers;  // link and disks, in bytes per second: the slowest of them is the limit that the rate is held against
  std::vector<ShipStage> processors;

  const ShipStage* slowest() const;   // of the carriers, by its limit; nullptr: none is known
  const ShipStage* limiting() const;  // nullptr: none
};

}  // namespace ccr::engine
