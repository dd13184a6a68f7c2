// Which generations may go: a pure function of what is known durably. FAULTS invariant 9 and 10.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/position.h"
#include "storage/state_file.h"

namespace ccr::storage {

struct TruncationFacts {
  Generation first;            // lowest generation held
  Generation open;             // never goes
  Position replayed;           // of this node: min_required
  std::vector<Pin> pins;       // of this node
  std::uint64_t log_bytes = 0;         // held now
  std::uint64_t log_budget_bytes = 0;  // 0: no limit
};

struct TruncationVerdict {
  Generation below;                  // everything below it may go; == first: nothing
  std::string held_by;               // who holds `below`: "beta", "seed of beta", "replay", "open"
  std::vector<std::string> over_budget;  // owners whose copy pin should be dropped first, because it alone exceeds the budget
};

TruncationVerdict decide_truncation(const TruncationFacts& facts);

}  // namespace ccr::storage
