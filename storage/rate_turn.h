// Waits for the turn of bytes that move at a rate whose limit may change meanwhile.
//
// Completes when the bucket has earned what was taken before. It sleeps in turns of at most rate_turn_max, so that a new limit
// holds within one of them: the bytes that wait are then taken from the bucket as the new limit has it. Throws when the task is
// stopped. `bucket` outlives the wait.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "storage/token_bucket.h"

namespace ccr::storage {

inline constexpr Duration rate_turn_max = std::chrono::milliseconds(500);

Task<void> wait_for_rate(Clock& clock, TokenBucket& bucket, std::uint64_t bytes);

}  // namespace ccr::storage
