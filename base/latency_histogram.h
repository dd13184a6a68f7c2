// LatencyHistogram counts latencies in microseconds, 32 steps for each power of two, so a percentile is at most 3 % below the
// truth.
//
// Least and greatest are exact. The size is fixed; what is beyond its last step counts as that step.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace ccr {

// In microseconds; all zeros where nothing was counted.
struct LatencySummary {
  std::uint64_t count = 0;
  std::uint64_t least = 0, p50 = 0, p90 = 0, p99 = 0, p999 = 0, most = 0;
  bool operator==(const LatencySummary&) const = default;
};

class LatencyHistogram {
 public:
  void add(Duration latency);
  void add(const LatencyHistogram& other);
  std::uint64_t percentile(double fraction) const;  // microseconds; 0 when empty
  std::uint64_t count() const noexcept { return count_; }
  LatencySummary summary() const;

 private:
  static constexpr int steps = 32, powers = 40;
  std::array<std::uint64_t, steps * powers> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t least_ = UINT64_MAX, most_ = 0;
};

}  // namespace ccr
