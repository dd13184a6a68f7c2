// SuspendedTask is a task that waits, whatever the type of its handler: somebody keeps it, and resumes it once.
//
// suspend_into() suspends the calling task and gives it to `keep`, with the slot in which a stop of the task arrives; not connected where
// nobody can stop it. The slot is cleared when the task goes on. resume_later() has it go on at the executor's next turn, never inside the
// call. Dropping a SuspendedTask without resuming it destroys the task where it stands.
// Threads: the executor's own.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/post.hpp>

#include "base/task.h"

namespace ccr {

class SuspendedTask {
 public:
  virtual ~SuspendedTask() = default;
  virtual void resume() = 0;  // within the call
};

namespace suspended_detail {

template <class Handler>
class SuspendedIn final : public SuspendedTask {
 public:
  explicit SuspendedIn(Handler&& handler) : handler_(std::move(handler)) {}
  void resume() override { std::move(handler_)(); }

 private:
  Handler handler_;
};

}  // namespace suspended_detail

// Keep: void(std::unique_ptr<SuspendedTask>, asio::cancellation_slot), with nothing in it to destroy (trap of GCC 12).
template <class Keep>
Task<void> suspend_into(Keep keep) {
  static_assert(std::is_trivially_copyable_v<Keep>);
  auto begin = [keep](auto&& handler) {
    const asio::cancellation_slot slot = asio::get_associated_cancellation_slot(handler);
    using Suspended = suspended_detail::SuspendedIn<std::decay_t<decltype(handler)>>;
    keep(std::make_unique<Suspended>(std::forward<decltype(handler)>(handler)), slot);
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(begin, asio::use_awaitable);
}

inline void resume_later(const Executor& executor, std::unique_ptr<SuspendedTask> task) {
  auto resume = [task = std::move(task)] { task->resume(); };
  asio::post(executor, std::move(resume));
}

}  // namespace ccr
