// verify_extents has the source read its whole page file and compare it with its digest table, extent by extent, no faster than it is asked.
//
// A page is named when the source's disk holds something else than its table says, both as of one position. What is equal at both
// ends then follows from the roots. Completion: ok with the report, whatever it says. The database may grow meanwhile; the end that
// counts is the last one told. Bounds: verifies_in_flight_max asks, differing_pages_max page numbers kept (all are counted); in any time t
// the source reads at most an extent more than the rate times t.
#pragma once

#include <functional>
#include <vector>

#include "base/clock.h"
#include "transport/framed_connection.h"

namespace ccr::seed {

inline constexpr std::size_t verifies_in_flight_max = 4;
inline constexpr std::size_t differing_pages_max = 1000;

struct VerifyReport {
  std::uint32_t extents = 0;
  std::uint64_t pages = 0;  // compared
  std::uint64_t differing = 0;
  std::vector<PageNumber> first_differing;  // the first differing_pages_max of them, rising
  Position as_of_first, as_of_last;         // positions of the first and the last extent
  CommitNumber commit_last = 0;
};

struct VerifyOptions {
  std::uint32_t page_size = 0;
  std::uint64_t bytes_per_second = 0;  // that the source reads; 0: no limit
  std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> progress = [](std::uint64_t, std::uint64_t) {};
};

Task<Result<VerifyReport>> verify_extents(Clock& clock, transport::FramedConnection& connection, VerifyOptions options);

}  // namespace ccr::seed
