// EventLog keeps the newest events for `ccr events` and hands each on to the node's trace. EventFile gives it those of earlier lives.
//
// Numbers mean something from restore() on: until then those of this life begin with 1, and move up by what is restored. Bounds: events_max,
// the oldest go first.
#pragma once

#include <deque>

#include "base/signal.h"
#include "base/trace.h"

namespace ccr::engine {

struct NumberedEvent {
  std::uint64_t number = 0;  // from 1, over restarts; a gap: events that were lost
  WallTime at;
  Event event;
};

// Whether an event is about that database, or that copy of it; an empty database: any event.
bool concerns(const Event& event, const std::string& database, const std::string& node);

class EventLog final : public Trace {
 public:
  static constexpr std::size_t events_max = 1000;

  EventLog(const Executor& executor, Clock& clock, Trace& next) : changed_(executor), clock_(clock), next_(next) {}

  void record(const Event& event) override;
  const std::deque<NumberedEvent>& events() const noexcept { return events_; }
  std::uint64_t last_number() const noexcept { return last_; }
  Task<void> wait_beyond(std::uint64_t number);  // completes when there is one above it
  // Once, with what earlier lives recorded, by number. Returns the newest number of theirs; 0: there was none.
  std::uint64_t restore(std::deque<NumberedEvent> earlier);
  Task<void> wait_restored();

 private:
  Signal changed_;
  Clock& clock_;
  Trace& next_;
  std::deque<NumberedEvent> events_;
  std::uint64_t last_ = 0;
  bool restored_ = false;
};

}  // namespace ccr::engine
