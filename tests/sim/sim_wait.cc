#include "tests/sim/sim_wait.h"

#include <system_error>
#include <type_traits>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/post.hpp>

namespace ccr::sim {

Gate::~Gate() { CCR_ASSERT(first_ == nullptr); }

void Gate::link(Wait& wait) {
  wait.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &wait;
  last_ = &wait;
}

void Gate::unlink(Wait& wait) {
  (wait.previous_ != nullptr ? wait.previous_->next_ : first_) = wait.next_;
  (wait.next_ != nullptr ? wait.next_->previous_ : last_) = wait.previous_;
}

void Gate::open() {
  closed_ = false;
  for (Wait* wait = first_; wait != nullptr; wait = wait->next_) wait->gate_opened();
}

void Gate::sever() {
  severed_ = true;
  closed_ = false;
  for (Wait* wait = first_; wait != nullptr; wait = wait->next_) {
    wait->complete();
    wait->gate_opened();  // for what had completed behind the closed gate
  }
}

template <class Handler>
struct Wait::SuspendedIn final : Wait::Suspended {
  explicit SuspendedIn(Handler&& taken) : handler(std::move(taken)) {}
  void resume(asio::error_code error) override { std::move(handler)(error); }
  Handler handler;
};

Wait::Wait(Gate& gate) : gate_(gate) {
  gate_.link(*this);
  gate_.world().wait_began();
  completed_ = gate_.severed();
}

Wait::~Wait() {
  CCR_ASSERT(suspended_ == nullptr);
  gate_.unlink(*this);
  gate_.world().wait_ended();
}

void Wait::complete() {
  if (completed_) return;
  completed_ = true;
  if (!gate_.closed()) wake();
}

void Wait::gate_opened() {
  if (completed_) wake();
}

void Wait::stop() {
  if (suspended_ == nullptr) return;  // woken already; the task sees that it is stopped when it resumes
  completed_ = true;
  error_ = asio::error::operation_aborted;
  wake();
}

void Wait::wake() {
  if (suspended_ == nullptr) return;
  auto resume = [suspended = std::move(suspended_), error = error_] { suspended->resume(error); };
  asio::post(gate_.world().context(), std::move(resume));
}

template <class Handler>
void Wait::suspend(Handler&& handler, Stop stop) {
  const auto slot = asio::get_associated_cancellation_slot(handler);
  if (stop == Stop::at_once && slot.is_connected()) {
    auto slot_to_assign = slot;
    slot_to_assign.assign([this](asio::cancellation_type) { this->stop(); });
  }
  suspended_ = std::make_unique<SuspendedIn<std::decay_t<Handler>>>(std::move(handler));
  if (completed_ && !gate_.closed()) wake();
}

Task<void> Wait::until_completed(Stop stop) {
  auto begin = [this, stop](auto&& handler) { suspend(std::move(handler), stop); };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(asio::error_code)>(begin, asio::use_awaitable);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw std::system_error(asio::error::operation_aborted);
}

namespace {

// Takes the event back when its task leaves early.
struct EventOwner {
  World& world;
  EventId event;
  ~EventOwner() { world.cancel(event); }
};

}  // namespace

Task<void> delay_for(Gate& gate, Duration duration, const char* name) {
  Wait wait(gate);
  auto wake = [&wait] { wait.complete(); };
  World& world = gate.world();
  const EventOwner owner{world, world.after(duration, name, wake)};
  co_await wait.until_completed(Wait::Stop::at_once);
}

}  // namespace ccr::sim
