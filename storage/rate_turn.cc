#include "storage/rate_turn.h"

#include <algorithm>

namespace ccr::storage {

Task<void> wait_for_rate(Clock& clock, TokenBucket& bucket, std::uint64_t bytes) {
  std::uint64_t limits = bucket.limits_set();
  Instant due = clock.now() + bucket.wait_for(clock.now(), bytes);
  while (clock.now() < due) {
    co_await clock.sleep(std::min(rate_turn_max, due - clock.now()));
    if (bucket.limits_set() == limits) continue;
    limits = bucket.limits_set();
    due = clock.now() + bucket.wait_for(clock.now(), bytes);
  }
}

}  // namespace ccr::storage
