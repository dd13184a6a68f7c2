// Undo does what it was given at the end of its scope, unless keep() was called: for a task that may be stopped half way.
//
// Lifetime: what the action refers to outlives it. The action must not throw and not suspend.
#pragma once

#include <utility>

namespace ccr {

template <class Action>
class Undo {
 public:
  explicit Undo(Action action) : action_(std::move(action)) {}
  ~Undo() {
    if (!kept_) action_();
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  Action action_;
  bool kept_ = false;
};

}  // namespace ccr
