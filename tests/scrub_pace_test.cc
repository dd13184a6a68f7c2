// When the next extent of a scrub is due, and what became of a page that no copy gave: pure.
#include "engine/scrub_pace.h"

#include <gtest/gtest.h>

#include "engine/page_repair.h"

namespace ccr::engine::scrub_pace_test {
namespace {

using namespace std::chrono_literals;

constexpr WallTime at(Duration since) { return {1'700'000'000'000'000'000 + since.count()}; }

ScrubFacts open_pass(Duration elapsed, std::uint64_t extents_left) {
  ScrubFacts facts;
  facts.every = 7 * 24h;
  facts.bytes_per_second = 20'000'000;
  facts.open = true;
  facts.began = at(0s);
  facts.now = at(elapsed);
  facts.extents_left = extents_left;
  return facts;
}

TEST(ScrubPace, APassIsSpreadOverNineTenthsOfItsPeriod) {
  EXPECT_EQ(scrub_pause(open_pass(0s, 10'240)), Duration(7 * 24h) * 9 / 10 / 10'240);
  EXPECT_EQ(scrub_pause(open_pass(7 * 24h / 2, 5'000)), Duration(7 * 24h) * 4 / 10 / 5'000) << "what is left fits into what is left";
}

TEST(ScrubPace, WhatPassedSinceTheLastExtentCounts) {
  ScrubFacts facts = open_pass(0s, 10'240);
  facts.since_last = 40s;
  EXPECT_EQ(scrub_pause(facts), Duration(7 * 24h) * 9 / 10 / 10'240 - 40s);
  facts.since_last = 60s;
  EXPECT_EQ(scrub_pause(facts), 0s);
}

TEST(ScrubPace, ASmallDatabaseIsReadAnExtentInTenMinutes) { EXPECT_EQ(scrub_pause(open_pass(0s, 3)), 10min); }

TEST(ScrubPace, ThousandIdleDatabasesAreLessThanTwoExtentsASecond) {
  const double a_second = 1000.0 / std::chrono::duration<double>(scrub_pause(open_pass(0s, 10))).count();
  EXPECT_LT(a_second, 2);
}

TEST(ScrubPace, APassThatIsLateGoesAtItsRateAndNoFaster) {
  EXPECT_EQ(scrub_pause(open_pass(30 * 24h, 1'000)), Duration(1'048'576 * 50));
  ScrubFacts unlimited = open_pass(30 * 24h, 1'000);
  unlimited.bytes_per_second = 0;
  EXPECT_EQ(scrub_pause(unlimited), 0s);
}

TEST(ScrubPace, TheNextPassBeginsAPeriodBehindTheLastOne) {
  ScrubFacts facts = open_pass(7 * 24h - 10min, 0);
  facts.open = false;
  EXPECT_EQ(scrub_pause(facts), 10min);
  facts.now = at(24h);
  EXPECT_EQ(scrub_pause(facts), 1h) << "the wall clock may be set meanwhile";
  facts.now = at(-30 * 24h);
  EXPECT_EQ(scrub_pause(facts), 1h);
  facts.now = at(7 * 24h);
  EXPECT_EQ(scrub_pause(facts), 0s);
  facts.began = WallTime{};
  EXPECT_EQ(scrub_pause(facts), 0s) << "none ever began";
}

TEST(ScrubPace, WhatIsOffRestsUntilAPersonAsks) {
  ScrubFacts facts = open_pass(0s, 3);
  facts.every = 0s;
  EXPECT_EQ(scrub_pause(facts), scrub_sleep_max);
  facts.asked = true;
  facts.since_last = 1s;
  EXPECT_EQ(scrub_pause(facts), 0s);
}

TEST(ScrubPace, ABusyCopyIsLeftAloneWhereOnlyAnIdleOneIsRead) {
  ScrubFacts facts = open_pass(30 * 24h, 3);
  facts.since_last = 1s;
  facts.only_idle = facts.busy = true;
  EXPECT_EQ(scrub_pause(facts), scrub_idle_look);
  facts.busy = false;
  EXPECT_EQ(scrub_pause(facts), 0s);
  facts.busy = facts.asked = true;
  EXPECT_EQ(scrub_pause(facts), 0s) << "a person asked";
}

TEST(ScrubPace, PagesThatCannotBeReadAreLookedAtAgain) {
  ScrubFacts facts = open_pass(30 * 24h, 3);
  facts.blocked = facts.asked = true;
  EXPECT_EQ(scrub_pause(facts), scrub_blocked_look);
}

TEST(ScrubPace, TwoPeriodsWithoutAWholePassAreOverdue) {
  EXPECT_FALSE(scrub_overdue(at(0s), at(1h), at(14 * 24h), 7 * 24h));
  EXPECT_TRUE(scrub_overdue(at(8 * 24h), at(1h), at(15 * 24h), 7 * 24h));
  EXPECT_TRUE(scrub_overdue(at(0s), WallTime{}, at(15 * 24h), 7 * 24h)) << "none ended";
  EXPECT_FALSE(scrub_overdue(WallTime{}, WallTime{}, at(15 * 24h), 7 * 24h)) << "none began";
  EXPECT_FALSE(scrub_overdue(at(0s), at(1h), at(365 * 24h), 0s)) << "off";
}

TEST(PageRepair, WaitsWhereAnyCopyMayStillHelp) {
  using Words = std::vector<PeerWord>;
  EXPECT_EQ(without_page(Words{}), Repair::damaged);
  EXPECT_EQ(without_page(Words{PeerWord::damaged, PeerWord::apart}), Repair::damaged);
  for (const PeerWord word : {PeerWord::silent, PeerWord::later, PeerWord::ahead})
    EXPECT_EQ(without_page(Words{PeerWord::damaged, word}), Repair::waits);
}

}  // namespace
}  // namespace ccr::engine::scrub_pace_test
