// What of the configuration all nodes of a cluster should have alike, and what a peer told of its own. Pure.
//
// Alike are the cluster, the nodes with their addresses, and of each database its kind, its copies in order, its generation size and
// when a commit is answered. Paths, rates and limits may differ. Two nodes tell each other a digest of it (transport/role_messages.h);
// which part differs a person sees in the two files.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/digest.h"
#include "engine/config.h"

namespace ccr::engine {

std::string agreed_text(const Config& config);  // a line for each part; what the digest is of
Digest64 agreed_digest(const Config& config);

// A clock, as an answer showed it: the answer was made at some moment of the round trip.
struct ClockSeen {
  Duration ahead{0};  // of this node's clock; negative: behind it
  Duration round_trip{0};
};
// `told`: the peer's clock in its answer. `heard`: this node's when the answer was here, `round_trip` after it was asked for.
ClockSeen clock_seen(WallTime told, WallTime heard, Duration round_trip) noexcept;

// What a peer told of itself last.
struct PeerTold {
  Digest64 configuration;          // agreed_digest() there
  bool configuration_equal = false;  // to the one in force here
  WallTime heard_at;               // by this node's clock
  std::optional<ClockSeen> clock;  // of the last answer to this node; none: the peer only asked so far
};
using PeersTold = std::map<std::string, PeerTold>;  // by node; absent: nothing was heard since this node started

}  // namespace ccr::engine
