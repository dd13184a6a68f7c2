// Each disk operation of a story fails in turn, once or for ever from then on, under a whole node. Behind it the power is cut and both nodes start
// again: nothing acknowledged is missing, and the copy gets healthy and is equal page for page, by itself or where a person resumes or seeds it.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "tests/two_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t operations_max = 2'000;  // of a story; none is so long

struct Story {
  std::string name;
  std::string victim;  // whose disk fails
  std::function<void()> play;
};

class Failing : public TwoNodes {
 protected:
  static ClusterOptions small() {
    ClusterOptions options;
    options.page_size = 1 * KiB;
    return options;
  }
  Failing() : TwoNodes(small()) {}

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
    SimDisk& disk = cluster.host(story.victim).disk();
    disk.plan(plan);
    story.play();
    disk.clear_plans();
    return failures() > before;
  }

  void cut_power_and_start() {
    for (const std::string& name : cluster.names()) {
      if (cluster.host(name).alive()) cluster.host(name).kill(draw_power_cut(random));
    }
    for (const std::string& name : cluster.names()) cluster.host(name).start();
  }

  // A person resumes or seeds a copy that gave up; all else comes by itself.
  void heal() {
    ASSERT_TRUE(wait_for("alpha", "mounted"));
    const auto decided = [&] { return cluster.passive("beta") != nullptr && (is("healthy") || given_up()); };
    ASSERT_TRUE(world.run_until(decided, 120s) == Ended::reached) << cluster.state("beta") << "\n" << cluster.story();
    if (is("suspended")) {
      cluster.request_resume("beta");
    } else if (given_up()) {
      cluster.request_seed("beta");
    }
    ASSERT_TRUE(wait_for("beta", "healthy", 120s));
  }
  bool is(const char* state) { return cluster.state("beta") == state; }
  bool given_up() { return is("suspended") || is("failed") || is("failed_and_suspended") || is("needs_seed"); }

  void expect_whole() {
    ASSERT_TRUE(drain());
    for (const std::string& name : cluster.names()) cluster.host(name).stop();
    const Result<Bytes> alpha = cluster.page_file_of("alpha"), beta = cluster.page_file_of("beta");
    ASSERT_TRUE(alpha.ok() && beta.ok());
    ASSERT_TRUE(*alpha == *beta) << cluster.story();
    const Result<void> whole = cluster.check_content(*alpha, "alpha");
    ASSERT_TRUE(whole.ok()) << whole.error().message << "\n" << cluster.story();
    EXPECT_TRUE(cluster.events_of("root_differs").empty()) << cluster.story();
    for (const std::string& name : cluster.names()) cluster.host(name).start();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "healthy"));
  }

  // Each operation of it, until one is not come to. tests/reached.py counts the line.
  void fail_each_operation_of(const Story& story) {
    ASSERT_NO_FATAL_FAILURE(seed());
    for (const std::uint64_t times : {std::uint64_t{1}, operations_max}) {
      std::uint64_t operation = 1;
      for (bool came = true; came; ++operation) {
        ASSERT_LT(operation, operations_max);
        SCOPED_TRACE(story.name + ": operation " + std::to_string(operation) + " failed " + std::to_string(times) + " times");
        came = play(story, operation, times);
        cut_power_and_start();
        heal();
        if (HasFatalFailure()) return;
        expect_whole();
        if (HasFailure()) return;
      }
      std::printf("failed in turn: %llu operations of %s, %s\n", static_cast<unsigned long long>(operation - 2), story.name.c_str(),
                  times == 1 ? "once" : "for ever");
    }
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

TEST_F(Failing, CommitsOfTheActiveNode) {
  fail_each_operation_of({"commits", "alpha", [this] { commit_much(); }});
}

TEST_F(Failing, TheStartOfTheActiveNode) {
  fail_each_operation_of({"the active node's start", "alpha", [this] { restart("alpha"); }});
}

TEST_F(Failing, TheStartOfACopy) {
  fail_each_operation_of({"a copy's start", "beta", [this] { restart("beta"); }});
}

TEST_F(Failing, WhatACopyReceivesAndReplays) {
  fail_each_operation_of({"a copy's replay", "beta", [this] { commit_much(); }});
}

TEST_F(Failing, ASeed) {
  const auto seeded = [this] {
    engine::SeedRequest whole;
    whole.full = true;
    cluster.request_seed("beta", whole);
    world.run_for(2s);
  };
  fail_each_operation_of({"a seed", "beta", seeded});
}

TEST_F(Failing, ASuspensionAndItsEnd) {
  const auto suspended = [this] {
    cluster.request_suspend("beta");
    world.run_for(500ms);
    cluster.request_resume("beta");
    world.run_for(500ms);
  };
  fail_each_operation_of({"a suspension", "beta", suspended});
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
    ASSERT_TRUE(cluster.host("alpha").disk().take_away("/log/current.log"));
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
