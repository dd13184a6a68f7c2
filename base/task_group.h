// TaskGroup owns running tasks: nothing in ccr is detached.
//
// spawn() starts a task at the executor's next turn. The first error of a task stops the others (unless it was spawned with
// keep_others) and is what join() returns; a task that was stopped, or that returned ok, adds nothing. stop() asks every task to
// end: each throws at its next suspension that can be stopped. join() completes when all have ended; when the joining task is
// itself stopped, it stops the group, still waits for all, and then unwinds. Any other exception out of a task stops the process.
// Lifetime: join() before destruction; destroying a group with live tasks is a broken invariant. Threads: the node's executor only.
#pragma once

#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <optional>

#include <asio/cancellation_signal.hpp>

#include "base/signal.h"

namespace ccr {

class TaskGroup {
 public:
  enum class OnError { stop_all, keep_others };

  explicit TaskGroup(const Executor& executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(Task<Result<void>> task, OnError on_error = OnError::stop_all);
  void stop();
  Task<Result<void>> join();
  // As join(), but when the joining task is stopped the group's tasks run to their own end first: for what must not be cut in the middle.
  Task<Result<void>> join_undisturbed();

  std::size_t running() const noexcept { return tasks_.size(); }
  bool stopping() const noexcept { return stopping_; }

 private:
  struct Running {
    asio::cancellation_signal cancel;
    bool ended = false;
  };

  Task<Result<void>> wait_for_all(bool stop_with_caller);
  Task<void> run(Task<Result<void>> task, OnError on_error);

  Executor executor_;
  Signal changed_;
  std::list<std::shared_ptr<Running>> tasks_;  // shared with the handlers that end or stop it, which may outlive the group's turn
  std::optional<Error> first_error_;
  bool stopping_ = false;
};

// Throws where the task is being stopped. For who suspended before it made a group: a stop that came in that suspension would be thrown by the call of
// join() itself, with the group's tasks still in it.
inline Task<void> stop_point() { co_return; }

// True for the exception that a stopped task's suspension throws.
bool is_stopped(const std::exception& exception) noexcept;

}  // namespace ccr
