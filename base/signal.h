// Signal wakes tasks that wait for something to change.
//
// wait() completes after the next notify(), or throws when its task is stopped. A notify() with nobody waiting is lost: test the
// condition, then wait, with no suspension between the two, and test again afterwards.
// Lifetime: outlives its waiters. Threads: the node's executor only.
#pragma once

#include <asio/steady_timer.hpp>

#include "base/task.h"

namespace ccr {

class Signal {
 public:
  explicit Signal(const Executor& executor);

  Task<void> wait();
  void notify();

 private:
  asio::steady_timer timer_;  // expires never; notify cancels the waits
};

}  // namespace ccr
