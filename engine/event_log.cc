#include "engine/event_log.h"

namespace ccr::engine {

void EventLog::record(const Event& event) {
  events_.push_back({++last_, clock_.wall_now(), event});
  if (events_.size() > events_max) events_.pop_front();
  next_.record(event);
  changed_.notify();
}

Task<void> EventLog::wait_beyond(std::uint64_t number) {
  while (last_ <= number) co_await changed_.wait();
}

}  // namespace ccr::engine
