// Wall times as text, read and written.
#include "base/wall_time.h"

#include <gtest/gtest.h>

namespace ccr {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t that_day = 1'767'323'045;  // 2026-01-02T03:04:05Z

TEST(WallTimes, AreReadWithTheirZone) {
  const auto read = [](const char* text) { return wall_time_of_rfc3339(text).value_or(WallTime{-1}).nanoseconds; };
  EXPECT_EQ(read("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(read("2026-01-02T03:04:05Z"), that_day * second);
  EXPECT_EQ(read("2026-01-02 03:04:05z"), that_day * second);
  EXPECT_EQ(read("2026-01-02T04:04:05+01:00"), that_day * second);
  EXPECT_EQ(read("2026-01-01T21:34:05-05:30"), that_day * second);
  EXPECT_EQ(read("2026-01-02T03:04:05.5Z"), that_day * second + second / 2);
  EXPECT_EQ(read("2026-01-02T03:04:05.000000007Z"), that_day * second + 7);
  EXPECT_EQ(read("2024-02-29T00:00:00Z"), 1'709'164'800 * second);
}

TEST(WallTimes, OtherTextIsNone) {
  for (const char* text : {"", "2026-01-02", "2026-01-02T03:04Z", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2026-02-29T03:04:05Z", "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z",
                           "2026-01-02T03:04:60Z", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.0000000001Z", "2026-01-02T03:04:05+1:00", "2026-01-02T03:04:05Z ", "26-01-02T03:04:05Z",
                           "1969-12-31T23:59:59Z", "9999-01-02T03:04:05Z"})
    EXPECT_FALSE(wall_time_of_rfc3339(text)) << text;
}

TEST(WallTimes, WhatIsWrittenExactlyIsReadBackAsTheSame) {
  for (const std::int64_t nanoseconds : {std::int64_t(0), that_day * second, that_day * second + 7, that_day * second + 999'999'999}) {
    const WallTime time{nanoseconds};
    EXPECT_EQ(wall_time_of_rfc3339(to_rfc3339_exact(time)), time);
  }
  EXPECT_EQ(to_rfc3339_exact({that_day * second + 7}), "2026-01-02T03:04:05.000000007Z");
}

}  // namespace
}  // namespace ccr
