// Times as people type them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include <nlohmann/json.hpp>

#include "base/wall_time.h"
#include "tools/result_text.h"
#include "tools/typed_time.h"

namespace ccr::tools {
namespace {

// Central Europe, by its rule, whatever the machine knows of zones.
class TypedTimes : public testing::Test {
 protected:
  void SetUp() override {
    const char* before = std::getenv("TZ");
    if (before != nullptr) before_ = before;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
  }
  void TearDown() override {
    before_.empty() ? unsetenv("TZ") : setenv("TZ", before_.c_str(), 1);
    tzset();
  }
  std::string read(const std::string& typed, const char* at = "2026-11-27T13:30:00Z") {
    const Result<WallTime> time = parse_typed_time(typed, *wall_time_of_rfc3339(at));
    EXPECT_TRUE(time.ok() || time.error().kind == ErrorKind::usage) << typed;
    return time ? to_rfc3339(*time) : time.error().message;
  }
  std::string before_;
};

TEST_F(TypedTimes, ALocalTimeIsOfToday) {
  EXPECT_EQ(read("14:04"), "2026-11-27T13:04:00Z");
  EXPECT_EQ(read("14:04:59"), "2026-11-27T13:04:59Z");
  EXPECT_EQ(read("00:10", "2026-11-26T23:30:00Z"), "2026-11-26T23:10:00Z") << "today is the local day";
}

TEST_F(TypedTimes, OrOfANamedDay) {
  EXPECT_EQ(read("2026-07-02 14:04"), "2026-07-02T12:04:00Z") << "summer time";
  EXPECT_EQ(read("2026-01-02 14:04:05"), "2026-01-02T13:04:05Z");
  EXPECT_EQ(read("2026-01-02T14:04"), "2026-01-02T13:04:00Z");
}

TEST_F(TypedTimes, AZoneIsTakenAtItsWord) {
  EXPECT_EQ(read("2026-01-02T14:04:05Z"), "2026-01-02T14:04:05Z");
  EXPECT_EQ(read("2026-01-02 14:04:05+05:00"), "2026-01-02T09:04:05Z");
}

TEST_F(TypedTimes, WhatIsNoTimeOrTwoOfThemIsRefused) {
  for (const char* typed : {"", "yesterday", "14", "25:00", "14:60", "14:04:60", "14:04 ", "2026-13-01 14:04", "2026-01-02", "14:04x"})
    EXPECT_NE(read(typed).find("is no time"), std::string::npos) << typed << ": " << read(typed);
  EXPECT_NE(read("2026-02-30 14:04").find("there is no local time"), std::string::npos);
  EXPECT_NE(read("2026-03-29 02:30").find("put forward"), std::string::npos) << read("2026-03-29 02:30");
  EXPECT_NE(read("2026-10-25 02:30").find("came twice"), std::string::npos) << read("2026-10-25 02:30");
}

TEST_F(TypedTimes, ATimeIsShownInTheZoneOfThisHost) {
  EXPECT_EQ(local_time_text(*wall_time_of_rfc3339("2026-11-27T13:04:00Z")), "2026-11-27 14:04:00 +0100");
  EXPECT_EQ(local_time_text(*wall_time_of_rfc3339("2026-07-27T12:04:00.120Z")), "2026-07-27 14:04:00.120 +0200");
}

TEST_F(TypedTimes, AnActivationSaysWhereTheLogEndsAndWhatIsGivenUp) {
  const nlohmann::json missing{{"known", true}, {"generations", 2}, {"bytes", 1048576}, {"commits", 7}};
  const nlohmann::json until{{"time", "2026-11-27T13:04:00.000000000Z"},
                             {"cut", {{"commit", 201}, {"time", "2026-11-27T13:03:58.120000000Z"}, {"position", {{"generation", 2}, {"offset", 49152}}}}},
                             {"next", {{"commit", 202}, {"time", "2026-11-27T13:05:00.000000000Z"}}},
                             {"given_up", {{"commits", 5}, {"generations", 1}, {"bytes", 20480}}}};
  const nlohmann::json done{{"dry_run", false}, {"active", "beta"}, {"before", "alpha"}, {"epoch", 3}, {"forced", false}, {"missing", missing}, {"until", until}};
  EXPECT_EQ(activate_text("orders", done),
            "orders is active on beta now, epoch 3: as of 2026-11-27 14:04:00 +0100, commit 201 of 2026-11-27 14:03:58.120 +0100 is the last; 5 commits that came to it later "
            "(20.0 KiB in 1 generation) are given up, and kept in quarantine/. Of the log of the one before: 2 generations (1.0 MiB, 7 commits) are missing\n");
  nlohmann::json nothing = done;
  nothing["until"]["given_up"] = {{"commits", 0}, {"generations", 0}, {"bytes", 0}};
  EXPECT_NE(activate_text("orders", nothing).find("is the last; nothing that came to it is later. Of"), std::string::npos);
  nlohmann::json plain = done;
  plain.erase("until");
  EXPECT_EQ(activate_text("orders", plain), "orders is active on beta now, epoch 3: 2 generations (1.0 MiB, 7 commits) are missing\n");
  nlohmann::json fetched = plain;
  fetched["fetched"] = nlohmann::json::parse(R"([{"node":"gamma","bytes":3145728}])");
  EXPECT_NE(activate_text("orders", fetched).find("epoch 3: 3.0 MiB of log came from gamma; 2 generations"), std::string::npos) << activate_text("orders", fetched);
}

}  // namespace
}  // namespace ccr::tools
