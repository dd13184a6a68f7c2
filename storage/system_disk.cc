#include "storage/system_disk.h"

#include <utility>

#include "storage/thread_disk.h"
#include "storage/uring_disk.h"

namespace ccr::storage {

std::unique_ptr<Disk> open_system_disk(Executor executor, DiskChoice choice) {
  if (choice == DiskChoice::threads) return make_thread_disk();
  Result<std::unique_ptr<Disk>> disk = make_uring_disk(executor);
  if (disk) return std::move(*disk);
  return make_thread_disk();
}

std::optional<Error> io_uring_refusal(const Executor& executor) {
  const Result<std::unique_ptr<Disk>> disk = make_uring_disk(executor);
  if (disk) return std::nullopt;
  return disk.error();
}

}  // namespace ccr::storage
