// TokenBucket says how long to wait so that bytes flow at a rate, with a burst. Pure arithmetic on instants: it neither waits nor
// asks a clock.
//
// wait_for() takes the bytes at once and answers how long the caller must wait before it moves them; a caller that gives up has
// spent them. Over any stretch of time t the bytes let through are at most burst + rate * t + the last request. Exact: what a
// division leaves is carried on, so an odd rate does not drift. Instants may not go back.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace ccr::storage {

class TokenBucket {
 public:
  struct Limit {
    std::uint64_t bytes_per_second = 0;  // 0: no limit; above rate_max it counts as rate_max
    std::uint64_t burst_bytes = 0;       // let through at once after a pause; 0: each request waits for the one before it
  };
  static constexpr std::uint64_t request_bytes_max = 1 * GiB;
  static constexpr std::uint64_t rate_max = 16 * GiB;  // products of a remainder and 10^9 stay below 2^64

  explicit TokenBucket(Limit limit);

  Duration wait_for(Instant now, std::uint64_t bytes);
  // From here on as a new bucket: what was taken under the old limit is forgotten, or a rate that was mistyped would hold up its correction.
  void set_limit(Limit limit);
  std::uint64_t limits_set() const noexcept { return limits_set_; }  // counts, so that a waiting task notices

 private:
  Duration burst() const;

  Limit limit_;
  Instant paid_until_;           // when everything taken so far has been earned at the rate
  std::uint64_t remainder_ = 0;  // of the last division, in byte-nanoseconds
  bool started_ = false;
  std::uint64_t limits_set_ = 0;
};

}  // namespace ccr::storage
