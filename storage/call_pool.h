// CallPool runs blocking calls on a few threads of its own and hands each result to the task that awaits it.
//
// Completion: run() completes on the awaiting task's executor once the call returned. A stopped task does not interrupt its call:
// the result arrives first, then the task unwinds, so whatever the call points to must live as long as the await. Lifetime: the
// destructor waits for the calls that were begun or queued; the executor's context outlives the pool. Their tasks are then resumed
// by that context, or destroyed with it. Threads: run() from the node's executor only. Bounds: `threads` calls at once; one waiting
// call per awaiting task.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

#include "base/task.h"

namespace ccr::storage {

class CallPool {
 public:
  static constexpr std::size_t threads_default = 16;  // a disk that hangs keeps a few; the ring carries the rest

  explicit CallPool(std::size_t threads = threads_default);
  ~CallPool();
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  // `call` takes nothing and returns a Result; it runs once, on a thread of the pool, and is destroyed there.
  template <class Call>
  Task<std::invoke_result_t<Call&>> run(Call call) {
    using Outcome = std::invoke_result_t<Call&>;
    auto start = [this](auto handler, Call wanted) {
      auto executor = asio::get_associated_executor(handler);
      // The guard keeps the context running while only the pool works.
      asio::executor_work_guard<decltype(executor)> working(executor);
      asio::post(*threads_, [wanted = std::move(wanted), handler = std::move(handler), working = std::move(working)]() mutable {
        Outcome outcome = wanted();
        auto resume = [handler = std::move(handler), outcome = std::move(outcome)]() mutable { handler(std::move(outcome)); };
        asio::post(working.get_executor(), std::move(resume));
      });
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Outcome)>(std::move(start), asio::use_awaitable,
                                                                              std::move(call));
  }

  // The same object, whose last owner leaves its destruction to the pool, as long as there is one: for destructors that block.
  template <class Object>
  std::shared_ptr<Object> destroyed_here(std::shared_ptr<Object> object) {
    Object* const pointer = object.get();
    auto hand_over = [object = std::move(object), pool = std::weak_ptr(threads_)](Object*) mutable {
      if (const std::shared_ptr<asio::thread_pool> threads = pool.lock()) asio::post(*threads, [object = std::move(object)] {});
    };
    return std::shared_ptr<Object>(pointer, std::move(hand_over));
  }

 private:
  std::shared_ptr<asio::thread_pool> threads_;  // shared only for the weak references of destroyed_here()
};

}  // namespace ccr::storage
