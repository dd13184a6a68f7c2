// What a passive copy is asked for, and what it answers with. PassiveCopy does it. Pure data.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/position.h"

namespace ccr::engine {

struct SeedRequest {
  bool over_foreign = false;  // a file that this node knows nothing of may be overwritten, and what a deposed copy alone may have set aside
  bool full = false, manual_resume = false;
  bool reread = false;  // this copy's disk is read, whatever its digest table says
  std::uint64_t bytes_per_second_max = 0;  // 0: no limit but the source's own
  std::string from;                        // nodes, with commas between them; empty: the active one
  std::size_t streams = 0;                 // 0: as configured
};

// How many connections a seed lost before their time, and what that cost.
struct SeedCuts {
  std::uint64_t count = 0;
  std::uint64_t extents_again = 0;  // that were on their way over one of them, and had to be asked for again
};

// What was learned of the source and of the way to it since the node started; 0: nothing yet.
struct SeedPace {
  std::uint32_t page_size = 0;
  Instant pages_here_at;  // when the last seed had them all
  double bytes_per_second = 0;  // of the last seed that brought the whole database in one run, without a limit
};

struct RottenBit {
  PageNumber page = 0;
  std::uint32_t bit = 0;  // of the page
};

struct SuspendRequest {
  std::string comment;
  std::string by;  // who asks; empty: not known
};

}  // namespace ccr::engine
