#include "engine/certificate_dates.h"

namespace ccr::engine {

std::int64_t days_left(const transport::OwnCertificate& own, WallTime now) {
  constexpr std::int64_t day = Duration(std::chrono::hours(24)).count();
  const std::int64_t left = own.not_after.nanoseconds - now.nanoseconds;
  return left / day - (left % day < 0 ? 1 : 0);
}

std::optional<Event> certificate_event(const transport::OwnCertificate& own, const std::string& node, WallTime now) {
  const std::string renew = "ccr cert renew " + node + " where ca.key is, copy it here, then SIGHUP";
  const std::string expires = to_rfc3339(own.not_after);
  if (now > own.not_after)
    return Event{"certificate_expired", node, {{"certificate", own.name}, {"expired", expires}, {"hint", renew}}};
  if (now < own.not_before) {
    return Event{
        "certificate_not_yet_valid",
        node,
        {{"certificate", own.name}, {"valid_from", to_rfc3339(own.not_before)}, {"hint", "compare the clocks: timedatectl"}}};
  }
  const std::int64_t left = days_left(own, now);
  if (left >= certificate_warning_days) return std::nullopt;
  return Event{"certificate_expires",
               node,
               {{"certificate", own.name}, {"expires", expires}, {"days_left", std::to_string(left)}, {"hint", renew}}};
}

}  // namespace ccr::engine
