// Whole nodes in the simulator, one story a test.
#include <gtest/gtest.h>

#include "storage/log_format.h"
#include "tests/two_nodes.h"
#include "tests/sweep.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

TEST_F(TwoNodes, AnEmptyCopyNeedsASeed) {
  cluster.start_all();
  EXPECT_TRUE(wait_for("alpha", "mounted"));
  EXPECT_TRUE(wait_for("beta", "needs_seed"));
}

TEST_F(TwoNodes, ASeededCopyFollowsAndEndsEqual) {
  seed();
  write(500);
  expect_equal();
}

TEST_F(TwoNodes, AnIdleDatabaseIsHealthyAtOnceAndProven) {
  seed();
  ASSERT_TRUE(drain());
  cluster.host("beta").stop();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "healthy", 3s));
  ASSERT_TRUE(drain());
  EXPECT_EQ(cluster.passive("beta")->state().root_equal_at, cluster.active()->tip().durable);
}

// While it takes over the source's history, a new state is being written.
TEST_F(TwoNodes, ASuspensionAtTheVeryBeginOfAFirstSeedIsKept) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  write(200);
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "seeding"));
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended", 5s));
  EXPECT_EQ(cluster.passive("beta")->state().comment, "by the simulator");
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TwoNodes, ASuspendedCopyRestsAndResumesWithWhatItMissed) {
  seed();
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  const Position rested = cluster.passive("beta")->state().min_required;
  EXPECT_EQ(rested, cluster.passive("beta")->state().max_required);
  write(800);
  EXPECT_EQ(cluster.passive("beta")->state().min_required, rested);
  cluster.host("beta").stop();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  EXPECT_EQ(cluster.passive("beta")->state().comment, "by the simulator");
  cluster.request_resume("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TwoNodes, KilledNodesComeBackAlone) {
  seed();
  for (int round = 0; round < 10; ++round) {
    write(40);
    cluster.host(round % 2 == 0 ? "alpha" : "beta").kill({Damage::process_only, Ordering::ordered});
    world.run_for(500ms);
    cluster.host(round % 2 == 0 ? "alpha" : "beta").start();
    ASSERT_TRUE(wait_for("alpha", "mounted"));
  }
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TwoNodes, ACutConnectionIsMadeAgain) {
  seed();
  for (int round = 0; round < 20; ++round) {
    write(20);
    cluster.network().cut(cluster.host("alpha").host(), cluster.host("beta").host());
  }
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TwoNodes, ASeedOverAPathThatForgotItsConnectionsGoesOnWithinSeconds) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  write(1500, 40000);
  cluster.request_seed("beta");
  ASSERT_TRUE(world.run_until([&] { return cluster.events_of("seed_pass_opened").size() == 1; }, 10s) == Ended::reached);
  std::size_t hanging = 0;
  const auto all_hang = [&] {
    hanging += cluster.network().half_open(cluster.host("alpha").host(), cluster.host("beta").host());
    return hanging >= 3;  // the path's heartbeats, the seed and its log
  };
  ASSERT_TRUE(world.run_until(all_hang, 1s) == Ended::reached) << cluster.story();
  EXPECT_TRUE(cluster.events_of("seed_pages_done").empty()) << "the seed was over before it could hang";
  EXPECT_TRUE(wait_for("beta", "healthy", 20s));
  expect_equal();
}

TEST_F(TwoNodes, ABatchThatAKillCutIsAppliedAgainWithoutAFalseAlarm) {
  seed();
  for (int round = 0; round < 30; ++round) {
    write(30, 100);
    world.run_for(std::chrono::milliseconds(random.between(1, 30)));
    cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
    cluster.host("beta").start();
    world.run_for(100ms);
  }
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
  EXPECT_TRUE(cluster.events_of("root_differs").empty()) << cluster.story();
}

// Between a batch's first page and the state that says that it is over, the file and its table may be anything, and nobody touched them.
TEST_F(TwoNodes, ABatchThatDiedInAnyDiskOperationIsAppliedAgainWithoutAFalseAlarm) {
  seed();
  SimDisk& disk = cluster.host("beta").disk();
  for (std::uint64_t operation = 1; operation <= 60; ++operation) {
    if (!swept(operation)) continue;
    write(40, static_cast<PageNumber>(3000 + 50 * operation));
    const std::uint64_t end = disk.operations() + operation;
    ASSERT_TRUE(world.run_until([&] { return disk.operations() >= end; }, 60s) == Ended::reached);
    cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
    cluster.host("beta").start();
    ASSERT_TRUE(wait_for("beta", "healthy"));
    ASSERT_TRUE(cluster.events_of("root_differs").empty()) << "operation " << operation << "\n" << cluster.story();
  }
  expect_equal();
}

TEST_F(TwoNodes, AnIdleDatabaseLeavesTheDisksAlone) {
  seed();
  write(50);
  ASSERT_TRUE(drain());
  world.run_for(70s);  // the open generation rolls once
  const std::uint64_t alpha = cluster.host("alpha").disk().operations();
  const std::uint64_t beta = cluster.host("beta").disk().operations();
  world.run_for(30s);
  EXPECT_EQ(cluster.host("alpha").disk().operations() - alpha, 0u);
  // A state file a minute, some operations each: when the active node was last heard.
  constexpr std::uint64_t save = 10;
  EXPECT_LE(cluster.host("beta").disk().operations() - beta, save);
  world.run_for(10min);
  EXPECT_LE(cluster.host("beta").disk().operations() - beta, 11 * save);
  EXPECT_EQ(cluster.state("beta"), "healthy");
}

TEST_F(TwoNodes, ADamagedLogWaitsForAPersonWhoseSeedHealsIt) {
  seed();
  write(1200);
  ASSERT_TRUE(drain());
  cluster.host("beta").stop();
  const Generation open = cluster.active()->tip().durable.generation;
  const std::string path = "/log/" + storage::sealed_name(open.previous());
  ASSERT_TRUE(cluster.host("beta").disk().rot(path, 8192 + 100)) << path;
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  world.run_for(10s);
  EXPECT_EQ(cluster.state("beta"), "failed_and_suspended");
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(cluster.events_of("log_set_aside").size(), 1u);
  expect_equal();
}

TEST_F(TwoNodes, APageThatRottedUnderAWholeDigestTableIsHealedByASeedThatReadsTheDisk) {
  seed();
  write(50);
  ASSERT_TRUE(drain());
  ASSERT_TRUE(cluster.host("beta").disk().rot("/data/orders.pages", 999 * 512 + 100));
  engine::SeedRequest request;
  request.reread = true;
  cluster.request_seed("beta", request);
  ASSERT_TRUE(world.run_until([&] { return cluster.events_of("seed_finished").size() == 2; }, 60s) == Ended::reached) << cluster.story();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TwoNodes, APageStoreWhosePageFileIsGoneIsNotServed) {
  seed();
  write(50);
  ASSERT_TRUE(drain());
  cluster.host("alpha").stop();
  DiskState without = cluster.host("alpha").disk().state();
  ASSERT_TRUE(without.remove("/data/orders.pages").ok());
  cluster.host("alpha").disk().restore(std::move(without));
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "dismounted"));
  world.run_for(30s);
  EXPECT_EQ(cluster.state("alpha"), "dismounted");
}

TEST_F(TwoNodes, ASeedGoesOnAfterTheDiskWasFull) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  write(1000);
  SimDisk& disk = cluster.host("beta").disk();
  const std::uint64_t capacity = disk.options().capacity_bytes;
  disk.options().capacity_bytes = disk.state().used_bytes() + 1700 * KiB;  // for the pages, but not for the log beside them
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "failed"));
  disk.options().capacity_bytes = capacity;
  ASSERT_TRUE(wait_for("beta", "healthy", 120s));
  expect_equal();
}

TEST_F(TwoNodes, ASeedKeepsToItsRateAlsoAfterARestartUntilItIsToldAnother) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  write(1500);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0 && applied(); }, 60s) == Ended::reached);
  engine::SeedRequest request;
  request.bytes_per_second_max = 20'000;
  cluster.request_seed("beta", request);
  ASSERT_TRUE(wait_for("beta", "seeding"));
  world.run_for(10s);
  cluster.host("beta").stop();
  cluster.host("beta").start();
  world.run_for(10s);
  ASSERT_EQ(cluster.state("beta"), "seeding");
  const seed::SeedCounters slow = cluster.passive("beta")->seed_counters();
  EXPECT_LT(slow.counts.wire_bytes, 20u * 20'000 + 2 * MiB);  // what had been asked for when the node stopped is heard twice
  EXPECT_EQ(cluster.passive("beta")->state().seed.bytes_per_second_max, 20'000u);
  cluster.host("beta").run_in_life(cluster.passive("beta")->limit_seed(0));
  EXPECT_TRUE(wait_for("beta", "healthy", 5s));
  expect_equal();
}

TEST_F(TwoNodes, AVerificationReadsBothDisksNoFasterThanItsRateAndFreelyWithoutOne) {
  seed();
  write(300, 40000);
  ASSERT_TRUE(drain());
  const std::uint64_t file_bytes = cluster.active()->tip().page_count * std::uint64_t(512);
  ASSERT_GT(file_bytes, 16 * MiB);
  std::optional<Result<engine::VerifyReport>> outcome;
  engine::VerifyWatch watch;
  const auto verify = [&](std::uint64_t bytes_per_second) -> Task<Result<void>> {
    const engine::VerifyRequest request{bytes_per_second};
    outcome = co_await cluster.passive("beta")->verify(request, watch);
    co_return Result<void>();
  };
  SimDisk& here = cluster.host("beta").disk();
  SimDisk& there = cluster.host("alpha").disk();
  constexpr std::uint64_t rate = 1'000'000;
  const Instant began = world.now();
  const std::uint64_t here_before = here.bytes_read(), there_before = there.bytes_read();
  cluster.host("beta").run_in_life(verify(rate));
  for (int second = 0; second < 60 && !outcome; ++second) {
    const std::uint64_t here_now = here.bytes_read(), there_now = there.bytes_read();
    world.run_for(1s);
    EXPECT_LE(here.bytes_read() - here_now, rate + storage::extent_bytes);
    EXPECT_LE(there.bytes_read() - there_now, rate + storage::extent_bytes);
  }
  ASSERT_TRUE(outcome && outcome->ok()) << cluster.story();
  EXPECT_TRUE((*outcome)->equal());
  EXPECT_GE(here.bytes_read() - here_before, file_bytes);
  EXPECT_GE(there.bytes_read() - there_before, file_bytes);
  EXPECT_GE(world.now() - began, std::chrono::seconds(2 * (file_bytes - storage::extent_bytes) / rate));
  EXPECT_EQ(watch.phase, "active");
  EXPECT_EQ(watch.done_bytes, file_bytes);
  outcome.reset();
  cluster.host("beta").run_in_life(verify(0));
  EXPECT_TRUE(world.run_until([&] { return outcome.has_value(); }, 1s) == Ended::reached);
}

TEST_F(TwoNodes, TheActiveNodeHearsOfANewStateAtOnce) {
  seed();
  ASSERT_TRUE(drain());
  world.run_for(100ms);
  EXPECT_EQ(cluster.active()->copies().of("beta").watermarks.state, "healthy");
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  world.run_for(500ms);  // a new connection, and less than a heartbeat
  const transport::Watermarks& told = cluster.active()->copies().of("beta").watermarks;
  EXPECT_EQ(told.state, "suspended");
  EXPECT_EQ(told.cause, "by operator");
  EXPECT_EQ(told.comment, "by the simulator");
}

TEST_F(TwoNodes, AStartThatWasKilledWhileItMarkedItsDirectoriesIsNoForeignContent) {
  for (int step = 0; step < 40; ++step) {
    cluster.host("beta").start();
    world.run_for(std::chrono::microseconds(200 * step));
    cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  }
  cluster.start_all();
  EXPECT_TRUE(wait_for("beta", "needs_seed"));
}

}  // namespace
}  // namespace ccr::sim
