// What is said of a certificate before and after its end.
#include <gtest/gtest.h>

#include "engine/certificate_dates.h"

namespace ccr::engine {
namespace {

constexpr std::int64_t day = 86'400'000'000'000;
constexpr WallTime made{1'800'000'000'000'000'000};
const transport::OwnCertificate own{"ccr://lab/beta", "ab", made, {made.nanoseconds + 365 * day}};

std::string said(std::int64_t after) {
  const std::optional<Event> event = certificate_event(own, "beta", {made.nanoseconds + after});
  return event ? event->name : "";
}

TEST(CertificateDates, NothingIsSaidUntilThirtyDaysBeforeTheEnd) {
  EXPECT_EQ(said(0), "");
  EXPECT_EQ(said(335 * day), "");
  EXPECT_EQ(said(335 * day + 1), "certificate_expires");
  EXPECT_EQ(said(365 * day), "certificate_expires");
  EXPECT_EQ(said(365 * day + 1), "certificate_expired");
  EXPECT_EQ(said(-1), "certificate_not_yet_valid");
}

TEST(CertificateDates, TheWarningSaysWhenAndWhatToDo) {
  const std::optional<Event> event = certificate_event(own, "beta", {made.nanoseconds + 355 * day});
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->subject, "beta");
  const std::vector<std::pair<std::string, std::string>> fields{
      {"certificate", "ccr://lab/beta"},
      {"expires", "2028-01-15T08:00:00Z"},
      {"days_left", "10"},
      {"hint", "ccr cert renew beta where ca.key is, copy it here, then SIGHUP"}};
  EXPECT_EQ(event->fields, fields);
}

TEST(CertificateDates, DaysLeftAreWholeAndNegativeBehindTheEnd) {
  EXPECT_EQ(days_left(own, made), 365);
  EXPECT_EQ(days_left(own, {made.nanoseconds + 1}), 364);
  EXPECT_EQ(days_left(own, {own.not_after.nanoseconds + 1}), -1);
}

}  // namespace
}  // namespace ccr::engine
