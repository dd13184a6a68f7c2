// BoundedQueue passes values between tasks of one executor, in order, never holding more than `items_max`.
//
// push() waits while it is full; pop() waits while it is empty. After close() push() is refused and pop() drains what is left,
// then says nullopt. Both throw when their task is stopped; a value of a stopped push() is not in the queue.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "base/signal.h"

namespace ccr {

template <class T>
class BoundedQueue {
 public:
  BoundedQueue(const Executor& executor, std::size_t items_max) : changed_(executor), items_max_(items_max) { CCR_ASSERT(items_max > 0); }

  Task<bool> push(T value) {
    while (items_.size() >= items_max_ && !closed_) co_await changed_.wait();
    if (closed_) co_return false;
    items_.push_back(std::move(value));
    changed_.notify();
    co_return true;
  }

  Task<std::optional<T>> pop() {
    while (items_.empty() && !closed_) co_await changed_.wait();
    if (items_.empty()) co_return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    changed_.notify();
    co_return value;
  }

  void close() {
    closed_ = true;
    changed_.notify();
  }
  std::size_t size() const noexcept { return items_.size(); }
  bool closed() const noexcept { return closed_; }

 private:
  Signal changed_;
  std::deque<T> items_;
  std::size_t items_max_;
  bool closed_ = false;
};

}  // namespace ccr
