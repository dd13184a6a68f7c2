// Each disk operation of a story fails in turn, once or for ever from then on, under a whole node. Behind it the power is cut and both nodes start
// again: nothing acknowledged is missing, and the copy gets healthy and is equal page for page, by itself or where a person resumes or seeds it.
#include <gtest/gtest.h>

#include <string>

#include "tests/failing_operations.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

const auto alpha = [] { return std::string("alpha"); };
const auto beta = [] { return std::string("beta"); };

class Failing : public FailingOperations {
 protected:
  const char* kind() const override { return "disk"; }
  void fail(const std::string& node, std::uint64_t skip, std::uint64_t times) override {
    DiskPlan plan;
    plan.skip = skip;
    plan.times = times;
    cluster.host(node).disk().plan(plan);
  }
  void fail_no_more() override {
    for (const std::string& name : cluster.names()) cluster.host(name).disk().clear_plans();
  }
  std::uint64_t failures() const override {
    return world.fired(Fault::disk_read_error) + world.fired(Fault::disk_write_error) + world.fired(Fault::disk_sync_error) +
           world.fired(Fault::disk_other_error);
  }
  void come_back() override { cut_power_and_start(); }
  static constexpr PageNumber pages = 3000;  // as seed() has them
};

TEST_F(Failing, CommitsOfTheActiveNode) {
  seed();
  fail_each_operation_of({"commits", alpha, [this] { commit_much(pages); }});
}

TEST_F(Failing, TheStartOfTheActiveNode) {
  seed();
  fail_each_operation_of({"the active node's start", alpha, [this] { restart("alpha"); }});
}

TEST_F(Failing, TheStartOfACopy) {
  seed();
  fail_each_operation_of({"a copy's start", beta, [this] { restart("beta"); }});
}

TEST_F(Failing, WhatACopyReceivesAndReplays) {
  seed();
  fail_each_operation_of({"a copy's replay", beta, [this] { commit_much(pages); }});
}

TEST_F(Failing, ASeed) {
  seed();
  fail_each_operation_of({"a seed", beta, [this] { seed_whole(); }});
}

TEST_F(Failing, ASuspensionAndItsEnd) {
  seed();
  fail_each_operation_of({"a suspension", beta, [this] { suspend_and_resume(); }});
}

void fail_each_disk_operation_of_a_move(bool gives_up) {
  fail_each_operation_in_worlds<Failing>([gives_up](Failing& nodes) { return nodes.move_of(gives_up); });
}

TEST(FailingMoves, AMoveAtTheNodeThatGivesUp) { fail_each_disk_operation_of_a_move(true); }

TEST(FailingMoves, AMoveAtTheNodeThatTakesOver) { fail_each_disk_operation_of_a_move(false); }

// Somebody removes the open generation under a living daemon. What it had alone is nowhere else, and where that is soon behind a roll its state, written before,
// knows nothing of it.
class TakenAway : public TwoNodes {
 public:
  // Behind so many commits more than it takes to roll.
  void play(int commits) {
    seed();
    ASSERT_TRUE(drain());
    cluster.host("beta").stop();
    world.run_for(10s);
    const Generation before = cluster.active()->tip().durable.generation;
    while (cluster.active()->tip().durable.generation == before) commit();
    for (int i = 0; i < commits; ++i) commit();
    ASSERT_TRUE(cluster.host("alpha").disk().remove("/log/current.log"));
    for (int i = 0; i < 5000 && cluster.state("alpha") == "mounted"; ++i) {
      static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
      world.run_for(100us);
    }
    ASSERT_TRUE(wait_for("alpha", "dismounted"));
    for (int i = 0; i < 600; ++i) {
      world.run_for(100ms);
      ASSERT_EQ(cluster.state("alpha"), "dismounted") << cluster.story();
    }
  }

 private:
  void TestBody() override {}
  void commit() {
    ASSERT_TRUE(cluster.commit(random, some_pages(random, 3000)));
    ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 10s) == Ended::reached);
  }
};

TEST(LogTakenAway, AnActiveCopyServesNoOlderOne) {
  for (int commits = 1; commits <= 12 && !testing::Test::HasFatalFailure(); ++commits) {
    TakenAway story;
    story.play(commits);
  }
}

}  // namespace
}  // namespace ccr::sim
