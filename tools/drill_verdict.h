// The verdict of a drill, from what it saw: pure. Of those with two nodes, tools/pair_verdict.h has the further checks.
//
// A drill passes when each of its checks holds. A check whose facts are not known does not hold. Beside the checks stand warnings, of
// what could not be measured: they do not fail a drill, and show in its exit code.
//
//   check                                              | drills               | not held: exit code
//   ---------------------------------------------------+----------------------+--------------------
//   what was asked for before anything is changed      | all                  | 4: nothing was changed
//   it came to its end                                 | all                  | of the error that ended it; 6 where it waited too long
//   the copy is healthy again                          | all                  | 11
//   all of the database came                           | reseeds              | 11
//   both nodes have one root, compared behind the seed | all                  | 5
//   the root is what it was, as nobody wrote           | where no log was made | 5
//   log was made meanwhile                             | reseed-under-load    | 11
//   the seed's connection was cut as often as asked    | interrupted-reseed   | 11
//   a cut costs no more than what is in flight         | interrupted-reseed   | 11
//   the verification found the damaged page, no other  | rot                  | 5
//   a verification behind the repair finds nothing     | rot, restored-backup | 5
//   commits were made behind the backup                | restored-backup      | 11
//   the older file is not taken for the copy           | restored-backup      | 5
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/drill_facts.h"
#include "tools/exit_code.h"

namespace ccr::tools {

struct DrillCheck {
  std::string name, expected, found;
  bool holds = false;
  ExitCode otherwise = ExitCode::failed_checks;
};

struct DrillVerdict {
  std::vector<DrillCheck> checks;
  std::vector<std::string> warnings;
  bool pass = false;
  std::string text;  // one sentence
  ExitCode exit_code() const;
};

DrillVerdict judge(const DrillFacts& facts);

// Where a seed is cut: so many shares of it, in order, none twice, away from both ends. `chance` draws numbers below its argument.
std::vector<double> cut_points(std::uint64_t count, const std::function<std::uint64_t(std::uint64_t)>& chance);

}  // namespace ccr::tools
