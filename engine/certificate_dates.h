// What is said of this node's certificate before and after its end. Pure.
#pragma once

#include <optional>

#include "base/trace.h"
#include "transport/network.h"

namespace ccr::engine {

inline constexpr int certificate_warning_days = 30;  // of 365: time for a holiday
inline constexpr Duration certificate_look_interval = std::chrono::hours(24);

// Whole days, downward; negative: expired.
std::int64_t days_left(const transport::OwnCertificate& own, WallTime now);

// certificate_expires, certificate_expired, certificate_not_yet_valid, or nothing to say.
std::optional<Event> certificate_event(const transport::OwnCertificate& own, const std::string& node, WallTime now);

}  // namespace ccr::engine
