// The Disk of production: io_uring where the kernel allows it, threads where it does not. name() says which one runs.
#pragma once

#include <memory>
#include <optional>

#include "storage/disk.h"

namespace ccr::storage {

enum class DiskChoice {
  automatic,  // io_uring, else threads
  io_uring,   // the same: a node that replicates slowly is better than one that does not start; `ccr check` tells them apart
  threads,    // threads, without asking
};

// The executor's context outlives the Disk. Before it is destroyed no task may still use it; operations in flight are waited for.
std::unique_ptr<Disk> open_system_disk(Executor executor, DiskChoice choice);

// Why the kernel refuses io_uring to this process; nothing when it does not.
std::optional<Error> io_uring_refusal(const Executor& executor);

}  // namespace ccr::storage
