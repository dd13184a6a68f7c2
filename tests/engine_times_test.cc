#include "engine/position_times.h"

#include <gtest/gtest.h>

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;

Position at(std::uint64_t generation, std::uint64_t offset = 4096) { return {{generation}, offset}; }
Instant second(std::int64_t number) { return Instant{} + std::chrono::seconds(number); }

TEST(PositionTimes, NothingWaitsBeforeAnythingWasReached) {
  const PositionTimes times;
  EXPECT_EQ(times.waiting(Position{}, second(9)), std::nullopt);
  EXPECT_EQ(times.last_in(Position{}, at(9)), std::nullopt);
}

TEST(PositionTimes, TheOldestBeyondAPositionCounts) {
  PositionTimes times;
  times.reached(at(1), second(10));
  times.reached(at(2), second(20));
  times.reached(at(3), second(30));
  EXPECT_EQ(times.waiting(Position{}, second(100)), Duration(90s));
  EXPECT_EQ(times.waiting(at(1), second(100)), Duration(80s));
  EXPECT_EQ(times.waiting(at(1, 8192), second(100)), Duration(80s));
  EXPECT_EQ(times.waiting(at(3), second(100)), std::nullopt);
}

TEST(PositionTimes, WhatIsNotBeyondEveryOneBeforeIsNoNews) {
  PositionTimes times;
  times.reached(at(2), second(20));
  times.reached(at(2), second(30));
  times.reached(at(1), second(40));
  times.reached(Position{}, second(50));
  EXPECT_EQ(times.waiting(at(1), second(60)), Duration(40s));
  EXPECT_EQ(times.waiting(at(2), second(60)), std::nullopt);
}

TEST(PositionTimes, TheLastReachedInAStretchIsFound) {
  PositionTimes times;
  times.reached(at(1), second(10));
  times.reached(at(2), second(20));
  times.reached(at(3), second(30));
  EXPECT_EQ(times.last_in(Position{}, at(2)), second(20));
  EXPECT_EQ(times.last_in(at(1), at(2, 8192)), second(20));
  EXPECT_EQ(times.last_in(at(2), at(2, 8192)), std::nullopt);
  EXPECT_EQ(times.last_in(at(2), at(9)), second(30));
}

TEST(PositionTimes, ManyMarksNeverTellAWaitShorterThanItIs) {
  PositionTimes times;
  constexpr std::int64_t count = 100'000;
  for (std::int64_t i = 1; i <= count; ++i) times.reached(at(static_cast<std::uint64_t>(i)), second(i));
  const Instant now = second(count);
  EXPECT_EQ(times.waiting(Position{}, now), Duration(std::chrono::seconds(count - 1)));
  for (std::int64_t done = 0; done < count; done += 997) {
    const std::optional<Duration> told = times.waiting(at(static_cast<std::uint64_t>(done)), now);
    const Duration true_wait = std::chrono::seconds(count - done - 1);
    ASSERT_TRUE(told.has_value());
    EXPECT_GE(*told, true_wait) << done;
    EXPECT_LE(*told, true_wait + true_wait / 16) << done;
  }
}

TEST(PositionTimes, MoreMarksAtOnceThanItHoldsAreStillBounded) {
  PositionTimes times;
  for (std::uint64_t i = 1; i <= 3 * PositionTimes::marks_max; ++i) times.reached(at(i), second(1));
  EXPECT_EQ(times.waiting(Position{}, second(2)), Duration(1s));
  EXPECT_EQ(times.waiting(at(3 * PositionTimes::marks_max), second(2)), std::nullopt);
}

}  // namespace
}  // namespace ccr::engine
