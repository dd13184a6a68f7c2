// Whether a passive copy can become the active one as of a point in time, and why not. Pure; storage/log_cut.h finds the place.
//
//   facts, in this order                                             | verdict
//   -----------------------------------------------------------------+-------------------------------------------------------
//   the time is later than now                                       | no
//   all that came is in the pages, and the copy is not delayed       | no: nothing is left to stop before
//   the pages hold a commit that is later                            | no; the time of that commit is the earliest there is
//   that is not known, and what follows in the log is later          | no
//   a base marker comes before the time                              | no: no log leads over it
//   else                                                             | yes, behind the last commit before the first later one
#pragma once

#include <optional>
#include <string>

#include "storage/log_cut.h"

namespace ccr::engine {

// "commit 12 of 2026-01-02T03:04:05.000000007Z"
std::string commit_text(const storage::RecordHeader& record);

struct PointInTimeFacts {
  std::string copy;     // for the texts
  WallTime until, now;
  bool delayed = false;        // it has a replay_lag
  bool all_replayed = false;   // everything that came is in the pages
  std::optional<storage::RecordHeader> pages;  // the last commit that the pages hold; nullopt: not known
  storage::TimeCut cut;        // not looked at where one of the first two says no
};
Result<void> judge_point_in_time(const PointInTimeFacts& facts);

// Where a copy is to be activated, and what of its log is given up there.
struct PointInTime {
  WallTime until;
  storage::TimeCut cut;
  Position reached;   // what the pages hold; replay goes on from there
  Position end;       // of what came, when it was looked for
  std::optional<storage::RecordHeader> last;  // before `end`

  std::uint64_t commits() const noexcept;      // behind the cut
  std::uint64_t generations() const noexcept;  // of which something lies there
};

}  // namespace ccr::engine
