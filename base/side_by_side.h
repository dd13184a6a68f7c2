// side_by_side runs two tasks at once: ok when both are, else the first error, after both have ended.
//
// An error of one stops the other, and a stopped caller stops both. Costs two spawns: for syncs and round trips, not for every block.
#pragma once

#include <utility>

#include "base/task_group.h"

namespace ccr {

inline Task<Result<void>> side_by_side(Task<Result<void>> first, Task<Result<void>> second) {
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup group(executor);
  group.spawn(std::move(first));
  group.spawn(std::move(second));
  co_return co_await group.join();
}

}  // namespace ccr
