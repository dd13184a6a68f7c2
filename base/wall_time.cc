#include "base/wall_time.h"

#include <chrono>

namespace ccr {
namespace {

constexpr int year_min = 1970, year_max = 2200;  // nanoseconds end in 2262

// Exactly `digits` of them, or nullopt; takes them from the text.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take_one(std::string_view& text, std::string_view of) {
  if (text.empty() || of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// "03:04:05" behind the day: seconds of it.
std::optional<std::int64_t> take_time(std::string_view& text) {
  const std::optional<int> hour = take_number(text, 2);
  if (!hour || !take_one(text, ":")) return std::nullopt;
  const std::optional<int> minute = take_number(text, 2);
  if (!minute || !take_one(text, ":")) return std::nullopt;
  const std::optional<int> at = take_number(text, 2);
  if (!at || *hour > 23 || *minute > 59 || *at > 59) return std::nullopt;
  return (*hour * 60 + *minute) * 60 + *at;
}

// ".5" is half a second; none is 0.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  if (!take_one(text, ".")) return 0;
  std::int64_t fraction = 0, unit = nanoseconds_a_second / 10;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits, unit /= 10) fraction += (text[digits] - '0') * unit;
  if (digits == 0 || digits > 9) return std::nullopt;
  text.remove_prefix(digits);
  return fraction;
}

std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take_one(text, "Zz")) return 0;
  const bool east = !text.empty() && text.front() == '+';
  if (!take_one(text, "+-")) return std::nullopt;
  const std::optional<int> hours = take_number(text, 2);
  if (!hours || !take_one(text, ":")) return std::nullopt;
  const std::optional<int> minutes = take_number(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return (east ? 1 : -1) * (*hours * 60 + *minutes) * 60;
}

}  // namespace

std::optional<WallTime> wall_time_of_rfc3339(std::string_view text) {
  const std::optional<int> year = take_number(text, 4);
  if (!year || *year < year_min || *year > year_max || !take_one(text, "-")) return std::nullopt;
  const std::optional<int> month = take_number(text, 2);
  if (!month || !take_one(text, "-")) return std::nullopt;
  const std::optional<int> day = take_number(text, 2);
  if (!day || !take_one(text, "Tt ")) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)), std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const std::optional<std::int64_t> time = take_time(text);
  if (!time) return std::nullopt;
  const std::optional<std::int64_t> fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const std::optional<std::int64_t> offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return WallTime{(days * 86400 + *time - *offset) * nanoseconds_a_second + *fraction};
}

std::string to_rfc3339_exact(WallTime time) {
  const std::string whole = to_rfc3339(time);  // ends in Z
  std::string fraction = std::to_string(time.nanoseconds % nanoseconds_a_second + nanoseconds_a_second);
  fraction.front() = '.';
  return whole.substr(0, whole.size() - 1) + fraction + "Z";
}

}  // namespace ccr
