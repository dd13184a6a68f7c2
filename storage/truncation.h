// Which generations may go: a pure function of what is known durably. FAULTS invariants 9 and 10.
//
// A generation goes only when it is below the replayed position of this node, below every pin that is not dropped (suspended and
// absent copies pin as well), and is not the open one. What is not known holds everything. The log budget never deletes by itself:
// it names the copies whose pin the owner may drop, and the next verdict, made from the dropped pins that are durable by then, lets
// the generations go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/position.h"
#include "storage/state_file.h"

namespace ccr::storage {

struct TruncationFacts {
  Generation first;                    // lowest generation held; none: nothing is held
  Generation open;                     // never goes
  Position replayed;                   // of this node: min_required
  std::vector<Pin> pins;               // of this node
  std::uint64_t log_bytes = 0;         // held now
  std::uint64_t log_budget_bytes = 0;  // 0: no limit
};

struct TruncationVerdict {
  Generation below;     // everything below it may go; == first: nothing
  std::string held_by;  // who holds `below`: "beta", "seed of beta", "replay", "open"; of several, the one that can least be
                        // helped: open, then replay, then the pins as they are listed
  // Owners of copy pins whose drop the budget needs, the furthest behind first. Only those that hold alone or with other copies:
  // where a seed or the replay holds as much, a drop would break a copy and free nothing.
  std::vector<std::string> over_budget;
  bool operator==(const TruncationVerdict&) const = default;
};

TruncationVerdict decide_truncation(const TruncationFacts& facts);

// Everybody who holds one generation, in the same order; empty where nobody does, or where it is not here.
struct Hold {
  std::string who;
  Position from;  // everything from here on is held
  bool operator==(const Hold&) const = default;
};
std::vector<Hold> holds_on(const TruncationFacts& facts, Generation generation);

}  // namespace ccr::storage
