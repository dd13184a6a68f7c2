#include "engine/event_file.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace ccr::engine {

using nlohmann::json;

json event_json(const NumberedEvent& event) {
  json line = {{"schema", 1}, {"number", event.number}, {"at", to_rfc3339(event.at)}, {"event", event.event.name}, {"subject", event.event.subject}};
  for (const auto& [key, value] : event.event.fields) line[key] = value;
  return line;
}

std::string encode_event_line(const NumberedEvent& event) {
  json line = event_json(event);
  line["at_ns"] = event.at.nanoseconds;
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<NumberedEvent> decode_event_line(std::string_view text) {
  const json line = json::parse(text, nullptr, false);
  if (!line.is_object()) return std::nullopt;
  NumberedEvent found;
  for (const auto& [key, value] : line.items()) {
    if (key == "schema" || key == "at") continue;
    const bool number = key == "number", time = key == "at_ns";
    if (number ? !value.is_number_unsigned() : time ? !value.is_number_integer() : !value.is_string()) return std::nullopt;
    if (number) {
      found.number = value.get<std::uint64_t>();
    } else if (time) {
      found.at = {value.get<std::int64_t>()};
    } else if (key == "event") {
      found.event.name = value.get<std::string>();
    } else if (key == "subject") {
      found.event.subject = value.get<std::string>();
    } else {
      found.event.fields.emplace_back(key, value.get<std::string>());
    }
  }
  if (found.number == 0 || found.event.name.empty()) return std::nullopt;
  return found;
}

EventFile::EventFile(storage::Disk& disk, Clock& clock, std::string directory, EventLog& log, Trace& next, std::string node)
    : disk_(disk),
      clock_(clock),
      directory_(std::move(directory)),
      path_(path_in(directory_)),
      log_(log),
      next_(next),
      node_(std::move(node)) {}

Task<Result<void>> EventFile::run() {
  co_await restore();
  bool failed = false;
  for (;;) {
    co_await log_.wait_beyond(written_);
    const Result<void> written = co_await write_new_events();
    if (!written.ok()) {
      file_.reset();
      begin_new_ = true;  // nothing after a failed write or sync is believed to be on disk
      const Event event{"events_not_kept", node_, {{"cause", written.error().message}}};
      if (!failed) next_.record(event);
    }
    failed = !written.ok();
    co_await clock_.sleep(failed ? retry_interval : batch_interval);
  }
}

Task<void> EventFile::restore() {
  Found found;
  std::string older = older_than(path_), newest = path_;
  Result<void> read_all = co_await read(std::move(older), found);
  if (read_all.ok()) read_all = co_await read(std::move(newest), found);
  begin_new_ = !read_all.ok();
  written_ = log_.restore(std::move(found.events));
  if (!read_all.ok()) {
    const Event event{"events_not_read", node_, {{"cause", read_all.error().message}}};
    log_.record(event);
  }
  if (found.damaged_lines > 0) {
    const Event event{"events_damaged", node_, {{"lines", std::to_string(found.damaged_lines)}, {"file", path_}}};
    log_.record(event);
  }
  torn_ = found.torn;
}

Task<Result<void>> EventFile::read(std::string path, Found& found) {
  Result<std::unique_ptr<storage::File>> file = co_await disk_.open(path, storage::OpenMode::read);
  if (!file.ok()) {
    if (file.error().kind == ErrorKind::not_found) co_return Result<void>();
    co_return file.error();
  }
  const Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  // A batch may stand above file_bytes_max; of what is longer the end is read, from the middle of a line.
  constexpr std::uint64_t read_bytes_max = 4 * file_bytes_max;
  Bytes content(std::min(*size, read_bytes_max));
  const Result<std::size_t> got = co_await (*file)->read_at(*size - content.size(), content);
  if (!got.ok()) co_return got.error();
  std::string_view text(reinterpret_cast<const char*>(content.data()), *got);
  found.torn = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    found.torn = end == std::string_view::npos;
    text.remove_prefix(found.torn ? text.size() : end + 1);
    std::optional<NumberedEvent> event = decode_event_line(line);
    const bool follows = event && (found.events.empty() || event->number > found.events.back().number);
    if (!follows) {
      ++found.damaged_lines;
      continue;
    }
    found.events.push_back(std::move(*event));
    if (found.events.size() > EventLog::events_max) found.events.pop_front();
  }
  co_return Result<void>();
}

Task<Result<void>> EventFile::write_new_events() {
  std::string lines;
  std::uint64_t newest = written_;
  for (const NumberedEvent& event : log_.events()) {
    if (event.number <= written_) continue;
    lines += encode_event_line(event) + "\n";
    newest = event.number;
  }
  if (!file_ || begin_new_ || end_ >= file_bytes_max) CCR_CO_TRY(co_await make_room());
  if (torn_) lines.insert(0, "\n");  // or the first of them would belong to what a crash tore
  CCR_CO_TRY(co_await file_->write_at(end_, as_bytes(lines)));
  CCR_CO_TRY(co_await file_->sync());
  end_ += lines.size();
  written_ = newest;
  keep_old_ = true;
  torn_ = false;
  co_return Result<void>();
}

// The file that goes on, or a new one beside the one before.
Task<Result<void>> EventFile::make_room() {
  CCR_CO_TRY(co_await disk_.make_directories(directory_));
  if (!file_ && !begin_new_) {
    Result<std::unique_ptr<storage::File>> file = co_await disk_.open(path_, storage::OpenMode::create);
    if (!file.ok()) co_return file.error();
    const Result<std::uint64_t> size = co_await (*file)->size();
    if (!size.ok()) co_return size.error();
    file_ = std::move(*file);
    end_ = *size;
    if (end_ < file_bytes_max) co_return co_await disk_.sync_directory(directory_);
  }
  file_.reset();
  const std::string older = older_than(path_);
  // A file that never took a batch must not push out the one that did.
  std::optional<Result<void>> gone;
  if (keep_old_) {
    gone = co_await disk_.rename(path_, older);
  } else {
    gone = co_await disk_.remove(path_);
  }
  if (!gone->ok() && gone->error().kind != ErrorKind::not_found) co_return gone->error();
  Result<std::unique_ptr<storage::File>> file = co_await disk_.open(path_, storage::OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  file_ = std::move(*file);
  end_ = 0;
  begin_new_ = keep_old_ = torn_ = false;
  co_return co_await disk_.sync_directory(directory_);
}

}  // namespace ccr::engine
