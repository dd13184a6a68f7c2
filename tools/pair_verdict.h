// The checks of a drill with two nodes, from what it saw: pure. Those of all drills are beside them (tools/drill_verdict.h).
//
//   check                                                     | drills               | not held: exit code
//   ----------------------------------------------------------+----------------------+--------------------
//   status shows it: the state, since when, and why           | outage               | 11
//   the other node notices within the heartbeats' limit       | frozen-node          | 11
//   status says what is full and where, and since when        | disk-full            | 11
//   the active node goes on committing                        | outage, frozen-node, disk-full of the copy: where anything is written | 11
//   healthy in time, behind the fault or the last move        | all                  | 11
//   log alone comes, no pages                                 | outage, frozen-node, disk-full | 11
//   no commit is lost                                         | all but fork         | 5
//   it serves there, then here again                          | failover, fork       | 11
//   commits wait for less than held_seconds_max               | failover             | 11
//   a verification finds nothing on either side               | failover             | 5
//   its load committed on the one side alone                  | fork                 | 11
//   what that side had alone is in quarantine                 | fork                 | 5
//   only what the load touched comes again                    | fork                 | 11
//   the root is what it was before the load                   | fork                 | 5
//
// Nobody else may write during a fork, so that its root is known beforehand; elsewhere programs go on.
#pragma once

#include <vector>

#include "tools/drill_verdict.h"

namespace ccr::tools {

inline constexpr double held_seconds_max = 10;

std::vector<DrillCheck> pair_checks(const DrillFacts& facts);
std::vector<std::string> pair_warnings(const DrillFacts& facts);

}  // namespace ccr::tools
