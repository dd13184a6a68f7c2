#include "base/system_clock.h"

#include <ctime>

#include <asio/steady_timer.hpp>

namespace ccr {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  CCR_ASSERT(clock_gettime(clock, &time) == 0);
  return std::int64_t(time.tv_sec) * nanoseconds_a_second + time.tv_nsec;
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const std::time_t seconds = static_cast<std::time_t>(time.nanoseconds / nanoseconds_a_second);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Instant SystemClock::now() const { return {read_clock(CLOCK_BOOTTIME)}; }
WallTime SystemClock::wall_now() const { return {read_clock(CLOCK_REALTIME)}; }

std::optional<Duration> SystemClock::processor_time() const { return Duration(read_clock(CLOCK_PROCESS_CPUTIME_ID)); }

Task<void> SystemClock::sleep_until(Instant at) {
  const Executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  const Duration left = at - now();
  timer.expires_after(left > Duration::zero() ? left : Duration::zero());
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace ccr
