// with_timeout runs a task for at most `limit`: its result, or ErrorKind::timeout with `what` in the message. wait_for waits for what a
// Signal tells, at most so long.
//
// The loser is stopped and waited for, so nothing of the task runs after completion. Costs two spawns: for messages and
// connections, not for every block.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/task_group.h"

namespace ccr {
namespace timeout_detail {

template <class T>
Task<Result<void>> settle(Task<Result<T>> task, std::optional<Result<T>>& outcome, TaskGroup& group) {
  outcome = co_await std::move(task);
  group.stop();
  co_return Result<void>();
}

inline Task<Result<void>> expire(Clock& clock, Duration limit, TaskGroup& group) {
  co_await clock.sleep(limit);
  group.stop();
  co_return Result<void>();
}

template <class Until>
Task<Result<void>> wait_until(Signal& signal, Until until) {
  while (!until()) co_await signal.wait();
  co_return Result<void>();
}

}  // namespace timeout_detail

template <class T>
Task<Result<T>> with_timeout(Clock& clock, Duration limit, std::string what, Task<Result<T>> task) {
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup group(executor);
  std::optional<Result<T>> outcome;
  group.spawn(timeout_detail::settle(std::move(task), outcome, group));
  group.spawn(timeout_detail::expire(clock, limit, group));
  const Result<void> joined = co_await group.join();
  CCR_ASSERT(joined.ok());
  if (outcome) co_return std::move(*outcome);
  const double seconds = std::chrono::duration<double>(limit).count();
  co_return Error{ErrorKind::timeout, what + " took longer than " + std::to_string(seconds) + " s", ""};
}

// Completes once `until` is true, looked at now and after each notify(), or after `limit`.
template <class Until>
Task<void> wait_for(Clock& clock, Duration limit, Signal& signal, Until until) {
  Task<Result<void>> task = timeout_detail::wait_until<Until>(signal, std::move(until));
  const Result<void> ended = co_await with_timeout(clock, limit, "a wait", std::move(task));
  CCR_ASSERT(ended.ok() || ended.error().kind == ErrorKind::timeout);
}

}  // namespace ccr
