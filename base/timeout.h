// with_timeout runs a task for at most `limit`: its result, or ErrorKind::timeout with `what` in the message.
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

}  // namespace ccr
