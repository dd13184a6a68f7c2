// Time for the fuzzers whose target waits: it stands still until nothing else can go on, and is then turned to the next instant that somebody
// waits for. So a wait costs nothing, and a target that would hang stops the fuzzer at once.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/clock.h"
#include "base/signal.h"

// A task is stopped by an exception, at each of which AddressSanitizer would walk its stand-in for the stack: a third of all time. Not inline: that
// would be as weak as the sanitizer's own. A fuzzer is one source.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0"; }

namespace ccr {

class TurnedClock final : public Clock {
 public:
  explicit TurnedClock(const Executor& executor) : executor_(executor) {}

  Instant now() const override { return now_; }
  WallTime wall_now() const override { return {1'750'000'000'000'000'000 + now_.nanoseconds}; }
  Task<void> sleep_until(Instant at) override {
    const Sleeper sleeper(*this, at);
    while (now_ < at) co_await sleeper.woken->wait();
  }

  // False where nobody waits for a time.
  bool turn() {
    std::optional<Instant> next;
    for (const Sleeper* sleeper : sleepers_) {
      if (sleeper->at > now_ && (!next || sleeper->at < *next)) next = sleeper->at;
    }
    if (!next) return false;
    now_ = *next;
    for (const Sleeper* sleeper : sleepers_) {
      if (sleeper->at <= now_) sleeper->woken->notify();
    }
    return true;
  }

 private:
  struct Sleeper {
    Sleeper(TurnedClock& c, Instant wanted) : clock(c), at(wanted), woken(std::make_unique<Signal>(c.executor_)) { clock.sleepers_.push_back(this); }
    ~Sleeper() { clock.sleepers_.remove(this); }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    TurnedClock& clock;
    Instant at;
    std::unique_ptr<Signal> woken;
  };

  Executor executor_;
  Instant now_;
  std::list<const Sleeper*> sleepers_;
};

// What is ready, and what that makes ready.
inline void run_what_can(asio::io_context& context) {
  do context.restart();
  while (context.poll() > 0);
}

template <class T>
Task<void> keep_outcome(Task<T> task, std::optional<T>& outcome) {
  outcome.emplace(co_await std::move(task));
}

template <class T>
void start(asio::io_context& context, Task<T> task, std::optional<T>& outcome) {
  asio::co_spawn(context, keep_outcome(std::move(task), outcome), [](std::exception_ptr failure) { CCR_ASSERT(failure == nullptr); });
}

// To the end of a task that was started: it comes without anything from outside, and within turns_max waits.
template <class T>
T finish(asio::io_context& context, TurnedClock& clock, std::optional<T>& outcome) {
  constexpr int turns_max = 10'000;
  run_what_can(context);
  for (int turns = 0; !outcome; ++turns) {
    const bool waits = clock.turn();
    CCR_ASSERT(waits && turns < turns_max);  // else it hangs
    run_what_can(context);
  }
  return std::move(*outcome);
}

template <class T>
T run_to_end(asio::io_context& context, TurnedClock& clock, Task<T> task) {
  std::optional<T> outcome;
  start(context, std::move(task), outcome);
  return finish(context, clock, outcome);
}

}  // namespace ccr
