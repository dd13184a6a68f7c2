#include "storage/token_bucket.h"

#include <algorithm>

namespace ccr::storage {
namespace {

constexpr std::uint64_t nanoseconds_per_second = 1'000'000'000;

struct Cost {
  Duration time;
  std::uint64_t remainder;
};

Cost cost_of(std::uint64_t bytes, std::uint64_t rate, std::uint64_t remainder) {
  const std::uint64_t seconds = bytes / rate;
  const std::uint64_t rest = bytes % rate * nanoseconds_per_second + remainder;
  return {Duration(static_cast<Duration::rep>(seconds * nanoseconds_per_second + rest / rate)), rest % rate};
}

}  // namespace

static_assert(TokenBucket::rate_max <= (~std::uint64_t(0)) / nanoseconds_per_second - 1);
static_assert(TokenBucket::request_bytes_max <= (std::uint64_t(1) << 63) / nanoseconds_per_second,
              "a request at one byte a second fits a Duration");

TokenBucket::TokenBucket(Limit limit) { set_limit(limit); }

void TokenBucket::set_limit(Limit limit) {
  CCR_ASSERT(limit.burst_bytes <= request_bytes_max);
  limit_ = limit;
  limit_.bytes_per_second = std::min(limit.bytes_per_second, rate_max);
  remainder_ = 0;
  started_ = false;
  ++limits_set_;
}

Duration TokenBucket::burst() const { return cost_of(limit_.burst_bytes, limit_.bytes_per_second, 0).time; }

Duration TokenBucket::wait_for(Instant now, std::uint64_t bytes) {
  CCR_ASSERT(bytes <= request_bytes_max);
  if (limit_.bytes_per_second == 0) return Duration::zero();
  // The bucket is full after a pause: earned time older than the burst is lost.
  const Instant oldest = now + -burst();
  if (!started_ || paid_until_ < oldest) {
    paid_until_ = oldest;
    remainder_ = 0;
    started_ = true;
  }
  const Duration wait = std::max(Duration::zero(), paid_until_ - now);
  const Cost cost = cost_of(bytes, limit_.bytes_per_second, remainder_);
  paid_until_ = paid_until_ + cost.time;
  remainder_ = cost.remainder;
  return wait;
}

}  // namespace ccr::storage
