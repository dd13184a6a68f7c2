// What the tests of pages, digests and state share: running a coroutine to its end, and names.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/task.h"
#include "storage/page_digests.h"
#include "tests/page_memory_disk.h"

namespace ccr::storage {

// The result of a task that needs nothing but its own executor.
template <class T>
T finish(Task<T> task) {
  asio::io_context context;
  std::optional<T> result;
  auto wrapped = [&]() -> Task<void> { result.emplace(co_await std::move(task)); };
  asio::co_spawn(context, wrapped, [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
  context.run();
  CCR_ASSERT(result.has_value());
  return std::move(*result);
}

template <class T>
std::optional<ErrorKind> kind_of(const Result<T>& result) {
  if (result.ok()) return std::nullopt;
  return result.error().kind;
}

inline bool equal(const PageDigests& a, const PageDigests& b) {
  if (a.page_count() != b.page_count() || a.root() != b.root()) return false;
  for (PageNumber page = 1; page <= a.page_count(); ++page) {
    if (a.at(page) != b.at(page)) return false;
  }
  return true;
}

inline constexpr PageMemoryDisk::Keep every_keep[] = {PageMemoryDisk::Keep::synced, PageMemoryDisk::Keep::everything,
                                                      PageMemoryDisk::Keep::some};

}  // namespace ccr::storage
