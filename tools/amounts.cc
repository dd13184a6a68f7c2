#include "tools/amounts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "base/bytes.h"

namespace ccr::tools {

std::string size_text(std::uint64_t bytes) {
  if (bytes < KiB) return fmt::format("{} B", bytes);
  const double value = static_cast<double>(bytes);
  constexpr std::array names{"KiB", "MiB", "GiB", "TiB"};
  double scaled = value / static_cast<double>(KiB);
  std::size_t unit = 0;
  while (scaled >= 1023.95 && unit + 1 < names.size()) {  // what would read as 1024.0
    scaled /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", scaled, names[unit]);
}

std::string rate_text(double bytes_per_second) {
  if (bytes_per_second < 999.5) return fmt::format("{:.0f} B/s", std::max(0.0, bytes_per_second));
  if (bytes_per_second < 999'950) return fmt::format("{:.1f} kB/s", bytes_per_second / 1e3);
  return fmt::format("{:.1f} MB/s", bytes_per_second / 1e6);
}

std::string age_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::max(0.0, seconds));
  constexpr std::uint64_t minute = 60, hour = 3600, day = 86400;
  if (whole < minute) return fmt::format("{}s", whole);
  if (whole < hour) return fmt::format("{}m {:02}s", whole / minute, whole % minute);
  if (whole < day) return fmt::format("{}h {:02}m", whole / hour, whole % hour / minute);
  return fmt::format("{}d {:02}h", whole / day, whole % day / hour);
}

std::string seconds_text(double seconds) {
  if (seconds < 9.9995) return fmt::format("{:.3f}s", std::max(0.0, seconds));
  if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
  return age_text(std::round(seconds));
}

std::string rough_age_text(double seconds) {
  const std::string age = age_text(seconds);
  return age.substr(0, age.find(' '));
}

double seconds_of_rfc3339(const std::string& text) {
  std::tm parts{};
  int end = 0;
  const int read = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                               &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end);
  if (read != 6 || text.back() != 'Z') return -1;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return static_cast<double>(timegm(&parts));
}

double seconds_since(const std::string& time, WallTime now) { return static_cast<double>(now.nanoseconds) / 1e9 - seconds_of_rfc3339(time); }

}  // namespace ccr::tools
