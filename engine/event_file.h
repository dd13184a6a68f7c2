// EventFile keeps the events of a node over its restarts: JSON lines in the state directory, in the newest file and the one before
// it.
//
// run() reads what earlier lives left, gives it to the EventLog, and from then on writes what the log records, a moment after it.
// Nobody waits for it but who asks for events: a disk that hangs or fails costs events, never the node. A line that cannot be read
// (torn by a crash, rotten) is skipped and told as an event. Completion: run() ends when it is stopped; what was recorded in its
// last moment may be lost. After a failed write the next file is begun, at the earliest after retry_interval. What the log let go
// meanwhile is a gap in the numbers. Lifetime: disk, clock, log and next outlive run(). Bounds: two files of file_bytes_max each,
// and a batch.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "engine/event_log.h"
#include "storage/disk.h"

namespace ccr::engine {

nlohmann::json event_json(const NumberedEvent& event);  // for people and programs: with its time as text

// A line of the file, without its newline, and back; nullopt: it is none.
std::string encode_event_line(const NumberedEvent& event);
std::optional<NumberedEvent> decode_event_line(std::string_view line);

class EventFile {
 public:
  static constexpr std::uint64_t file_bytes_max = 1 * MiB;                    // some 5,000 events: more than the log shows
  static constexpr Duration batch_interval = std::chrono::milliseconds(100);  // a storm of events is not a storm of syncs
  static constexpr Duration retry_interval = std::chrono::seconds(10);

  // `next` hears, once each time, that events are not kept: in the log itself it would be one more that is not.
  EventFile(storage::Disk& disk, Clock& clock, std::string directory, EventLog& log, Trace& next, std::string node);
  Task<Result<void>> run();

  static std::string path_in(const std::string& directory) { return directory + "/events.jsonl"; }
  static std::string older_than(const std::string& path) { return path + ".1"; }  // the file before the newest

 private:
  struct Found {
    std::deque<NumberedEvent> events;
    std::uint64_t damaged_lines = 0;
    bool torn = false;  // the last line of the last file has no end
  };

  Task<void> restore();
  Task<Result<void>> read(std::string path, Found& found);
  Task<Result<void>> write_new_events();
  Task<Result<void>> make_room();

  storage::Disk& disk_;
  Clock& clock_;
  std::string directory_, path_;
  EventLog& log_;
  Trace& next_;
  std::string node_;
  std::unique_ptr<storage::File> file_;
  std::uint64_t end_ = 0;      // of the file
  std::uint64_t written_ = 0;  // number of the newest event that is on disk
  bool begin_new_ = false;     // the present file is not to be trusted any more
  bool keep_old_ = true;       // there may be events in it all the same
  bool torn_ = false;          // its last line has no end
};

}  // namespace ccr::engine
