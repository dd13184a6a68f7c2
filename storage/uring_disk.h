// The Disk on io_uring: reads, writes, syncs and allocations go through a ring of our own (storage/submission_ring.h), everything
// that deals with names through a CallPool.
#pragma once

#include <memory>

#include "storage/disk.h"

namespace ccr::storage {

// Error: what the kernel refused; the caller takes the thread back end then. The executor's context outlives the Disk.
Result<std::unique_ptr<Disk>> make_uring_disk(const Executor& executor);

}  // namespace ccr::storage
