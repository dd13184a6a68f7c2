#include "tools/event_history.h"

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/event_file.h"
#include "engine/watched.h"
#include "tools/config_file.h"

namespace ccr::tools {
namespace {

using engine::NumberedEvent;

Result<void> add_events(const std::string& path, std::deque<NumberedEvent>& events) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int reason = errno;
    if (reason == ENOENT) return {};
    return Error{ErrorKind::io, "open '" + path + "': " + std::strerror(reason), ""};
  }
  for (std::string line; std::getline(in, line);) {
    std::optional<NumberedEvent> event = engine::decode_event_line(line);
    if (!event || (!events.empty() && event->number <= events.back().number)) continue;
    events.push_back(std::move(*event));
    if (events.size() > engine::EventLog::events_max) events.pop_front();
  }
  if (in.bad()) return Error{ErrorKind::io, "read '" + path + "' failed", ""};
  return {};
}

}  // namespace

Result<std::vector<nlohmann::json>> events_from_disk(const engine::Config& config, const Target& target) {
  CCR_TRY(find_copy(config, target.database, target.node));
  std::deque<NumberedEvent> events;
  const std::string newest = engine::EventFile::path_in(config.state_dir);
  CCR_TRY(add_events(engine::EventFile::older_than(newest), events));
  CCR_TRY(add_events(newest, events));
  std::vector<nlohmann::json> told;
  for (const NumberedEvent& event : events) {
    if (engine::concerns(event.event, target.database, target.node)) told.push_back(engine::event_json(event));
  }
  return told;
}

}  // namespace ccr::tools
