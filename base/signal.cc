#include "base/signal.h"

#include <memory>
#include <system_error>

#include "base/suspended_task.h"

namespace ccr {

// One wait; lives in the frame of the coroutine that waits. It is in the list as long as its task is suspended and not woken.
class Signal::Waiter {
 public:
  explicit Waiter(Signal& signal) : signal_(signal) {}
  ~Waiter() { CCR_ASSERT(task_ == nullptr); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void keep(std::unique_ptr<SuspendedTask> task, asio::cancellation_slot slot) {
    task_ = std::move(task);
    previous_ = signal_.last_;
    (previous_ != nullptr ? previous_->next_ : signal_.first_) = this;
    signal_.last_ = this;
    if (slot.is_connected()) slot.assign([this](asio::cancellation_type) { wake(); });
  }

  void wake() {
    if (task_ == nullptr) return;  // woken, and then stopped before its turn came
    (previous_ != nullptr ? previous_->next_ : signal_.first_) = next_;
    (next_ != nullptr ? next_->previous_ : signal_.last_) = previous_;
    resume_later(signal_.executor_, std::move(task_));
  }

 private:
  Signal& signal_;
  std::unique_ptr<SuspendedTask> task_;
  Waiter* next_ = nullptr;
  Waiter* previous_ = nullptr;
};

Task<void> Signal::wait() {
  Waiter waiter(*this);
  Waiter* const here = &waiter;
  const auto keep = [here](std::unique_ptr<SuspendedTask> task, asio::cancellation_slot slot) { here->keep(std::move(task), slot); };
  co_await suspend_into(keep);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw std::system_error(asio::error::operation_aborted);
}

void Signal::notify() {
  while (first_ != nullptr) first_->wake();
}

}  // namespace ccr
