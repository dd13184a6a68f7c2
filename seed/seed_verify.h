// verify_extents has the source read its whole page file and compare it with its digest table, extent by extent.
//
// A page is named when the source's disk holds something else than its table says, both as of one position. What is equal at both
// ends then follows from the roots. Completion: ok with the report, whatever it says. The database may grow meanwhile; the end that
// counts is the last one told. Bounds: verifies_in_flight_max asks, differing_pages_max page numbers kept (all are counted).
#pragma once

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

Task<Result<VerifyReport>> verify_extents(Clock& clock, transport::FramedConnection& connection, std::uint32_t page_size);

}  // namespace ccr::seed
