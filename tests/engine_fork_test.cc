// A passive copy and an active one whose histories part: whole nodes in the simulator.
#include <gtest/gtest.h>

#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

class Fork : public AskedNodes {
 protected:
  // alpha's disk is put back to what it was; what was acknowledged in between is on beta alone.
  void put_alpha_back(const DiskState& older) {
    cluster.host("alpha").stop();
    cluster.host("alpha").disk().restore(older);
  }
  DiskState backup_of_alpha() {
    EXPECT_TRUE(drain());
    cluster.host("alpha").stop();
    DiskState older = cluster.host("alpha").disk().state();
    cluster.host("alpha").start();
    EXPECT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "healthy"));
    return older;
  }
  void expect_pages_equal() {
    ASSERT_TRUE(drain());
    cluster.host("alpha").stop();
    cluster.host("beta").stop();
    const Result<Bytes> there = cluster.page_file_of("alpha"), here = cluster.page_file_of("beta");
    ASSERT_TRUE(there.ok() && here.ok());
    EXPECT_TRUE(*there == *here) << cluster.story();
  }
};

TEST_F(Fork, GenerationsBehindItGoToQuarantineAndTheCopyIsMadeEqualByItself) {
  seed();
  write(400);
  const DiskState older = backup_of_alpha();
  write(150);
  ASSERT_TRUE(drain());
  const Generation was = cluster.active()->tip().durable.generation;
  cluster.host("beta").stop();
  put_alpha_back(older);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  write(400);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  ASSERT_GT(cluster.active()->tip().durable.generation, was);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(cluster.events_of("fork").size(), 1u) << cluster.story();
  const std::vector<std::string> aside = cluster.events_of("generations_set_aside");
  ASSERT_EQ(aside.size(), 1u) << cluster.story();
  EXPECT_NE(aside.front().find("from="), std::string::npos);
  EXPECT_EQ(passes(), 2u) << "by difference";
  world.run_for(11s);
  EXPECT_GT(row_of("beta", "beta")["quarantine"]["files"], 0);
  expect_pages_equal();
}

// What an administrator types around a restore of the active database: the copy is suspended, and resumed behind it.
TEST_F(Fork, ACopyThatWasSuspendedWhileTheActiveOneWasRestoredIsMadeEqualWhenItIsResumed) {
  seed();
  write(400);
  const DiskState older = backup_of_alpha();
  write(150);
  ASSERT_TRUE(drain());
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"on", "beta"}, {"comment", "restore"}}).ok());
  ASSERT_TRUE(wait_for("beta", "suspended"));
  put_alpha_back(older);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted")) << cluster.story();
  write(30);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  world.run_for(2s);
  EXPECT_EQ(cluster.state("beta"), "suspended") << cluster.story();
  const json row = row_of("beta", "beta");
  EXPECT_NE(row["cause"].get<std::string>().find("orders@alpha went back"), std::string::npos) << row;
  EXPECT_NE(row["hint"].get<std::string>().find("ccr resume orders@beta"), std::string::npos) << row;
  EXPECT_EQ(cluster.state("alpha"), "mounted") << "a copy that rests ends nothing";
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}, {"on", "beta"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy")) << cluster.story();
  EXPECT_EQ(cluster.events_of("generations_set_aside").size(), 1u) << cluster.story();
  EXPECT_EQ(passes(), 2u) << "by difference";
  expect_pages_equal();
}

// At rest, in the middle of writing, behind a crash that abandoned a record of which the copy has blocks: an active node that goes on did not go back.
TEST_F(Fork, ASuspensionAloneTakesNothingOfTheLogAway) {
  seed();
  for (int turn = 0; turn < 16; ++turn) {
    write(30 * (turn % 3));
    ASSERT_TRUE(drain()) << cluster.story();
    const bool dies = turn % 2 == 1;
    if (dies) {
      for (int i = 0; i < 20; ++i) static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
      world.run_for(std::chrono::milliseconds(3 * turn));
      cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
    }
    ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"on", "beta"}}).ok());
    if (dies) cluster.host("alpha").start();
    ASSERT_TRUE(wait_for("alpha", "mounted")) << cluster.story();
    world.run_for(std::chrono::milliseconds(900 * (turn % 4)));
    EXPECT_EQ(row_of("beta", "beta")["cause"].get<std::string>().find("went back"), std::string::npos) << cluster.story();
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}, {"on", "beta"}}).ok());
    ASSERT_TRUE(drain()) << cluster.story();
  }
  EXPECT_TRUE(cluster.events_of("difference_needed").empty()) << cluster.story();
  expect_pages_equal();
}

class WentBack : public Fork {
 protected:
  // What was acknowledged is on beta alone, and alpha's disk does not know of it.
  void go_back() {
    seed();
    write(400);
    const DiskState older = backup_of_alpha();
    write(100);  // less than what a passive copy keeps of its log
    ASSERT_TRUE(drain());
    put_alpha_back(older);
    cluster.host("alpha").start();
    ASSERT_TRUE(wait_for("alpha", "dismounted"));
    world.run_for(5s);
  }
};

TEST_F(WentBack, APageStoreServesNoMoreUntilAPersonDecides) {
  go_back();
  EXPECT_EQ(cluster.state("alpha"), "dismounted") << cluster.story();
  EXPECT_EQ(cluster.state("beta"), "disconnected");
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("an older one"), std::string::npos);
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty());
  cluster.host("alpha").stop();
  cluster.host("alpha").start();
  world.run_for(5s);
  EXPECT_EQ(cluster.state("alpha"), "dismounted") << "also after a restart\n" << cluster.story();
  EXPECT_EQ(passes(), 1u);
}

// alpha served before it could hear that beta has more.
TEST_F(WentBack, ACopyThatWasAwayMeanwhileGivesNothingUp) {
  seed();
  write(400);
  const DiskState older = backup_of_alpha();
  write(100);
  ASSERT_TRUE(drain());
  cluster.host("beta").stop();
  put_alpha_back(older);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  cluster.host("beta").start();
  world.run_for(20s);
  EXPECT_EQ(cluster.state("beta"), "disconnected") << cluster.story();
  EXPECT_EQ(cluster.state("alpha"), "dismounted");
  EXPECT_TRUE(cluster.events_of("fork").empty()) << cluster.story();
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
  EXPECT_EQ(passes(), 1u) << cluster.story();
}

TEST_F(WentBack, TheCopyThatHasItIsActivatedAndNothingIsLost) {
  go_back();
  const Result<json> taken = answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "lossless"}});
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  EXPECT_EQ((*taken)["missing"]["generations"], 0);
  ASSERT_TRUE(wait_for("alpha", "healthy"));
  write(50);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0 && cluster.passive("alpha")->idle(); }, 60s) == Ended::reached);
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty());
  EXPECT_EQ(passes(), 1u) << cluster.story();
  cluster.host("alpha").stop();
  const Result<Bytes> content = cluster.page_file_of("alpha");
  ASSERT_TRUE(content.ok());
  const Result<void> whole = cluster.check_content(*content, "alpha");
  EXPECT_TRUE(whole.ok()) << whole.error().message;
}

TEST_F(WentBack, OrTheOlderOneGoesOnByForceAndTheOtherKeepsItsLogAside) {
  go_back();
  expect_error(answer_of("alpha", {{"command", "activate"}, {"on", "alpha"}, {"dial", "best"}}), ErrorKind::refused);
  const Result<json> taken = answer_of("alpha", {{"command", "activate"}, {"on", "alpha"}, {"dial", "force"}});
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "healthy"));
  EXPECT_EQ(cluster.events_of("generations_set_aside").size(), 1u) << cluster.story();
  write(50);
  expect_pages_equal();
}

}  // namespace
}  // namespace ccr::sim
