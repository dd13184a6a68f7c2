// The world itself: order of events, virtual time, stopping, chance, clocks, and its speed.
#include <gtest/gtest.h>

#include <chrono>

#include "base/task_group.h"
#include "base/timeout.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_world.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

TEST(World, EventsFireInOrderOfTimeThenOfMaking) {
  World world(1);
  std::string order;
  world.after(2ms, "b", [&] { order += 'b'; });
  world.after(1ms, "a", [&] { order += 'a'; });
  world.after(2ms, "c", [&] { order += 'c'; });
  EXPECT_EQ(world.run_for(1s), Ended::time);
  EXPECT_EQ(order, "abc");
}

TEST(World, TimeJumpsToTheNextEventAndEndsWhereItWasTold) {
  World world(1);
  const Instant begin = world.now();
  Instant seen;
  world.after(24h, "tomorrow", [&] { seen = world.now(); });
  world.run_for(48h);
  EXPECT_EQ(seen - begin, 24h);
  EXPECT_EQ(world.now() - begin, 48h);
}

TEST(World, ACancelledEventDoesNotFireEvenWhenItsSlotIsUsedAgain) {
  World world(1);
  int fired = 0;
  const EventId first = world.after(1ms, "first", [&] { fired += 1; });
  world.cancel(first);
  world.after(1ms, "second", [&] { fired += 10; });
  world.cancel(first);
  world.run_for(1s);
  EXPECT_EQ(fired, 10);
}

TEST(World, ManyCancelledTimeoutsAreForgotten) {
  World world(1);
  int fired = 0;
  for (int i = 0; i < 100'000; ++i) {
    const EventId timeout = world.after(1h, "timeout", [&] { fired += 1000; });
    if (i % 1000 != 0) world.cancel(timeout);
  }
  world.after(2h, "end", [&] { ++fired; });
  world.run_for(3h);
  EXPECT_EQ(fired, 100'001);
}

TEST(World, RunUntilSaysWhyItCameBack) {
  WorldOptions options;
  options.events_max = 3;
  World world(1, options);
  int fired = 0;
  for (int i = 1; i <= 5; ++i) world.after(i * 1ms, "tick", [&] { ++fired; });
  EXPECT_EQ(world.run_until([&] { return fired == 1; }, 1s), Ended::reached);
  EXPECT_EQ(world.run_until([&] { return fired == 5; }, 1ms), Ended::time);
  EXPECT_EQ(world.run_until([&] { return fired == 5; }, 1s), Ended::events);
  EXPECT_EQ(fired, 3);
  World idle(1);
  EXPECT_EQ(idle.run_until([] { return false; }, 1s), Ended::idle);
}

TEST(World, StreamsOfChanceDependOnSeedAndPurposeOnly) {
  World a(7), b(7), c(8);
  a.random("other").next();
  EXPECT_EQ(a.random("disk").next(), b.random("disk").next());
  EXPECT_NE(a.random("disk").next(), a.random("network").next());
  EXPECT_NE(a.random("disk").next(), c.random("disk").next());
}

Task<Result<void>> sleep_and_count(Clock& clock, Duration duration, int& woken) {
  co_await clock.sleep(duration);
  ++woken;
  co_return Result<void>();
}

TEST(SimClock, SleepersWakeAtTheirTimeAndOnlyThen) {
  World world(1);
  ClockState state{world.now(), {}, 0, {}};
  SimClock clock(world, state);
  TaskGroup group(world.executor());
  int woken = 0;
  group.spawn(sleep_and_count(clock, 10s, woken));
  world.run_for(10s - 1ns);
  EXPECT_EQ(woken, 0);
  world.run_for(2ns);
  EXPECT_EQ(woken, 1);
}

TEST(SimClock, AStoppedSleeperUnwindsAtOnceAndLeavesNoEvent) {
  World world(1);
  ClockState state{world.now(), {}, 0, {}};
  SimClock clock(world, state);
  TaskGroup group(world.executor());
  int woken = 0;
  group.spawn(sleep_and_count(clock, 1h, woken));
  world.run_for(1s);
  EXPECT_EQ(group.running(), 1u);
  group.stop();
  world.settle();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_FALSE(world.step());
  EXPECT_EQ(woken, 0);
}

TEST(SimClock, DriftChangesTheSpeedAndNobodyWakesEarly) {
  for (const std::int64_t drift : {-100'000, -33'333, 0, 1, 100'000}) {
    World world(1);
    ClockState state{world.now(), {12'345}, drift, {}};
    SimClock clock(world, state);
    const Instant begin = clock.now();
    const Instant world_begin = world.now();
    EXPECT_EQ(begin.nanoseconds, 12'345);
    for (const std::int64_t wait : {1, 999'999, 1'000'000'007}) {
      const Instant until = clock.now() + Duration(wait);
      TaskGroup group(world.executor());
      int woken = 0;
      group.spawn(sleep_and_count(clock, Duration(wait), woken));
      world.run_until([&] { return woken == 1; }, 1h);
      EXPECT_GE(clock.now(), until);
      EXPECT_LE(clock.now() - until, 3ns);
    }
    const double ratio = double((clock.now() - begin).count()) / double((world.now() - world_begin).count());
    EXPECT_NEAR(ratio, 1.0 + double(drift) / 1e6, 1e-6);
  }
}

TEST(SimClock, WallTimeIsShiftedButMonotonicTimeIsNot) {
  World world(1);
  ClockState state{world.now(), {}, 0, {}};
  SimClock clock(world, state);
  const WallTime wall = clock.wall_now();
  const Instant now = clock.now();
  state.wall_offset = -24h * 365;
  EXPECT_EQ(clock.wall_now().nanoseconds - wall.nanoseconds, Duration(-24h * 365).count());
  EXPECT_EQ(clock.now(), now);
}

Task<Result<int>> never(Signal& signal) {
  for (;;) co_await signal.wait();
}

TEST(SimClock, TimeoutsOfBaseRunOnVirtualTime) {
  World world(1);
  ClockState state{world.now(), {}, 0, {}};
  SimClock clock(world, state);
  Signal signal(world.executor());
  const Instant begin = world.now();
  const Result<int> late = complete(world, with_timeout(clock, 90s, "an answer", never(signal)));
  EXPECT_EQ(late.error().kind, ErrorKind::timeout);
  EXPECT_EQ((world.now() - begin) / 1s, 90);
}

Task<Result<void>> wait_behind(Gate& gate, int& woken) {
  for (int i = 0; i < 3; ++i) {
    co_await delay_for(gate, 1s, "test.wait");
    ++woken;
  }
  co_return Result<void>();
}

TEST(Gate, AClosedGateHoldsWakeUpsBackUntilItOpens) {
  World world(1);
  Gate gate(world);
  TaskGroup group(world.executor());
  int woken = 0;
  group.spawn(wait_behind(gate, woken));
  world.run_for(1500ms);
  gate.close();
  world.run_for(1h);
  EXPECT_EQ(woken, 1);
  gate.open();
  world.settle();
  EXPECT_EQ(woken, 2);
  gate.sever();  // the rest comes at once
  world.settle();
  EXPECT_EQ(woken, 3);
  EXPECT_EQ(group.running(), 0u);
}

Task<Result<void>> tick_for_ever(Clock& clock, Random random, std::uint64_t& ticks) {
  for (;;) {
    const Duration pause(random.between(1, 1'000'000));
    co_await clock.sleep(pause);
    ++ticks;
  }
}

std::uint64_t hash_of_ticking(std::uint64_t seed) {
  World world(seed);
  ClockState state{world.now(), {}, 0, {}};
  SimClock clock(world, state);
  TaskGroup group(world.executor());
  std::uint64_t ticks = 0;
  for (int i = 0; i < 10; ++i) group.spawn(tick_for_ever(clock, world.random("ticker " + std::to_string(i)), ticks));
  world.run_for(100ms);
  group.stop();
  world.settle();
  EXPECT_GT(ticks, 1000u);
  return world.trace_hash();
}

TEST(World, TheSameSeedGivesTheSameTraceAndAnotherSeedAnother) {
  EXPECT_EQ(hash_of_ticking(5), hash_of_ticking(5));
  EXPECT_NE(hash_of_ticking(5), hash_of_ticking(6));
}

}  // namespace
}  // namespace ccr::sim
