// The Disk for hosts where io_uring is not allowed: every call runs on one of a few threads (storage/call_pool.h).
//
// Bounds: `threads` operations at once, further ones wait in order; a sync that takes long holds one thread.
#pragma once

#include <cstddef>
#include <memory>

#include "storage/call_pool.h"
#include "storage/disk.h"

namespace ccr::storage {

std::unique_ptr<Disk> make_thread_disk(std::size_t threads = CallPool::threads_default);

}  // namespace ccr::storage
