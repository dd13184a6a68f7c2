// Nodes with two addresses: which path is taken, how fast a lost one is left, and that the preferred one is gone back to.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/path_table.h"
#include "engine/status.h"
#include "tests/two_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using engine::PathState;
using engine::PathTable;
using nlohmann::json;

constexpr const char* first_path = "10.77.0.1";
constexpr const char* second_path = "10.78.0.1";

class Paths : public testing::Test {
 protected:
  struct Told final : Trace {
    void record(const Event& event) override { names.push_back(event.name + " " + event.fields.at(1).second); }
    std::vector<std::string> names;
  };

  Paths() {
    table.add("alpha", {a, b, c});
    table.add("gamma", {{"10.77.0.3", 1}});
    table.watch("alpha");
  }
  void beats(const transport::Endpoint& address, int count) {
    for (int i = 0; i < count; ++i) table.beat("alpha", address, 2ms);
  }

  const transport::Endpoint a{"10.77.0.1", 1}, b{"10.78.0.1", 1}, c{"10.79.0.1", 1};
  World world{1};
  ClockState state;
  SimClock clock{world, state};
  Told told;
  PathTable table{world.executor(), clock, told, "beta"};
  using Order = std::vector<transport::Endpoint>;
};

TEST_F(Paths, AreTriedAsTheUserWroteThemWhileNothingIsKnown) {
  EXPECT_EQ(table.order("alpha"), (Order{a, b, c}));
  EXPECT_EQ(table.order("delta"), Order{});
  EXPECT_FALSE(table.has_better("alpha", c)) << "unknown is not better";
}

TEST_F(Paths, ThatAreUpComeFirstAndThoseThatAreDownLast) {
  beats(b, PathTable::beats_up);
  table.lost("alpha", a, "no answer");
  EXPECT_EQ(table.order("alpha"), (Order{b, c, a}));
  beats(c, PathTable::beats_up);
  EXPECT_EQ(table.order("alpha"), (Order{b, c, a}));
  EXPECT_TRUE(table.has_better("alpha", c));
  EXPECT_FALSE(table.has_better("alpha", b));
}

TEST_F(Paths, ThatComeAndGoAreNotGoneBackTo) {
  table.lost("alpha", a, "no answer");
  beats(a, PathTable::beats_up - 1);
  table.lost("alpha", a, "no answer");
  beats(a, PathTable::beats_up - 1);
  EXPECT_FALSE(table.has_better("alpha", b));
  beats(a, 1);
  EXPECT_TRUE(table.has_better("alpha", b));
  EXPECT_EQ(told.names, (std::vector<std::string>{"path_down 10.77.0.1:1", "path_up 10.77.0.1:1"})) << "each turn is told once";
}

TEST_F(Paths, OverWhichConnectionsDieWhileHeartbeatsComeAreBelievedLessEachTime) {
  int wanted = PathTable::beats_up;
  for (int round = 0; round < 10; ++round) {
    beats(a, wanted - 1);
    EXPECT_FALSE(table.has_better("alpha", b)) << round;
    beats(a, 1);
    EXPECT_TRUE(table.has_better("alpha", b)) << round;
    table.suspect("alpha", a, "silent");
    wanted = std::min(wanted * 2, PathTable::beats_up_max);
  }
  table.lost("alpha", a, "no answer");
  beats(a, PathTable::beats_up);
  EXPECT_TRUE(table.has_better("alpha", b)) << "a path that was really gone begins anew";
}

TEST_F(Paths, OfWhichThereIsOneAreNotSuspected) {
  EXPECT_EQ(table.watch("gamma").size(), 1u);
  EXPECT_TRUE(table.watched("gamma"));
  EXPECT_FALSE(table.judged("gamma"));
  EXPECT_TRUE(table.judged("alpha"));
  table.suspect("gamma", {"10.77.0.3", 1}, "no answer");
  EXPECT_EQ(table.peers().at("gamma").front().state, PathState::unknown);
  table.suspect("alpha", b, "no answer");
  EXPECT_EQ(table.order("alpha"), (Order{a, c, b}));
}

// Each of a copy's lives asks for them.
TEST_F(TwoNodes, HaveOneConnectionForHeartbeatsHoweverOftenACopyIsTriedAgain) {
  seed();
  ASSERT_TRUE(drain());
  const auto connections = [this] { return cluster.network().connections(cluster.host("beta").host(), cluster.host("alpha").host()); };
  const std::size_t before = connections();
  ASSERT_EQ(before, 2u) << "of the log, and of the path";
  SimDisk& disk = cluster.host("beta").disk();
  disk.plan({DiskAction::sync, "/log/incoming", 0, 1'000, ErrorKind::io});
  write(20);
  ASSERT_TRUE(wait_for("beta", "failed"));
  world.run_for(180s);
  disk.clear_plans();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(connections(), before);
}

ClusterOptions paths(int count) {
  ClusterOptions options;
  options.paths = count;
  return options;
}

class TwoPaths : public TwoNodes {
 protected:
  explicit TwoPaths(ClusterOptions options = paths(2)) : TwoNodes(std::move(options)) {}

  std::string used() {
    engine::PassiveCopy* const passive = cluster.passive("beta");
    return passive == nullptr || !passive->connected() || passive->connection() == nullptr ? "" : passive->connection()->peer().host;
  }
  bool goes_over(const std::string& path, Duration limit) {
    return world.run_until([&] { return used() == path; }, limit) == Ended::reached;
  }
  void begin_seed(std::uint64_t bytes_per_second_max) {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted"));
    ASSERT_TRUE(wait_for("beta", "needs_seed"));
    write(400, 20'000);
    engine::SeedRequest request;
    request.bytes_per_second_max = bytes_per_second_max;
    cluster.request_seed("beta", request);
    ASSERT_TRUE(wait_for("beta", "seeding", 5s));
  }
  json path(std::size_t index) {
    const ClockState state;
    SimClock clock(world, state);
    const json status = engine::status_of(*cluster.node("beta"), clock, "", "");
    return status.at("paths").at(index);
  }
};

TEST_F(TwoPaths, ALostPathIsLeftWithinTheMissedHeartbeatsAndASecondAndGoneBackTo) {
  seed();
  ASSERT_EQ(used(), first_path);
  ASSERT_EQ(world.run_until([&] { return path(0)["state"] == "up" && path(1)["state"] == "up"; }, 20s), Ended::reached);
  for (int round = 0; round < 8; ++round) {
    write(20);
    cluster.network().lose(first_path);
    write(20);
    const engine::TransportConfig beats;
    EXPECT_TRUE(goes_over(second_path, beats.heartbeat_interval * beats.heartbeat_missed + 1s)) << cluster.story();
    ASSERT_TRUE(wait_for("beta", "healthy", 2s));
    write(20);
    world.run_for(10s);
    EXPECT_EQ(path(0)["state"], "down");
    EXPECT_NE(path(0)["cause"], "");
    EXPECT_EQ(path(1)["state"], "up");
    EXPECT_GT(path(1)["rtt_seconds"].get<double>(), 0.0);
    EXPECT_EQ(used(), second_path);

    cluster.network().restore(first_path);
    EXPECT_TRUE(goes_over(first_path, 20s)) << cluster.story();
    ASSERT_TRUE(wait_for("beta", "healthy", 2s));
  }
  EXPECT_EQ(cluster.events_of("path_down").size(), 8u);
  expect_equal();
}

TEST_F(TwoPaths, ALossOfThePathThatIsNotUsedDisturbsNothing) {
  seed();
  ASSERT_EQ(world.run_until([&] { return path(1)["state"] == "up"; }, 20s), Ended::reached);
  const std::size_t ended = cluster.events_of("connection_ended").size();
  cluster.network().lose(second_path);
  write(50);
  EXPECT_EQ(world.run_until([&] { return path(1)["state"] == "down"; }, 4800ms + 200ms), Ended::reached);
  EXPECT_EQ(used(), first_path);
  EXPECT_EQ(cluster.events_of("connection_ended").size(), ended);
  expect_equal();
}

TEST_F(TwoPaths, ASuspendedCopyKeepsContactOverThePathThatIsThere) {
  seed();
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  ASSERT_EQ(world.run_until([&] { return path(0)["state"] == "up" && path(1)["state"] == "up"; }, 20s), Ended::reached);
  cluster.network().lose(first_path);
  EXPECT_TRUE(goes_over(second_path, 6s)) << cluster.story();
  cluster.network().restore(first_path);
  EXPECT_TRUE(goes_over(first_path, 20s)) << cluster.story();
  EXPECT_EQ(cluster.state("beta"), "suspended");
}

TEST_F(TwoPaths, ACopyThatLosesBothPathsComesBackOverTheFirstThatDoes) {
  seed();
  cluster.network().lose(first_path);
  cluster.network().lose(second_path);
  write(20);
  ASSERT_TRUE(wait_for("beta", "disconnected", 6s));
  world.run_for(30s);
  cluster.network().restore(second_path);
  EXPECT_TRUE(goes_over(second_path, 6s)) << cluster.story();
  cluster.network().restore(first_path);
  EXPECT_TRUE(goes_over(first_path, 20s)) << cluster.story();
  expect_equal();
}

TEST_F(TwoPaths, APeerThatStartsAnewIsNoLostPath) {
  seed();
  ASSERT_EQ(world.run_until([&] { return path(0)["state"] == "up"; }, 20s), Ended::reached);
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  EXPECT_TRUE(goes_over(first_path, 6s)) << cluster.story();
  world.run_for(20s);
  EXPECT_EQ(used(), first_path);
  expect_equal();
}

TEST_F(TwoPaths, ASlowSeedAfterALossOfBothIsNotCutAgain) {
  begin_seed(20'000);
  world.run_for(2s);
  cluster.network().lose(first_path);
  cluster.network().lose(second_path);
  world.run_for(10s);
  const std::size_t before = cluster.events_of("seed_interrupted").size();
  cluster.network().restore(first_path);
  ASSERT_TRUE(wait_for("beta", "healthy", 300s));
  EXPECT_LE(cluster.events_of("seed_interrupted").size(), before + 4);  // those of the seconds until a path was there
  expect_equal();
}

class ThreePaths : public TwoPaths {
 protected:
  ThreePaths() : TwoPaths(paths(3)) {}
};

TEST_F(ThreePaths, OfWhichTwoAreLostTogetherAreLeftForTheThird) {
  seed();
  ASSERT_EQ(world.run_until([&] { return path(0)["state"] == "up" && path(1)["state"] == "up" && path(2)["state"] == "up"; }, 20s), Ended::reached);
  write(20);
  cluster.network().lose(first_path);
  cluster.network().lose(second_path);
  write(20);
  EXPECT_TRUE(goes_over("10.79.0.1", 4800ms + 3s)) << cluster.story();
  const std::size_t ended = cluster.events_of("connection_ended").size();
  world.run_for(10s);
  EXPECT_EQ(used(), "10.79.0.1");
  EXPECT_LE(cluster.events_of("connection_ended").size(), ended + 2) << "it stays there";
  expect_equal();
}

TEST_F(TwoPaths, ANodeThatStartsWithoutItsPreferredPathTakesTheOtherAtOnce) {
  seed();
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  cluster.network().lose(first_path);
  write(20);
  cluster.host("beta").start();
  EXPECT_TRUE(goes_over(second_path, 3s)) << cluster.story();
  ASSERT_TRUE(wait_for("beta", "healthy", 3s));
  expect_equal();
}

TEST_F(TwoPaths, ASeedGoesOnOverTheOtherPath) {
  begin_seed(0);
  world.run_for(20ms);
  cluster.network().lose(first_path);
  ASSERT_TRUE(wait_for("beta", "healthy", 15s));
  EXPECT_EQ(used(), second_path);
  expect_equal();
}

// So slow that it lasts longer than the path is away.
TEST_F(TwoPaths, ASeedGoesBackToThePreferredPath) {
  begin_seed(20'000);
  world.run_for(20ms);
  cluster.network().lose(first_path);
  world.run_for(12s);
  EXPECT_GT(cluster.network().connections_over(second_path), 1u) << "the seed, its log and heartbeats";
  cluster.network().restore(first_path);
  world.run_for(10s);
  EXPECT_EQ(cluster.state("beta"), "seeding");
  EXPECT_EQ(cluster.network().connections_over(second_path), 1u) << "its heartbeats alone";
  ASSERT_TRUE(wait_for("beta", "healthy", 300s));
  EXPECT_EQ(used(), first_path);
  expect_equal();
}

}  // namespace
}  // namespace ccr::sim
