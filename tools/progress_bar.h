// How far long work is, as one line. Pure; when to print is ProgressDisplay's (tools/progress_display.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ccr::tools {

// What a progress line of the daemon says; what is not known is nullopt.
struct Progress {
  std::string phase;
  std::string cause;  // why nothing moves now; empty: it does
  std::optional<std::uint64_t> done_bytes, total_bytes;
  std::optional<double> rate;  // bytes per second
  std::optional<double> eta_seconds;
  std::optional<double> rate_limit;  // nullopt: none
};
Progress progress_of(const nlohmann::json& fields);

// seeding  43.2 %  1.7 GiB of 4.0 GiB  812.4 MB/s  2s left
std::string progress_line(const Progress& progress);

// The same with a bar as wide as the rest of `columns` allows; without one where that is under ten characters.
std::string progress_bar(const Progress& progress, std::size_t columns);

}  // namespace ccr::tools
