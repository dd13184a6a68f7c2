// Signal wakes tasks that wait for something to change.
//
// wait() completes after the next notify(), or throws when its task is stopped. A notify() with nobody waiting is lost: test the
// condition, then wait, with no suspension between the two, and test again afterwards. Who is woken goes on at the executor's next
// turn, never inside notify(), in the order in which they came.
// Lifetime: outlives its waiters. Threads: the node's executor only. Costs no timer and no call of the system.
#pragma once

#include "base/task.h"

namespace ccr {

class Signal {
 public:
  explicit Signal(const Executor& executor) : executor_(executor) {}
  ~Signal() { CCR_ASSERT(first_ == nullptr); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  Task<void> wait();
  void notify();

 private:
  class Waiter;

  Executor executor_;
  Waiter* first_ = nullptr;  // in the order in which they came
  Waiter* last_ = nullptr;
};

}  // namespace ccr
