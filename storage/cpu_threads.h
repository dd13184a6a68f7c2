// CpuThreads is the CPU pool of production: a few threads beside the one that decides (base/cpu_pool.h).
//
// Lifetime: as CallPool. Bounds: threads_max, and one less than the processor has, so that the node's own thread keeps one.
#pragma once

#include "base/cpu_pool.h"
#include "storage/call_pool.h"

namespace ccr::storage {

class CpuThreads final : public CpuPool {
 public:
  static constexpr std::size_t threads_max = 4;  // packing at level 1 then fills 10 Gbit/s

  CpuThreads();
  Task<void> run(std::function<void()> work) override;

 private:
  CallPool pool_;
};

}  // namespace ccr::storage
