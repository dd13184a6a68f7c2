#include "tools/typed_time.h"

#include <ctime>
#include <optional>

#include <fmt/format.h>

#include "base/wall_time.h"

namespace ccr::tools {
namespace {

Error not_a_time(const std::string& typed) {
  return {ErrorKind::usage, "'" + typed + "' is no time", "14:04, 14:04:30 (today), 2026-01-02 14:04 (local time), or 2026-01-02T14:04:00Z"};
}

// The fields, by which of the four forms fits; seconds are 0 where they are not said.
std::optional<std::tm> fields_of(const std::string& typed, const std::tm& today) {
  for (const char* form : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M:%S", "%H:%M"}) {
    std::tm fields = today;
    fields.tm_sec = 0;
    const char* end = strptime(typed.c_str(), form, &fields);
    if (end != nullptr && *end == '\0' && fields.tm_sec < 60) return fields;
  }
  return std::nullopt;
}

// The moment that has these fields here, with summer time or without; nullopt: there is none.
std::optional<std::time_t> moment_of(const std::tm& fields, bool summer) {
  std::tm asked = fields;
  asked.tm_isdst = summer ? 1 : 0;
  const std::time_t moment = std::mktime(&asked);
  std::tm found{};
  if (localtime_r(&moment, &found) == nullptr || (found.tm_isdst > 0) != summer) return std::nullopt;
  const bool same = found.tm_year == fields.tm_year && found.tm_mon == fields.tm_mon && found.tm_mday == fields.tm_mday && found.tm_hour == fields.tm_hour && found.tm_min == fields.tm_min;
  return same ? std::optional(moment) : std::nullopt;
}

}  // namespace

Result<WallTime> parse_typed_time(const std::string& typed, WallTime now) {
  if (const std::optional<WallTime> zoned = wall_time_of_rfc3339(typed)) return *zoned;
  const std::time_t seconds = static_cast<std::time_t>(now.nanoseconds / nanoseconds_a_second);
  std::tm today{};
  if (localtime_r(&seconds, &today) == nullptr) return not_a_time(typed);
  const std::optional<std::tm> fields = fields_of(typed, today);
  if (!fields) return not_a_time(typed);
  const std::optional<std::time_t> summer = moment_of(*fields, true), winter = moment_of(*fields, false);
  const std::string hint = "say it with its zone: 2026-01-02T14:04:00+01:00";
  if (!summer && !winter) return Error{ErrorKind::usage, "there is no local time '" + typed + "' here: the clock was put forward over it, or the day is not in the calendar", hint};
  if (summer && winter && *summer != *winter) return Error{ErrorKind::usage, "the local time '" + typed + "' came twice, when the clock was put back", hint};
  return WallTime{std::int64_t(summer ? *summer : *winter) * nanoseconds_a_second};
}

std::string local_time_text(WallTime time) {
  const std::time_t seconds = static_cast<std::time_t>(time.nanoseconds / nanoseconds_a_second);
  std::tm fields{};
  if (localtime_r(&seconds, &fields) == nullptr) return to_rfc3339(time);
  char day[32], zone[16];
  std::strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &fields);
  std::strftime(zone, sizeof zone, "%z", &fields);
  std::string fraction;
  if (const std::int64_t rest = time.nanoseconds % nanoseconds_a_second; rest != 0) fraction = fmt::format(".{:03}", rest / 1'000'000);
  return fmt::format("{}{} {}", day, fraction, zone);
}

}  // namespace ccr::tools
