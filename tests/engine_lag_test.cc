// Copies with a replay_lag: they receive at once and replay later; whole nodes in the simulator.
#include <gtest/gtest.h>

#include "engine/replay_delay.h"
#include "engine/status_parts.h"
#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace lagged {

using namespace std::chrono_literals;

ClusterOptions delayed(Duration replay, Duration truncation = 0s) {
  ClusterOptions options;
  options.configure = [replay, truncation](const std::string&, engine::Config& config) {
    engine::DatabaseConfig& orders = config.databases.at("orders");
    orders.replay_lag["beta"] = replay;
    orders.truncation_lag["beta"] = truncation;
  };
  return options;
}

class Lagged : public AskedNodes {
 protected:
  explicit Lagged(ClusterOptions options = delayed(60s)) : AskedNodes(std::move(options)) {}

  Position replayed() { return cluster.passive("beta")->state().min_required; }
  Position inspected() { return cluster.passive("beta")->watermarks().inspected; }
  Position end() { return cluster.active()->tip().durable; }
  void set_lag(Duration lag) {
    engine::Config config = cluster.node("beta")->config();
    config.databases.at("orders").replay_lag["beta"] = lag;
    cluster.node("beta")->take_lags(config);
  }
  bool received_all() {
    return world.run_until([&] { return cluster.pending() == 0 && inspected() == end(); }, 20s) == Ended::reached;
  }
  bool replayed_all(Duration limit) {
    return world.run_until([&] { return replayed() == end(); }, limit) == Ended::reached;
  }
};

TEST_F(Lagged, LogIsReceivedAtOnceAndReplayedWhenItsLagHasPassed) {
  seed();
  const Position before = replayed();
  write(50);
  ASSERT_TRUE(received_all()) << cluster.story();
  const Instant came = world.now();
  world.run_for(55s);
  EXPECT_LE(replayed(), end());
  EXPECT_LT(replayed(), inspected()) << "replayed early\n" << cluster.story();
  EXPECT_GE(replayed(), before);
  EXPECT_EQ(cluster.state("beta"), "healthy");
  ASSERT_TRUE(replayed_all(10s)) << cluster.story();
  EXPECT_GE(world.now() - came, Duration(50s));
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta")->state().root_equal_at == end(); }, 10s) == Ended::reached) << "the roots are compared where it comes to";
  EXPECT_EQ(passes(), 1u);
}

TEST_F(Lagged, StatusShowsWhatIsHeldAndUntilWhenAndWaitDoesNotMind) {
  seed();
  write(20);
  ASSERT_TRUE(received_all());
  world.run_for(20s);
  for (const char* asked : {"beta", "alpha"}) {
    const json row = row_of(asked, "beta");
    EXPECT_EQ(row["state"], "healthy") << row.dump();
    ASSERT_TRUE(row["replay_lag"].is_object()) << row.dump();
    EXPECT_EQ(row["replay_lag"]["seconds"], 60.0);
    EXPECT_GT(row["replay_lag"]["held_bytes"], 0);
    EXPECT_GT(row["replay_lag"]["behind_seconds"], 15.0) << asked;
    EXPECT_LE(row["replay_lag"]["due_in_seconds"], 45.0) << asked;
    EXPECT_TRUE(engine::replay_queue_in_order(row)) << row.dump();
  }
  const Result<json> waited = answer_of("beta", {{"command", "wait"}, {"for", "healthy"}, {"timeout_seconds", 5}});
  EXPECT_TRUE(waited.ok()) << (waited.ok() ? "" : waited.error().message);
  EXPECT_GE(row_of("beta", "beta")["replay_lag"]["held_commits"], 20);
}

TEST_F(Lagged, AShorterLagIsInForceWithoutASeedAndALongerOneHolds) {
  seed();
  write(20);
  ASSERT_TRUE(received_all());
  set_lag(0s);
  ASSERT_TRUE(replayed_all(5s)) << cluster.story();
  set_lag(100s);
  write(20);
  ASSERT_TRUE(received_all());
  const Position came = inspected();
  world.run_for(90s);
  EXPECT_LT(replayed(), came);
  EXPECT_TRUE(world.run_until([&] { return replayed() >= came; }, 15s) == Ended::reached) << cluster.story();
  EXPECT_EQ(passes(), 1u);
  EXPECT_EQ(cluster.events_of("replay_lag_changed").size(), 2u);
}

TEST_F(Lagged, RestartsNeitherReleaseEarlyNorHoldForEver) {
  seed();
  write(20);
  ASSERT_TRUE(received_all());
  const Position held = inspected();
  Duration ran{0};
  for (int i = 0; i < 3; ++i) {
    world.run_for(15s);
    ran += 15s;
    cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
    cluster.host("beta").jump_wall(std::chrono::hours(i == 1 ? -5 : 5));
    world.run_for(40s);
    cluster.host("beta").start();
    ASSERT_TRUE(wait_for("beta", "healthy"));
    EXPECT_LT(replayed(), held) << "after " << ran.count() / 1'000'000'000 << " s of its running\n" << cluster.story();
  }
  ASSERT_TRUE(world.run_until([&] { return replayed() >= held; }, 30s) == Ended::reached) << cluster.story();
}

TEST_F(Lagged, ASeedsDelayGrowsBack) {
  seed();
  write(30);
  ASSERT_TRUE(received_all());
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "seeding"));
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_GE(replayed(), Position{}) << cluster.story();
  write(30);
  ASSERT_TRUE(received_all());
  world.run_for(10s);
  EXPECT_LT(replayed(), inspected());
  const json lag = row_of("beta", "beta")["replay_lag"];
  EXPECT_LT(lag["behind_seconds"], 20.0) << lag.dump();
}

TEST_F(Lagged, AMoveReplaysAllAtOnceAndItsChecksAloneDoNot) {
  seed();
  write(50);
  ASSERT_TRUE(received_all());
  const Result<json> plan = answer_of("alpha", {{"command", "move"}, {"to", "beta"}, {"dry_run", true}});
  ASSERT_TRUE(plan.ok() && (*plan)["allowed"]);
  world.run_for(2s);
  EXPECT_LT(replayed(), inspected());
  const Result<json> moved = answer_of("alpha", {{"command", "move"}, {"to", "beta"}});
  ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
  EXPECT_EQ(cluster.events_of("replay_lag_lifted").size(), 1u);
  EXPECT_EQ(cluster.active_node(), "beta");
}

TEST_F(Lagged, AVerificationNeitherWaitsForTheLagNorBreaksIt) {
  seed();
  write(50);
  ASSERT_TRUE(received_all());
  const Position before = replayed();
  const Instant begun = world.now();
  const Result<json> verified = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_LT(world.now() - begun, Duration(40s));
  EXPECT_TRUE((*verified)["equal"]) << verified->dump();
  EXPECT_EQ(replayed(), before);
}

class Kept : public Lagged {
 protected:
  Kept() : Lagged(delayed(0s, 100s)) {}
};

TEST_F(Kept, ReplayedLogStaysForItsTruncationLag) {
  seed();
  const auto first = [&] { return cluster.passive("beta")->truncation_facts()->first.number; };
  const std::uint64_t held = first();
  for (int i = 0; i < 10; ++i) write(200);
  ASSERT_TRUE(received_all());
  ASSERT_GT(inspected().generation.number, held + 4);
  world.run_for(60s);
  EXPECT_EQ(first(), held) << cluster.story();
  world.run_for(60s);
  EXPECT_GT(first(), held) << cluster.story();
}

}  // namespace lagged
}  // namespace ccr::sim
