#include "engine/event_log.h"

namespace ccr::engine {

bool concerns(const Event& event, const std::string& database, const std::string& node) {
  if (database.empty()) return true;
  const std::string copy = database + "@" + node;
  return node.empty() ? event.subject.starts_with(copy) : event.subject == copy;
}

void EventLog::record(const Event& event) {
  events_.push_back({++last_, clock_.wall_now(), event});
  if (events_.size() > events_max) events_.pop_front();
  next_.record(event);
  changed_.notify();
}

std::uint64_t EventLog::restore(std::deque<NumberedEvent> earlier) {
  CCR_ASSERT(!restored_);
  const std::uint64_t before = earlier.empty() ? 0 : earlier.back().number;
  for (NumberedEvent& event : events_) {
    event.number += before;
    earlier.push_back(std::move(event));
  }
  while (earlier.size() > events_max) earlier.pop_front();
  events_ = std::move(earlier);
  last_ += before;
  restored_ = true;
  changed_.notify();
  return before;
}

Task<void> EventLog::wait_restored() {
  while (!restored_) co_await changed_.wait();
}

Task<void> EventLog::wait_beyond(std::uint64_t number) {
  while (last_ <= number) co_await changed_.wait();
}

}  // namespace ccr::engine
