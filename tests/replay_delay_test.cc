// How far a delayed copy may replay: facts in, verdict out.
#include "engine/replay_delay.h"

#include <gtest/gtest.h>

namespace ccr::engine {
namespace delay {

using namespace std::chrono_literals;

Position at(std::uint64_t generation, std::uint64_t offset = 4096) { return {{generation}, offset}; }
Instant second(std::int64_t number) { return Instant{} + std::chrono::seconds(number); }

TEST(ReplayDelay, LogIsReplayedWhenItsLagHasPassedSinceItCame) {
  ReplayDelay delay;
  delay.received(at(1), second(10));
  delay.received(at(2), second(20));
  EXPECT_EQ(delay.may_replay(at(2), 60s, second(69)), Position{});
  EXPECT_EQ(delay.may_replay(at(2), 60s, second(70)), at(1));
  EXPECT_EQ(delay.due_in(at(1), 60s, second(70)), Duration(10s));
  EXPECT_EQ(delay.may_replay(at(2), 60s, second(80)), at(2));
  EXPECT_EQ(delay.due_in(at(2), 60s, second(80)), std::nullopt);
}

TEST(ReplayDelay, AnotherLagHoldsAtOnceAndNoneHoldsNothing) {
  ReplayDelay delay;
  delay.received(at(1), second(10));
  delay.received(at(2), second(20));
  EXPECT_EQ(delay.may_replay(at(2), 5s, second(16)), at(1));
  EXPECT_EQ(delay.may_replay(at(2), 0s, second(16)), at(2));
  EXPECT_EQ(delay.may_replay(at(3), 1s, second(90)), at(2)) << "what came since is not known, so it waits";
}

TEST(ReplayDelay, ManyMarksReleaseNothingEarlyAndLittleLate) {
  ReplayDelay delay;
  constexpr std::int64_t count = 50'000;
  for (std::int64_t i = 1; i <= count; ++i) delay.received(at(static_cast<std::uint64_t>(i)), second(i));
  for (std::int64_t lag = 1; lag < count; lag += 331) {
    const Position may = delay.may_replay(at(count), std::chrono::seconds(lag), second(count));
    const auto exact = static_cast<std::uint64_t>(count - lag);
    EXPECT_LE(may.generation.number, exact);
    EXPECT_GE(may.generation.number + static_cast<std::uint64_t>(lag) / 64 + 1, exact);
  }
}

TEST(ReplayDelay, ARestartKeepsAgesAndReleasesNothingEarly) {
  ReplayDelay before;
  for (std::int64_t i = 1; i <= 3600; ++i) before.received(at(static_cast<std::uint64_t>(i)), second(i));
  storage::CopyState state;
  state.min_required = at(600);
  before.save(state, {3000s, 0s}, second(3600));
  EXPECT_LE(state.received_ages.size(), storage::CopyState::ages_max);
  EXPECT_TRUE(state.replayed_ages.empty());
  ReplayDelay after;
  after.restore(state, second(0));  // another clock, and nobody knows how much later
  after.received(at(3700), second(0));
  EXPECT_LE(after.may_replay(at(3700), 3000s, second(0)), at(600));
  for (std::int64_t ran = 0; ran < 3000; ran += 100) {
    const Position may = after.may_replay(at(3700), 3000s, second(ran));
    const auto exact = static_cast<std::uint64_t>(600 + ran);
    EXPECT_LE(may, at(exact)) << ran;
    if (ran == 0) continue;  // what was replayed before is not kept
    EXPECT_GE(may.generation.number + 3000 / 60 + 1, std::min<std::uint64_t>(exact, 3600)) << ran;
  }
  EXPECT_EQ(after.may_replay(at(3700), 3000s, second(3001)), at(3700)) << "what is not known waits the whole lag from the restart on";
}

TEST(ReplayDelay, MarksOfOneMomentAreFew) {
  ReplayDelay delay;
  for (std::uint64_t i = 1; i <= 1000; ++i) delay.received(at(i), second(1));
  storage::CopyState state;
  delay.save(state, {60s, 0s}, second(2));
  ASSERT_EQ(state.received_ages.size(), 1u);
  EXPECT_EQ(state.received_ages[0].position, at(1000));
  EXPECT_EQ(state.received_ages[0].age, Duration(1s));
}

TEST(ReplayDelay, ReplayedLogIsKeptForItsLag) {
  ReplayDelay delay;
  delay.replayed(at(5), second(10));
  delay.replayed(at(9), second(100));
  EXPECT_EQ(delay.kept_from(60s, second(69)), Position{});
  EXPECT_EQ(delay.kept_from(60s, second(70)), at(5));
  EXPECT_TRUE(delay.keeps(60s, at(9), second(159)));
  EXPECT_FALSE(delay.keeps(60s, at(9), second(160)));
  EXPECT_FALSE(delay.keeps(0s, at(9), second(101)));
}

TEST(ReplayDelay, WhatIsSavedCostsAtMostASixtyFourthOfTheLag) {
  EXPECT_EQ(ReplayDelay::save_interval({10s, 0s}), Duration(1s));
  EXPECT_EQ(ReplayDelay::save_interval({640s, 0s}), Duration(10s));
  EXPECT_EQ(ReplayDelay::save_interval({24h, 640s}), Duration(10s));
  EXPECT_EQ(ReplayDelay::save_interval({24h, 0s}), Duration(1min));
}

}  // namespace delay
}  // namespace ccr::engine
