#include "storage/cpu_threads.h"

#include <algorithm>
#include <thread>

namespace ccr::storage {
namespace {

std::size_t spare_processors() {
  const std::size_t all = std::thread::hardware_concurrency();  // 0: not known
  return std::clamp<std::size_t>(all, 2, CpuThreads::threads_max + 1) - 1;
}

}  // namespace

CpuThreads::CpuThreads() : pool_(spare_processors()) {}

Task<void> CpuThreads::run(std::function<void()> work) {
  auto call = [&work]() -> Result<void> {
    work();
    return {};
  };
  const Result<void> done = co_await pool_.run(std::move(call));
  CCR_ASSERT(done.ok());
}

}  // namespace ccr::storage
