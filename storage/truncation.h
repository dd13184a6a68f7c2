// Which generations may go: a pure function of what is known durably. FAULTS invariants 9 and 10.
//
// A generation goes only when it is below the replayed position of this node, below every pin that is not dropped (suspended and
// absent copies pin as well), below what the retention policy keeps, and is not the open one. What is not known holds everything. The log budget
// never deletes by itself: it names the copies whose pin the owner may drop, and how much the policy has to give up, and the next verdict, made
// from what is durable of that by then, lets the generations go. Where the budget stops commits instead, it names nothing.
#pragma once

#include <cstdint>
#include <optional>
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
  std::optional<Position> retained{};  // the policy keeps log from here on; nullopt: it keeps nothing
  bool budget_stops = false;           // at the budget's end commits wait; false: pins are dropped, and the policy keeps less
};

struct TruncationVerdict {
  Generation below;     // everything below it may go; == first: nothing
  std::string held_by;  // who holds `below`: "beta", "seed of beta", "replay", "open", "retention"; of several, the one that can least be
                        // helped: open, then replay, then the pins as they are listed, then the policy
  // Owners of copy pins whose drop the budget needs, the furthest behind first. Only those that hold alone or with other copies:
  // where a seed or the replay holds as much, a drop would break a copy and free nothing.
  std::vector<std::string> over_budget;
  Generation give_up{};    // of what the policy keeps, everything below it is more than the budget allows, and nobody else holds it; 0: nothing is
  bool full = false;       // no more log may come before something went
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
