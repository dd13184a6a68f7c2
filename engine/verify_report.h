// What a verification is asked for, what it found on either side, and how far it is. PassiveCopy::verify() does it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/position.h"

namespace ccr::engine {

struct VerifyRequest {
  std::uint64_t bytes_per_second_max = 0;  // read on each of both sides; 0: no limit
};

struct VerifyReport {
  std::uint64_t pages_checked = 0;      // here
  std::uint64_t differing_total = 0;    // here: disk against digests
  std::vector<PageNumber> differing;    // the first of them
  std::vector<PageNumber> repaired;     // those of them that are what they should be by now
  std::uint64_t active_pages_checked = 0;
  std::uint64_t active_differing_total = 0;
  std::vector<PageNumber> active_differing;
  bool roots_equal = false;
  Position position;                    // where the roots were compared
  Digest64 root = 0;
  std::uint64_t left() const noexcept { return differing_total - repaired.size(); }  // here
  bool equal() const noexcept { return roots_equal && differing_total == 0 && active_differing_total == 0; }
};

// How far a verification is; outlives it.
struct VerifyWatch {
  std::string phase = "copy";  // then "active"
  std::uint64_t done_bytes = 0, total_bytes = 0;
};

}  // namespace ccr::engine
