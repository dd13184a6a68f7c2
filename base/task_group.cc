#include "base/task_group.h"

#include <system_error>
#include <utility>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

namespace ccr {

bool is_stopped(const std::exception& exception) noexcept {
  const auto* error = dynamic_cast<const std::system_error*>(&exception);
  return error != nullptr && error->code() == asio::error::operation_aborted;
}

TaskGroup::TaskGroup(const Executor& executor) : executor_(executor), changed_(executor) {}

TaskGroup::~TaskGroup() { CCR_ASSERT(tasks_.empty()); }

Task<void> TaskGroup::run(Task<Result<void>> task, OnError on_error) {
  const Result<void> result = co_await std::move(task);
  if (result.ok()) co_return;
  if (!first_error_ && !stopping_) first_error_ = result.error();
  if (on_error == OnError::stop_all) stop();
}

void TaskGroup::spawn(Task<Result<void>> task, OnError on_error) {
  if (stopping_) return;  // a stopped group starts nothing
  auto running = std::make_shared<Running>();
  tasks_.push_back(running);
  auto on_end = [this, running](std::exception_ptr failure) {
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& exception) {
        if (!is_stopped(exception)) assertion_failed(exception.what(), __FILE__, __LINE__);
      }
    }
    running->ended = true;
    tasks_.remove(running);
    changed_.notify();
  };
  asio::co_spawn(executor_, run(std::move(task), on_error),
                 asio::bind_cancellation_slot(running->cancel.slot(), std::move(on_end)));
}

void TaskGroup::stop() {
  if (stopping_) return;
  stopping_ = true;
  // Posted: a task that stops its own group must not be resumed inside its own frame.
  for (const std::shared_ptr<Running>& task : tasks_) {
    asio::post(executor_, [task] {
      if (!task->ended) task->cancel.emit(asio::cancellation_type::terminal);
    });
  }
}

Task<Result<void>> TaskGroup::join() { return wait_for_all(true); }
Task<Result<void>> TaskGroup::join_undisturbed() { return wait_for_all(false); }

Task<Result<void>> TaskGroup::wait_for_all(bool stop_with_caller) {
  bool stopped = false;
  while (!tasks_.empty()) {
    try {
      co_await changed_.wait();
    } catch (const std::system_error& error) {
      if (!is_stopped(error)) throw;
      stopped = true;
      if (stop_with_caller) stop();
    }
    // From here on nothing may interrupt the wait: the children use what the caller owns.
    if (stopped) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  }
  if (stopped) throw std::system_error(asio::error::operation_aborted);
  if (first_error_) co_return *first_error_;
  co_return Result<void>();
}

}  // namespace ccr
