#include "tests/sim/sim_wait.h"

#include <system_error>

namespace ccr::sim {

Gate::~Gate() { CCR_ASSERT(first_ == nullptr); }

void Gate::link(Wait& wait) {
  wait.previous = last_;
  (last_ != nullptr ? last_->next : first_) = &wait;
  last_ = &wait;
}

void Gate::unlink(Wait& wait) {
  (wait.previous != nullptr ? wait.previous->next : first_) = wait.next;
  (wait.next != nullptr ? wait.next->previous : last_) = wait.previous;
}

void Gate::open() {
  closed_ = false;
  for (Wait* wait = first_; wait != nullptr; wait = wait->next) wait->gate_opened();
}

void Gate::sever() {
  severed_ = true;
  closed_ = false;
  for (Wait* wait = first_; wait != nullptr; wait = wait->next) {
    wait->complete();
    wait->gate_opened();  // for what had completed behind the closed gate
  }
}

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
  wake();
}

void Wait::wake() {
  if (suspended_ != nullptr) resume_later(gate_.world().executor(), std::move(suspended_));
}

void Wait::suspend(std::unique_ptr<SuspendedTask> task, asio::cancellation_slot slot, Stop stop) {
  if (stop == Stop::at_once && slot.is_connected()) slot.assign([this](asio::cancellation_type) { this->stop(); });
  suspended_ = std::move(task);
  if (completed_ && !gate_.closed()) wake();
}

Task<void> Wait::until_completed(Stop stop) {
  const auto keep = [this, stop](std::unique_ptr<SuspendedTask> task, asio::cancellation_slot slot) { suspend(std::move(task), slot, stop); };
  co_await suspend_into(keep);
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
