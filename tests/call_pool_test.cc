#include "storage/call_pool.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace ccr::storage {
namespace {

// Says which thread destroys it.
struct Witness {
  std::promise<std::thread::id> destroyed_by;
  ~Witness() { destroyed_by.set_value(std::this_thread::get_id()); }
};

TEST(CallPool, TheLastOwnerLeavesTheDestructionToThePool) {
  CallPool pool(1);
  auto object = std::make_shared<Witness>();
  std::future<std::thread::id> destroyed_by = object->destroyed_by.get_future();
  std::shared_ptr<Witness> handed = pool.destroyed_here(std::move(object));
  std::shared_ptr<Witness> other = handed;
  handed.reset();
  auto behind = std::make_shared<Witness>();
  std::future<std::thread::id> all_before_it = behind->destroyed_by.get_future();
  pool.destroyed_here(std::move(behind)).reset();
  all_before_it.wait();  // by the one thread, in order
  EXPECT_EQ(destroyed_by.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "somebody else has it still";
  other.reset();
  EXPECT_NE(destroyed_by.get(), std::this_thread::get_id());
}

TEST(CallPool, WhatOutlivesThePoolIsDestroyedByItsOwner) {
  auto pool = std::make_unique<CallPool>(1);
  auto object = std::make_shared<Witness>();
  std::future<std::thread::id> destroyed_by = object->destroyed_by.get_future();
  std::shared_ptr<Witness> handed = pool->destroyed_here(std::move(object));
  pool.reset();
  handed.reset();
  EXPECT_EQ(destroyed_by.get(), std::this_thread::get_id());
}

}  // namespace
}  // namespace ccr::storage
