// A seed over several streams and from other copies than the active one: three whole nodes in the simulator.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/seed_sources.h"
#include "tests/sim/cluster.h"

namespace ccr::sim::engine_streams_test {
namespace {

using namespace std::chrono_literals;

ClusterOptions three_nodes() {
  ClusterOptions options;
  options.nodes = {"alpha", "beta", "gamma"};
  options.page_size = 4096;
  return options;
}

class Streams : public testing::Test {
 protected:
  World world{1};
  Cluster cluster{world, three_nodes()};
  Random random{7};

  bool wait_for(const std::string& node, const std::string& state, Duration limit = 60s) {
    const bool reached = world.run_until([&] { return cluster.state(node) == state; }, limit) == Ended::reached;
    EXPECT_TRUE(reached) << node << " is " << cluster.state(node) << ", not " << state << "\n" << cluster.story();
    return reached;
  }
  void write(int transactions) {
    for (int i = 0; i < transactions; ++i) {
      ASSERT_TRUE(cluster.commit(random, {static_cast<PageNumber>(random.between(1, 6000)), 6001}));
      world.run_for(1ms);
    }
  }
  void seed_gamma() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed") && wait_for("gamma", "needs_seed"));
    write(3000);
    cluster.request_seed("gamma");
    ASSERT_TRUE(wait_for("gamma", "healthy"));
  }
  // A limit that leaves time for what a story does meanwhile.
  void seed_beta(const std::string& from, std::size_t streams = 0, std::uint64_t rate = 0) {
    engine::SeedRequest request;
    request.from = from;
    request.streams = streams;
    request.bytes_per_second_max = rate;
    cluster.request_seed("beta", request);
  }
  bool half_done() {
    return world.run_until([&] { return cluster.passive("beta") && cluster.passive("beta")->seed_counters().done_bytes > 8 * MiB; }, 60s) == Ended::reached;
  }
  HostId id(const std::string& name) { return cluster.host(name).host(); }
  void expect_equal() {
    ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0 && cluster.passive("beta")->idle(); }, 60s) == Ended::reached);
    for (const char* node : {"alpha", "beta"}) cluster.host(node).stop();
    const Result<Bytes> copy = cluster.page_file_of("beta");
    ASSERT_TRUE(copy.ok());
    EXPECT_TRUE(cluster.check_content(*copy, "beta").ok());
  }
  std::size_t told(const std::string& event) { return cluster.events_of(event).size(); }
};

TEST_F(Streams, AHealthyCopyIsASourceWhileItReplays) {
  seed_gamma();
  seed_beta("gamma", 0, 12'000'000);
  ASSERT_TRUE(half_done());
  write(500);
  EXPECT_EQ(cluster.passive("beta")->state().seed.source, "gamma");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(told("seed_stream_lost"), 0u) << cluster.story();
  EXPECT_EQ(told("root_differs"), 0u) << cluster.story();
  expect_equal();
}

TEST_F(Streams, TheActiveOneAndAnotherShareTheWorkAndTheLossOfOneEndsNothing) {
  seed_gamma();
  seed_beta("alpha,gamma", 4, 12'000'000);
  ASSERT_TRUE(half_done());
  EXPECT_EQ(cluster.passive("beta")->seed_counters().streams, 4u);
  EXPECT_EQ(cluster.network().connections(id("beta"), id("gamma")), 2u);
  cluster.host("gamma").kill({Damage::process_only, Ordering::ordered});
  write(200);
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_GE(told("seed_stream_lost"), 1u) << cluster.story();
  EXPECT_EQ(told("seed_interrupted"), 0u) << cluster.story();
  EXPECT_EQ(told("seed_pass_opened"), 2u);
  expect_equal();
}

TEST_F(Streams, ThatWereLostComeBackAndAnotherNumberHoldsWhileTheSeedRuns) {
  seed_gamma();
  seed_beta("alpha,gamma", 4, 600'000);
  ASSERT_TRUE(half_done());
  cluster.host("gamma").kill({Damage::process_only, Ordering::ordered});
  const auto has = [&](std::size_t streams) {
    return world.run_until([&] { return cluster.passive("beta")->seed_counters().streams == streams; }, 60s) == Ended::reached &&
           cluster.state("beta") == "seeding";
  };
  EXPECT_TRUE(has(3)) << cluster.story();
  cluster.host("gamma").start();
  EXPECT_TRUE(has(4)) << cluster.story();
  cluster.passive("beta")->spread_seed(2);
  EXPECT_TRUE(has(2)) << cluster.story();
  cluster.passive("beta")->spread_seed(6);
  EXPECT_TRUE(has(6)) << cluster.story();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(told("seed_interrupted"), 0u) << cluster.story();
  EXPECT_EQ(told("seed_pass_opened"), 2u);
  expect_equal();
}

TEST_F(Streams, WhereTheOnlySourceGoesThePassRestsUntilItIsBack) {
  seed_gamma();
  seed_beta("gamma", 2, 12'000'000);
  ASSERT_TRUE(half_done());
  cluster.host("gamma").kill({Damage::process_only, Ordering::ordered});
  ASSERT_TRUE(wait_for("beta", "disconnected"));
  world.run_for(5s);
  cluster.host("gamma").start();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(told("seed_pass_opened"), 2u) << "gamma's and one of beta's\n" << cluster.story();
  expect_equal();
}

TEST_F(Streams, ACopyThatIsNotHealthyIsNoSource) {
  seed_gamma();
  cluster.request_suspend("gamma");
  ASSERT_TRUE(wait_for("gamma", "suspended"));
  seed_beta("gamma");
  ASSERT_TRUE(wait_for("beta", "disconnected"));
  ASSERT_GE(told("seed_stream_lost"), 1u);
  EXPECT_NE(cluster.story().find("orders@gamma is not healthy: no source of pages"), std::string::npos) << cluster.story();
  cluster.request_resume("gamma");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(Streams, TwoCopiesThatWaitForEachOtherAreGivenByTheActiveOneAfterAWhile) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed") && wait_for("gamma", "needs_seed"));
  write(300);
  seed_beta("gamma");
  engine::SeedRequest request;
  request.from = "beta";
  cluster.request_seed("gamma", request);
  ASSERT_TRUE(wait_for("beta", "healthy") && wait_for("gamma", "healthy"));
  EXPECT_GE(told("seed_source_changed"), 1u);
  expect_equal();
}

TEST_F(Streams, ASourceWhosePageRotIsLeftAndTheOtherGivesIt) {
  seed_gamma();
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("gamma")->idle(); }, 60s) == Ended::reached);
  ASSERT_TRUE(cluster.host("gamma").disk().rot("/data/orders.pages", std::uint64_t(3000) * 4096 + 17)) << cluster.story();
  seed_beta("alpha,gamma", 2);
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(told("root_differs"), 0u) << cluster.story();
  expect_equal();
}

TEST_F(Streams, CutOverAndOverBeginNoSecondPass) {
  seed_gamma();
  seed_beta("", 4, 20'000'000);
  for (int cut = 0; cut < 20 && cluster.state("beta") != "healthy"; ++cut) {
    world.run_for(150ms);
    cluster.network().cut(id("beta"), id("alpha"));
  }
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(told("seed_pass_opened"), 2u) << cluster.story();
  EXPECT_GE(told("seed_interrupted"), 3u);
  expect_equal();
}

TEST(SeedSources, ArePartedAndCounted) {
  using engine::source_nodes;
  EXPECT_EQ(source_nodes("alpha"), std::vector<std::string>{"alpha"});
  EXPECT_EQ(source_nodes("alpha,gamma"), (std::vector<std::string>{"alpha", "gamma"}));
  engine::TransportConfig config;
  seed::StreamsWanted wanted = engine::streams_wanted(config, 0, {"alpha"}, "alpha");
  EXPECT_TRUE(wanted.first_carries);
  EXPECT_EQ(wanted.least, 1u);
  EXPECT_EQ(wanted.most, seed::StreamsWanted::automatic_max);
  wanted = engine::streams_wanted(config, 0, {"beta", "gamma"}, "alpha");
  EXPECT_FALSE(wanted.first_carries);
  EXPECT_EQ(wanted.least, 2u);
  config.streams = "3";
  EXPECT_EQ(engine::streams_wanted(config, 0, {"alpha"}, "alpha").most, 3u);
  EXPECT_EQ(engine::streams_wanted(config, 12, {"alpha"}, "alpha").least, 12u);
}

}  // namespace
}  // namespace ccr::sim::engine_streams_test
