// Each disk operation of a story fails in turn, once or for ever from then on, under a whole node. Behind it the power is cut and both nodes start
// again: nothing acknowledged is missing, and the copy gets healthy and is equal page for page, by itself or where a person resumes or seeds it.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "tests/faulted_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

const auto alpha = [] { return std::string("alpha"); };
const auto beta = [] { return std::string("beta"); };
constexpr std::uint64_t operations_max = 2'000;  // of a story; none is so long

struct Story {
  std::string name;
  std::function<std::string()> victim;  // whose disk fails
  std::function<void()> play;
  bool moves = false;  // the active copy: behind it that succeeds
};

class Failing : public FaultedNodes {
 protected:
  std::uint64_t failures() const {
    return world.fired(Fault::disk_read_error) + world.fired(Fault::disk_write_error) + world.fired(Fault::disk_sync_error) +
           world.fired(Fault::disk_other_error);
  }

  // Whether the story came to its Nth operation.
  bool play(const Story& story, std::uint64_t operation, std::uint64_t times) {
    const std::uint64_t before = failures();
    DiskPlan plan;
    plan.skip = operation - 1;
    plan.times = times;
    SimDisk& disk = cluster.host(story.victim()).disk();
    disk.plan(plan);
    story.play();
    disk.clear_plans();
    return failures() > before;
  }

  // `count` of its operations from `first` on, or until one is not come to; how many were.
  std::uint64_t fail_operations_of(const Story& story, std::uint64_t first, std::uint64_t count, std::uint64_t times) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t operation = first + i;
      SCOPED_TRACE(story.name + ": operation " + std::to_string(operation) + " failed " + std::to_string(times) + " times");
      const bool came = play(story, operation, times);
      if (!HasFailure()) expect_all_well(story.moves);
      if (HasFailure() || !came) return i;
    }
    return count;
  }
  void expect_all_well(bool moves) {
    cut_power_and_start();
    heal();
    if (moves && !HasFatalFailure()) expect_moves();
    if (!HasFatalFailure()) expect_all_there();
  }
  void fail_each_operation_of(const Story& story) {
    for (const std::uint64_t times : {std::uint64_t{1}, operations_max}) {
      const std::uint64_t failed = fail_operations_of(story, 1, operations_max, times);
      if (HasFailure()) return;
      tell(story, failed, times);
    }
  }
  // tests/reached.py counts the line.
  static void tell(const Story& story, std::uint64_t failed, std::uint64_t times) {
    ASSERT_LT(failed, operations_max);
    std::printf("failed in turn: %llu operations of %s, %s\n", static_cast<unsigned long long>(failed), story.name.c_str(), times == 1 ? "once" : "for ever");
  }
  // Runs of pages, more than a generation holds; then the copy's replay. Where the node serves no more, the rest is not committed.
  void commit_much() {
    constexpr int commits = 6, pages_of_each = 64;
    for (int i = 0; i < commits; ++i) {
      std::vector<PageNumber> pages(pages_of_each);
      std::iota(pages.begin(), pages.end(), static_cast<PageNumber>(random.between(1, 2900)));
      cluster.commit(random, std::move(pages));
      world.run_for(4ms);
    }
    world.run_for(300ms);
  }
  void restart(const std::string& name) {
    cluster.host(name).kill({Damage::process_only, Ordering::ordered});
    cluster.host(name).start();
    world.run_for(2s);
  }
};

class FailingMove : public Failing {
 public:
  void TestBody() override {}
  // Each node has a role in turn: it is the active node whose disk fails, or the other one.
  Story story(bool gives_up) {
    const auto victim = [this, gives_up] { return gives_up ? cluster.active_node() : passive_node(); };
    const std::string name = gives_up ? "a move, at the node that gives up" : "a move, at the node that takes over";
    return {name, victim, [this] { move_under_commits(); }, true};
  }
  std::uint64_t fail_some_of(const Story& played, std::uint64_t first, std::uint64_t count, std::uint64_t times) {
    seed_few();
    return HasFailure() ? 0 : fail_operations_of(played, first, count, times);
  }
  using Failing::tell;

 private:
  // It ends well or says why it does not.
  void move_under_commits() {
    const std::string to = passive_node();
    const std::shared_ptr<Asked> asked = ask(cluster.active_node(), {{"command", "move"}, {"to", to}});
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(cluster.commit(random, some_pages(random, few_pages)));
      world.run_for(2ms);
    }
    answered(asked, 8s);
    for (const std::string& name : cluster.names()) cluster.host(name).disk().clear_plans();  // for ever is until here
    ASSERT_TRUE(answered(asked, 200s)) << "no answer\n" << cluster.story();
    EXPECT_TRUE(asked->answer->ok() ? mounted(to) : !asked->answer->error().message.empty()) << standings();
  }
};

// In worlds of their own, some operations each: what a node remembers of its past is read at each start.
void fail_each_operation_of_a_move(bool gives_up) {
  constexpr std::uint64_t at_once = 12;
  for (const std::uint64_t times : {std::uint64_t{1}, operations_max}) {
    std::uint64_t failed = 0, more = at_once;
    Story story;
    while (more == at_once) {
      FailingMove move;
      story = move.story(gives_up);
      more = move.fail_some_of(story, failed + 1, at_once, times);
      if (testing::Test::HasFailure()) return;
      failed += more;
    }
    FailingMove::tell(story, failed, times);
  }
}

TEST_F(Failing, CommitsOfTheActiveNode) {
  seed();
  fail_each_operation_of({"commits", alpha, [this] { commit_much(); }});
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
  fail_each_operation_of({"a copy's replay", beta, [this] { commit_much(); }});
}

TEST_F(Failing, ASeed) {
  const auto seeded = [this] {
    engine::SeedRequest whole;
    whole.full = true;
    cluster.request_seed("beta", whole);
    world.run_for(2s);
  };
  seed();
  fail_each_operation_of({"a seed", beta, seeded});
}

TEST_F(Failing, ASuspensionAndItsEnd) {
  const auto suspended = [this] {
    cluster.request_suspend("beta");
    world.run_for(500ms);
    cluster.request_resume("beta");
    world.run_for(500ms);
  };
  seed();
  fail_each_operation_of({"a suspension", beta, suspended});
}

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

TEST(FailingMoves, AMoveAtTheNodeThatGivesUp) { fail_each_operation_of_a_move(true); }

TEST(FailingMoves, AMoveAtTheNodeThatTakesOver) { fail_each_operation_of_a_move(false); }

}  // namespace
}  // namespace ccr::sim
