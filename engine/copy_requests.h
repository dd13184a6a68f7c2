// What a person asks of a passive copy.
#pragma once

#include <cstdint>
#include <string>

namespace ccr::engine {

struct SeedRequest {
  bool over_foreign = false;  // a file that this node knows nothing of may be overwritten
  bool full = false, manual_resume = false;
  bool reread = false;  // this copy's disk is read, whatever its digest table says
  std::uint64_t bytes_per_second_max = 0;  // 0: no limit but the source's own
  std::string from;                        // nodes, with commas between them; empty: the active one
  std::size_t streams = 0;                 // 0: as configured
};

struct SuspendRequest {
  std::string comment;
  std::string by;  // who asks; empty: not known
};

}  // namespace ccr::engine
