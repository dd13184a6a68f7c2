// Log connections on which nothing happens: they rest on the heartbeats of their path, wake at once, and what dies under their rest is found.
#include <gtest/gtest.h>

#include <functional>

#include "engine/heartbeat.h"
#include "tests/two_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

class AtRest : public TwoNodes {
 protected:
  const engine::TransportConfig beats{};
  const Duration interval = beats.heartbeat_interval;
  const Duration silence_max = interval * beats.heartbeat_missed;
  const Duration soon = interval * (engine::PeerWatch::calm_intervals + 3);

  const engine::CopyFacts& beta() { return cluster.active()->copies().of("beta"); }
  bool at_rest() { return beta().watermarks.at_rest && cluster.passive("beta")->tip()->at_rest; }
  void come_to_rest() {
    seed();
    ASSERT_TRUE(drain());
    world.run_for(engine::ActiveCopy::idle_roll + 2s);  // its generation is sealed, which is news
    ASSERT_EQ(world.run_until([this] { return at_rest(); }, soon), Ended::reached);
    ASSERT_EQ(cluster.network().connections(0, 1), 2u) << "the path's heartbeats and the log";
    states = cluster.events_of("state_changed").size();
  }
  bool within(Duration limit, const std::function<bool()>& reached) { return world.run_until(reached, limit) == Ended::reached; }
  bool arrived() { return cluster.pending() == 0 && cluster.passive("beta")->watermarks().durable == cluster.active()->tip().durable; }
  bool nothing_happened() { return cluster.events_of("state_changed").size() == states; }

  static constexpr std::size_t path_connection = 0, log_connection = 1;  // in the order in which they were made
  std::size_t states = 0;
};

TEST_F(AtRest, AConnectionWithoutNewsSaysLittleAndStaysKnown) {
  come_to_rest();
  const std::uint64_t wire = beta().wire_bytes;
  const std::int64_t at_least = Duration(1min - interval * 2).count();
  for (int minute = 0; minute < 10; ++minute) {
    const WallTime tip_heard = cluster.passive("beta")->tip_heard_at(), copy_heard = engine::last_heard(beta());
    world.run_for(1min);
    EXPECT_TRUE(at_rest());
    EXPECT_GE(cluster.passive("beta")->tip_heard_at().nanoseconds - tip_heard.nanoseconds, at_least) << "the path vouches for the tip";
    EXPECT_GE(engine::last_heard(beta()).nanoseconds - copy_heard.nanoseconds, at_least);
  }
  EXPECT_LE(beta().wire_bytes - wire, 12u * 130) << "ten minutes have 500 heartbeats, and 10 at rest";
  EXPECT_TRUE(nothing_happened()) << cluster.story();
}

TEST_F(AtRest, ACommitComesAtOnceAndLaterThereIsRestAgain) {
  come_to_rest();
  for (int round = 0; round < 5; ++round) {
    world.run_for(37s);
    ASSERT_TRUE(at_rest());
    write(1);
    EXPECT_TRUE(within(50ms, [this] { return arrived(); })) << cluster.story();
    EXPECT_FALSE(at_rest());
    world.run_for(engine::ActiveCopy::idle_roll + 2s);
    EXPECT_TRUE(within(soon, [this] { return at_rest(); })) << cluster.story();
  }
  EXPECT_TRUE(nothing_happened()) << cluster.story();
  expect_equal();
}

TEST_F(AtRest, APeerThatIsGoneIsMissedAsEver) {
  come_to_rest();
  world.run_for(37s);
  cluster.network().partition(0, 1);
  EXPECT_TRUE(within(silence_max + interval, [this] { return cluster.state("beta") == "disconnected" && !beta().connected; })) << cluster.story();
  cluster.network().heal(0, 1);
  EXPECT_TRUE(within(6s, [this] { return cluster.state("beta") == "healthy" && beta().connected; })) << cluster.story();
}

TEST_F(AtRest, WhereThePathsHeartbeatsDieAloneTheLogHasItsOwnAgain) {
  come_to_rest();
  world.run_for(37s);
  ASSERT_EQ(cluster.network().half_open(0, 1, path_connection), 1u);
  EXPECT_TRUE(within(silence_max + interval, [this] { return !at_rest(); })) << cluster.story();
  EXPECT_TRUE(within(60s, [this] { return at_rest(); })) << "upon new heartbeats\n" << cluster.story();
  EXPECT_TRUE(nothing_happened()) << cluster.story();
}

// Both sides find it by themselves: the active owes log and hears nothing of it, the passive is told of a connection that it believes at rest.
TEST_F(AtRest, ALogConnectionThatDiesAloneIsFoundByBothSidesOnceThereIsLog) {
  come_to_rest();
  world.run_for(37s);
  ASSERT_EQ(cluster.network().half_open(0, 1, log_connection), 1u);
  write(1);
  EXPECT_TRUE(within(silence_max + interval, [this] { return !beta().connected; })) << cluster.story();
  EXPECT_TRUE(within(silence_max + interval * 3, [this] { return cluster.state("beta") != "healthy" || beta().connected; })) << cluster.story();
  ASSERT_TRUE(wait_for("beta", "healthy", 5s));
  world.run_for(1s);
  EXPECT_TRUE(beta().connected) << "by the new connection";
  expect_equal();
}

// Whenever it dies between two heartbeats of the path, and however long those take.
TEST_F(AtRest, OnALongPathToo) {
  cluster.network().options().delay_min = cluster.network().options().delay_max = 100ms;
  come_to_rest();
  for (int round = 0; round < 8; ++round) {
    world.run_for(37s + round * interval / 8);
    ASSERT_EQ(cluster.network().half_open(0, 1, log_connection), 1u);
    write(1);
    EXPECT_TRUE(within(silence_max * 3 + interval * 3, [this] { return arrived(); })) << round << cluster.story();
    world.run_for(1s);
    EXPECT_EQ(cluster.state("beta"), "healthy");
    EXPECT_TRUE(beta().connected);
    world.run_for(engine::ActiveCopy::idle_roll + 2s);
    ASSERT_TRUE(within(soon * 2, [this] { return at_rest(); })) << round << cluster.story();
  }
}

TEST_F(AtRest, ALogConnectionThatDiesAloneIsFoundWithoutLogToo) {
  come_to_rest();
  world.run_for(37s);
  ASSERT_EQ(cluster.network().half_open(0, 1, log_connection), 1u);
  const Duration limit = interval * 2 * engine::PeerWatch::rest_intervals + silence_max;
  EXPECT_TRUE(within(limit, [this] { return !nothing_happened(); })) << cluster.story();
  ASSERT_TRUE(wait_for("beta", "healthy", 10s));
  world.run_for(1s);
  EXPECT_TRUE(beta().connected);
}

TEST_F(AtRest, ASuspendedCopyRestsTooAndResumesAtOnce) {
  come_to_rest();
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  EXPECT_TRUE(within(30s, [this] { return at_rest(); })) << cluster.story();
  world.run_for(37s);
  EXPECT_TRUE(at_rest());
  cluster.request_resume("beta");
  ASSERT_TRUE(wait_for("beta", "healthy", 1s));
}

}  // namespace
}  // namespace ccr::sim
