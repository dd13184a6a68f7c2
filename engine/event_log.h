// EventLog keeps the newest events for `ccr events` and hands each on to the node's trace.
//
// Bounds: events_max, the oldest go first. follow() completes when there is an event with a number at or above the one asked for.
#pragma once

#include <deque>

#include "base/signal.h"
#include "base/trace.h"

namespace ccr::engine {

struct NumberedEvent {
  std::uint64_t number = 0;  // from 1, without gaps while the node runs
  WallTime at;
  Event event;
};

class EventLog final : public Trace {
 public:
  static constexpr std::size_t events_max = 1000;

  EventLog(const Executor& executor, Clock& clock, Trace& next) : changed_(executor), clock_(clock), next_(next) {}

  void record(const Event& event) override;
  const std::deque<NumberedEvent>& events() const noexcept { return events_; }
  std::uint64_t last_number() const noexcept { return last_; }
  Task<void> wait_beyond(std::uint64_t number);

 private:
  Signal changed_;
  Clock& clock_;
  Trace& next_;
  std::deque<NumberedEvent> events_;
  std::uint64_t last_ = 0;
};

}  // namespace ccr::engine
