// The Clock of production: CLOCK_BOOTTIME, CLOCK_REALTIME and asio timers.
#pragma once

#include "base/clock.h"

namespace ccr {

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  WallTime wall_now() const override;
  std::optional<Duration> processor_time() const override;
  Task<void> sleep_until(Instant at) override;
};

}  // namespace ccr
