// What nodes tell each other of their configuration and their clocks, for `ccr check`; whole nodes in the simulator.
#include <gtest/gtest.h>

#include "engine/agreed_config.h"
#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

engine::Config agreed_example() {
  engine::Config config;
  config.cluster = "lab";
  config.nodes["alpha"].addresses = {{"10.77.0.1", 64327}, {"10.78.0.1", 64327}};
  config.nodes["beta"].addresses = {{"10.77.0.2", 64327}};
  engine::DatabaseConfig& orders = config.databases["orders"];
  orders.copies = {"alpha", "beta"};
  return config;
}

TEST(AgreedConfig, IsWhatAllNodesShouldHaveAlike) {
  EXPECT_EQ(engine::agreed_text(agreed_example()),
            "cluster lab\n"
            "node alpha 10.77.0.1:64327 10.78.0.1:64327\n"
            "node beta 10.77.0.2:64327\n"
            "database orders sqlite 1048576 async alpha beta\n");
}

TEST(AgreedConfig, PathsAndLimitsMayDiffer) {
  const Digest64 agreed = engine::agreed_digest(agreed_example());
  engine::Config other = agreed_example();
  other.node = "beta";
  other.state_dir = "/elsewhere";
  other.databases["orders"].path = "/srv/orders.db";
  other.databases["orders"].log_budget_bytes = 1 * GiB;
  other.transport.window_bytes = 8 * MiB;
  EXPECT_EQ(engine::agreed_digest(other), agreed);
}

TEST(AgreedConfig, EachPartCounts) {
  using Change = void (*)(engine::Config&);
  const Change changes[] = {[](engine::Config& c) { c.cluster = "shop"; },
                            [](engine::Config& c) { std::swap(c.nodes["alpha"].addresses[0], c.nodes["alpha"].addresses[1]); },
                            [](engine::Config& c) {
                              c.nodes["gamma"].addresses = {{"10.77.0.3", 64327}};
                            },
                            [](engine::Config& c) { c.databases["orders"].kind = engine::DatabaseKind::pages; },
                            [](engine::Config& c) { c.databases["orders"].generation_bytes = 2 * MiB; },
                            [](engine::Config& c) { c.databases["orders"].commit = engine::CommitMode::durable; },
                            [](engine::Config& c) {
                              c.databases["orders"].copies = {"beta", "alpha"};
                            },
                            [](engine::Config& c) { c.databases["mail"].copies = {"alpha"}; }};
  for (const Change change : changes) {
    engine::Config other = agreed_example();
    change(other);
    EXPECT_NE(engine::agreed_digest(other), engine::agreed_digest(agreed_example())) << engine::agreed_text(other);
  }
}

TEST(ClockSeen, TheAnswerWasMadeHalfwayThroughTheRoundTrip) {
  const engine::ClockSeen seen = engine::clock_seen(WallTime{1'000'000'000}, WallTime{5'000'000'000}, 2s);
  EXPECT_EQ(seen.ahead, -3s);
  EXPECT_EQ(seen.round_trip, 2s);
}

class Peers : public AskedNodes {
 protected:
  using AskedNodes::AskedNodes;

  json peer_of(const std::string& node) {
    const ClockState state;
    SimClock clock(world, state);
    const json peers = engine::status_of(*cluster.node(node), clock, "", "").at("peers");
    EXPECT_EQ(peers.size(), 1u);
    return peers.at(0);
  }
  bool told(const std::string& node, const char* field, Duration limit = 40s) {
    return world.run_until([&] { return cluster.node(node) != nullptr && !peer_of(node)[field].is_null(); }, limit) ==
           Ended::reached;
  }
};

TEST_F(Peers, AreUnknownUntilTheyWereHeard) {
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  const json beta = peer_of("alpha");
  EXPECT_EQ(beta["node"], "beta");
  for (const char* field : {"configuration_equal", "heard_at", "clock_ahead_seconds", "round_trip_seconds"})
    EXPECT_TRUE(beta[field].is_null()) << field;
}

TEST_F(Peers, TellThatTheirConfigurationIsTheSame) {
  cluster.start_all();
  for (const char* node : {"alpha", "beta"}) {
    ASSERT_TRUE(told(node, "clock_ahead_seconds")) << cluster.story();
    const json peer = peer_of(node);
    EXPECT_EQ(peer["configuration_equal"], true);
    EXPECT_LT(std::abs(peer["clock_ahead_seconds"].get<double>()), peer["round_trip_seconds"].get<double>());
  }
}

TEST_F(Peers, AreHeardAgainEachHalfMinuteAndStayAsTheyWereHeardLast) {
  seed();
  world.run_for(60s);
  const std::string before = peer_of("alpha")["heard_at"];
  world.run_for(35s);
  const std::string after = peer_of("alpha")["heard_at"];
  EXPECT_LT(before, after);
  cluster.host("beta").stop();
  world.run_for(60s);
  EXPECT_EQ(peer_of("alpha")["configuration_equal"], true);
  EXPECT_LT(peer_of("alpha")["heard_at"].get<std::string>(), std::string("2026-01-01T00:02:40Z"));
}

TEST_F(Peers, AClockThatWasSetIsSeenFromBothSides) {
  seed();
  cluster.host("beta").jump_wall(90s);
  world.run_for(45s);
  EXPECT_NEAR(peer_of("alpha")["clock_ahead_seconds"].get<double>(), 90, 1);
  EXPECT_NEAR(peer_of("beta")["clock_ahead_seconds"].get<double>(), -90, 1);
}

ClusterOptions with_another_generation_size() {
  ClusterOptions options;
  options.configure = [](const std::string& node, engine::Config& config) {
    if (node == "beta") config.databases.at(Cluster::database).generation_bytes *= 2;
  };
  return options;
}

class OddPeers : public Peers {
 protected:
  OddPeers() : Peers(with_another_generation_size()) {}
};

TEST_F(OddPeers, BothNodesSeeThatTheirConfigurationsDiffer) {
  cluster.start_all();
  for (const char* node : {"alpha", "beta"}) {
    ASSERT_TRUE(told(node, "heard_at")) << cluster.story();
    EXPECT_EQ(peer_of(node)["configuration_equal"], false);
  }
}

}  // namespace
}  // namespace ccr::sim
