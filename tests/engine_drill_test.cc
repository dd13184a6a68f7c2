// What a drill does to a copy on purpose, on whole nodes in the simulator: a seed that loses its connection, a bit that rots. Virtual time.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "seed/seed_plan.h"
#include "tests/asked_nodes.h"

namespace ccr::sim::engine_drill_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

engine::SeedRequest in_full() {
  engine::SeedRequest request;
  request.full = true;
  return request;
}

class Drilling : public AskedNodes {
 protected:
  Drilling() : AskedNodes(on_a_slow_link()) {}

  Result<json> drill(const std::string& node, const std::string& step) { return answer_of(node, {{"command", "drill"}, {"step", step}}, 120s); }
  json status() { return row_of("beta", "beta"); }
};

TEST_F(Drilling, ASeedThatIsCutGoesOnAndAsksAgainForWhatWasInFlightOnly) {
  seed();
  fill(40'000);
  ASSERT_TRUE(drain());
  cluster.request_seed("beta", in_full());
  ASSERT_TRUE(wait_for("beta", "seeding"));
  for (int cut = 0; cut < 3; ++cut) {
    const std::uint64_t from = cluster.passive("beta")->seed_counters().done_bytes, before = cluster.passive("beta")->seed_cuts().count;
    const auto further = [&] { return cluster.passive("beta")->seed_counters().done_bytes > from + MiB; };
    ASSERT_EQ(world.run_until(further, 60s), Ended::reached) << cluster.story();
    const Result<json> answer = drill("beta", "cut");
    ASSERT_TRUE(answer.ok());
    EXPECT_EQ((*answer)["cut"], true);
    ASSERT_EQ(world.run_until([&] { return cluster.passive("beta")->seed_cuts().count > before; }, 10s), Ended::reached) << cluster.story();
    const engine::SeedCuts cuts = cluster.passive("beta")->seed_cuts();
    EXPECT_LE(cuts.extents_again, cuts.count * seed::seed_asks_in_flight_max);
    EXPECT_GT(cuts.extents_again, 0u) << "the link is slower than the asking";
  }
  ASSERT_TRUE(wait_for("beta", "healthy", 120s));
  EXPECT_GE(status()["seed"]["cuts"], 3);
  EXPECT_GE(cluster.events_of("seed_interrupted").size(), 1u) << cluster.story();
  expect_equal();
}

TEST_F(Drilling, LogGoesOnBesideASeedAndItsLagIsTold) {
  seed();
  fill(12'000);
  ASSERT_TRUE(drain());
  EXPECT_TRUE(status()["seed"]["log_lag_seconds"].is_null()) << "no seed runs";
  cluster.request_seed("beta", in_full());
  const auto open = [&] {
    const engine::PassiveCopy& beta = *cluster.passive("beta");
    return beta.seeding() && beta.connected() && beta.tip().has_value() && beta.seed_counters().total_bytes > 0;
  };
  ASSERT_EQ(world.run_until(open, 60s), Ended::reached) << cluster.story();
  EXPECT_TRUE(status()["seed"]["log_lag_seconds"].is_number());
  EXPECT_TRUE(status()["lag_seconds"].is_null()) << "it is no copy meanwhile";
  ASSERT_TRUE(wait_for("beta", "healthy", 120s));
}

TEST_F(Drilling, WhereNoSeedRunsNothingIsCut) {
  seed();
  const Result<json> answer = drill("beta", "cut");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ((*answer)["cut"], false);
  world.run_for(5s);
  EXPECT_EQ(cluster.state("beta"), "healthy");
}

TEST_F(Drilling, ABitThatRotsIsFoundOnItsPageAloneAndRepairedFromTheOtherCopy) {
  seed();
  ASSERT_TRUE(drain());
  const Result<json> answer = drill("beta", "rot");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ((*answer)["found"]["differing_total"], 1);
  EXPECT_EQ((*answer)["found"]["differing_pages"], json::array({(*answer)["page"]}));
  EXPECT_EQ((*answer)["found"]["active"]["differing_total"], 0);
  EXPECT_EQ((*answer)["found"]["repaired_pages"], json::array({(*answer)["page"]}));
  EXPECT_EQ(cluster.state("beta"), "healthy");
  expect_equal();
}

TEST_F(Drilling, AnOlderFileInThePlaceOfASuspendedCopyIsRefusedAndMadeEqual) {
  constexpr const char* older = "/data/orders.pages.drill/orders.pages";
  seed();
  ASSERT_TRUE(drain());
  const Result<json> backup = answer_of("beta", {{"command", "backup"}, {"to", "/data/orders.pages.drill"}, {"copy_only", true}});
  ASSERT_TRUE(backup.ok()) << backup.error().message;
  write(300);
  ASSERT_TRUE(drain());
  EXPECT_EQ(drill("beta", "put-back").error().message, "orders@beta is Healthy: a backup is put in the place of a suspended copy only");
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  const Result<json> put = drill("beta", "put-back");
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(drill("beta", "put-back").error().kind, ErrorKind::not_found) << "it is there once";
  const Result<json> resumed = answer_of("beta", {{"command", "resume"}});
  ASSERT_FALSE(resumed.ok());
  EXPECT_EQ(resumed.error().kind, ErrorKind::corrupt);
  EXPECT_NE(resumed.error().message.find("another file is there"), std::string::npos) << resumed.error().message;
  EXPECT_EQ(cluster.state("beta"), "suspended");
  const Result<json> seeded = answer_of("beta", {{"command", "seed"}, {"reread", true}}, 120s);
  ASSERT_TRUE(seeded.ok()) << seeded.error().message;
  ASSERT_TRUE(wait_for("beta", "healthy"));
  ASSERT_TRUE(drill("beta", "put-away").ok());
  const DiskState& disk = cluster.host("beta").disk().state();
  EXPECT_FALSE(disk.find(older).ok());
  EXPECT_FALSE(disk.find(std::string(older) + ".json").ok());
  expect_equal();
}

TEST_F(Drilling, OnlyAWholePassiveCopyIsDamaged) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  EXPECT_EQ(drill("beta", "rot").error().kind, ErrorKind::refused);
  write(200);
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(drill("alpha", "rot").error().message, "orders@alpha is the active copy");
  EXPECT_EQ(drill("alpha", "cut").error().kind, ErrorKind::refused);
  EXPECT_EQ(drill("beta", "rust").error().message, "no step of a drill is called 'rust'");
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  EXPECT_EQ(drill("beta", "rot").error().message, "orders@beta is Suspended: only a copy that is whole is damaged on purpose");
  EXPECT_EQ(cluster.events_of("page_rotted").size(), 0u);
  cluster.request_resume("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

class Parted : public Drilling {
 protected:
  Result<json> part(const std::string& node, const std::string& peer, double seconds) {
    return answer_of(node, {{"command", "drill"}, {"step", "part"}, {"peer", peer}, {"seconds", seconds}});
  }
};

TEST_F(Parted, NodesFindEachOtherAgainByThemselvesAndOnlyTheBacklogComes) {
  seed();
  const std::size_t passes_before = passes();
  for (const auto& [node, peer] : {std::pair("beta", "alpha"), std::pair("alpha", "beta")}) {
    ASSERT_TRUE(drain());
    ASSERT_TRUE(part(node, peer, 5).ok());
    ASSERT_TRUE(wait_for("beta", "disconnected", 2s));
    world.run_for(3s);
    write(100);
    EXPECT_EQ(cluster.state("beta"), "disconnected") << "commits go on without it";
    EXPECT_EQ(row_of("alpha", "beta")["state"], "disconnected");
    ASSERT_TRUE(wait_for("beta", "healthy", 8s));
    EXPECT_EQ(passes(), passes_before) << "log is all that was missing";
  }
  EXPECT_EQ(cluster.events_of("outage_begun").size(), 2u);
  EXPECT_EQ(cluster.events_of("outage_ended").size(), 2u) << cluster.story();
  expect_equal();
}

TEST_F(Parted, WhoIsAskedSaysThatItIsADrillAndWhenItEnds) {
  seed();
  ASSERT_TRUE(part("beta", "alpha", 30).ok());
  ASSERT_TRUE(wait_for("beta", "disconnected", 2s));
  world.run_for(5s);
  const std::string cause = status()["cause"];
  EXPECT_TRUE(cause.starts_with("a drill keeps beta and alpha apart for another 2")) << cause;
}

TEST_F(Parted, AnOutageEndsBeforeItsTimeWhenItIsAskedTo) {
  seed();
  ASSERT_TRUE(part("beta", "alpha", 600).ok());
  ASSERT_TRUE(wait_for("beta", "disconnected", 2s));
  const Result<json> joined = answer_of("beta", {{"command", "drill"}, {"step", "join"}, {"peer", "alpha"}});
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ((*joined)["parted_before"], true);
  ASSERT_TRUE(wait_for("beta", "healthy", 6s));
}

TEST_F(Parted, OnlyAnotherNodeIsPartedAndForABoundedTime) {
  seed();
  expect_error(part("beta", "beta", 1), ErrorKind::usage);
  expect_error(part("beta", "gamma", 1), ErrorKind::usage);
  EXPECT_EQ(part("beta", "alpha", 601).error().message, "two nodes are parted for more than 0 and at most 600 s");
  EXPECT_EQ(part("beta", "alpha", 0).error().kind, ErrorKind::usage);
  world.run_for(3s);
  EXPECT_EQ(cluster.state("beta"), "healthy");
}

class Filled : public Drilling {
 protected:
  Result<json> fill(const std::string& node, const std::string& what, double seconds) {
    return answer_of(node, {{"command", "drill"}, {"step", "fill"}, {"what", what}, {"seconds", seconds}});
  }
};

TEST_F(Filled, ACopyWithoutRoomSaysWhatIsFullAndHasEverythingOnceThereIsRoom) {
  seed();
  const std::size_t passes_before = passes();
  for (const std::string what : {"log", "pages"}) {
    ASSERT_TRUE(drain());
    const Result<json> filled = fill("beta", what, 10);
    ASSERT_TRUE(filled.ok()) << filled.error().message;
    write(100);
    ASSERT_TRUE(wait_for("beta", "failed", 5s));
    const std::string cause = status()["cause"], place = (*filled)["place"];
    EXPECT_TRUE(cause.find(place) != std::string::npos && cause.find("no space left, by a drill for another") != std::string::npos) << cause;
    EXPECT_EQ(cluster.state("alpha"), "mounted") << "commits go on";
    write(100);
    ASSERT_TRUE(wait_for("beta", "healthy", 40s));
    EXPECT_EQ(passes(), passes_before) << "log is all that was missing";
  }
  expect_equal();
}

TEST_F(Filled, AnActiveNodeWithoutRoomAcknowledgesNothingAndLosesNothing) {
  seed();
  ASSERT_TRUE(drain());
  ASSERT_TRUE(fill("alpha", "log", 5).ok());
  for (int i = 0; i < 20; ++i) cluster.commit(random, some_pages(random, 3000));
  ASSERT_TRUE(wait_for("alpha", "dismounted", 5s));
  const std::string cause = row_of("alpha", "alpha")["cause"];
  EXPECT_NE(cause.find("no space left, by a drill"), std::string::npos) << cause;
  ASSERT_TRUE(wait_for("alpha", "mounted", 40s));
  ASSERT_TRUE(wait_for("beta", "healthy", 20s));
  write(100);
  expect_equal();
}

TEST_F(Filled, AnyRoomComesBackWhenItIsAskedForAndOnlyOnePlaceIsFullAtATime) {
  seed();
  ASSERT_TRUE(fill("beta", "log", 600).ok());
  expect_error(fill("beta", "pages", 5), ErrorKind::busy);
  write(50);
  ASSERT_TRUE(wait_for("beta", "failed", 5s));
  ASSERT_TRUE(answer_of("beta", {{"command", "drill"}, {"step", "empty"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy", 40s));
  EXPECT_EQ(fill("beta", "log", 601).error().kind, ErrorKind::usage);
  EXPECT_EQ(fill("beta", "memory", 5).error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace ccr::sim::engine_drill_test
