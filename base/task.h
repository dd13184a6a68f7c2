// Task is the coroutine type of everything that moves bytes.
//
// Operating errors come back as Result values. Stopping is the one thing that unwinds: a stopped task's next suspension throws
// Stopped (asio's operation_aborted), which TaskGroup and with_timeout swallow; nobody else catches it.
// Threads: all tasks of a node live on one executor; no locks are needed between two suspensions.
// Traps of GCC 12.2: name every argument and lambda on its own line before co_await (STYLE in ARCHITECTURE.md).
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "base/result.h"

namespace ccr {

using Executor = asio::any_io_executor;

template <class T>
using Task = asio::awaitable<T>;

}  // namespace ccr

// Returns the error of a Result<…> expression from a coroutine, or goes on. The expression may hold a co_await.
#define CCR_CO_TRY(expression)                                          \
  do {                                                                  \
    auto ccr_try_result = (expression);                                 \
    if (!ccr_try_result.ok()) co_return ccr_try_result.error();         \
  } while (false)

// The same for a plain function.
#define CCR_TRY(expression)                                          \
  do {                                                               \
    auto&& ccr_try_result = (expression);                            \
    if (!ccr_try_result.ok()) return ccr_try_result.error();         \
  } while (false)
