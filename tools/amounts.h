// Amounts as a person reads them: sizes in KiB, MiB, GiB; rates in MB/s (10^6); times in two units. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace ccr::tools {

std::string size_text(std::uint64_t bytes);      // 512 B, 1.5 KiB, 4.0 GiB
std::string rate_text(double bytes_per_second);  // 0 B/s, 12.3 kB/s, 112.4 MB/s
std::string seconds_text(double seconds);        // 0.004s, 12.3s, 1m 12s: for lag
std::string age_text(double seconds);            // 45s, 1m 12s, 3h 05m, 2d 04h: for since
std::string rough_age_text(double seconds);      // 45s, 12m, 3h, 2d: for 'ago'

// Seconds since 1970 of an RFC 3339 time in UTC ("2026-01-02T03:04:05Z"), or -1.
double seconds_of_rfc3339(const std::string& text);
double seconds_since(const std::string& time, WallTime now);  // of such a time; below 0: it is still to come

}  // namespace ccr::tools
