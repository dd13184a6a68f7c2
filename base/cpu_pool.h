// CpuPool is a seam: work that takes the processor for long (packing, unpacking) goes through it, so that the thread that decides
// is free meanwhile, and the simulator can do it in its place, with no thread at all.
//
// Completion: run() completes on the awaiting task's executor once `work` returned. A stopped task does not interrupt its work: it
// ends first, then the task unwinds; so `work` may refer to what lives as long as the await. Threads: run() from the node's
// executor only; `work` touches nothing that anybody else touches until it is done. Bounds: one piece of work for each awaiting
// task.
#pragma once

#include <functional>

#include "base/task.h"

namespace ccr {

class CpuPool {
 public:
  virtual ~CpuPool() = default;
  virtual Task<void> run(std::function<void()> work) = 0;
};

// At once, on the caller's thread.
class InlineCpuPool final : public CpuPool {
 public:
  Task<void> run(std::function<void()> work) override {
    work();
    co_return;
  }
};

}  // namespace ccr
