#include "base/signal.h"

#include <system_error>

#include <asio/redirect_error.hpp>

namespace ccr {

Signal::Signal(const Executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

Task<void> Signal::wait() {
  asio::error_code ignored;  // 'aborted' is how a notify arrives
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw std::system_error(asio::error::operation_aborted);
}

void Signal::notify() { timer_.cancel(); }

}  // namespace ccr
