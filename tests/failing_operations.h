// FailingOperations are whole nodes in the simulator under stories in which each operation of one node fails in turn: the first one, then in the next play the
// second, until a play does not come so far; once, or all from then on until the story is over. What fails, a disk's operations or a network's, is the heir's.
//
// What is expected behind each play is FaultedNodes'. At no moment do both nodes serve. A wait that fails prints the story so far.
// Bounds: operations_max of a story.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/faulted_nodes.h"
#include "tests/sweep.h"

namespace ccr::sim {

struct Story {
  std::string name;
  std::function<std::string()> victim;  // whose operations fail
  std::function<void()> play;
  bool moves = false;               // the active copy: behind it that succeeds
  bool heals_alone = false;         // the copy gets healthy without a person
  std::function<void()> prepare{};  // before anything fails
};

class FailingOperations : public FaultedNodes {
 public:
  static constexpr std::uint64_t operations_max = 2'000;  // none is so long

  FailingOperations() {
    cluster.on_event = [this](const std::string&, const Event&) { both_served_ = both_served_ || (mounted("alpha") && mounted("beta")); };
  }
  ~FailingOperations() override { cluster.on_event = nullptr; }
  void TestBody() override {}

  struct Failed {
    std::uint64_t passed = 0, played = 0;  // the story's operations that were come to, or left out of the sweep
  };
  // `count` of its operations from `first` on, or until one is not come to.
  Failed fail_operations_of(const Story& story, std::uint64_t first, std::uint64_t count, std::uint64_t times) {
    Failed failed;
    for (; failed.passed < count; ++failed.passed) {
      const std::uint64_t operation = first + failed.passed;
      if (!swept(operation)) continue;
      SCOPED_TRACE(story.name + ": operation " + std::to_string(operation) + " failed " + std::to_string(times) + " times");
      const bool came = play(story, operation, times);
      if (!HasFailure()) expect_all_well(story);
      EXPECT_FALSE(both_served_) << cluster.story();
      if (HasFailure() || !came) return failed;
      ++failed.played;
    }
    return failed;
  }
  void fail_each_operation_of(const Story& story) {
    for (const std::uint64_t times : {std::uint64_t{1}, operations_max}) {
      const Failed failed = fail_operations_of(story, 1, operations_max, times);
      if (HasFailure()) return;
      tell(story, failed, times);
    }
  }
  Failed fail_some_of(const Story& story, std::uint64_t first, std::uint64_t count, std::uint64_t times) {
    seed_few();
    return HasFailure() ? Failed() : fail_operations_of(story, first, count, times);
  }
  // tests/reached.py counts the line.
  void tell(const Story& story, const Failed& failed, std::uint64_t times) const {
    ASSERT_LT(failed.passed, operations_max);
    std::printf("failed in turn: %llu %s operations of %s, %s\n", static_cast<unsigned long long>(failed.played), kind(), story.name.c_str(), times == 1 ? "once" : "for ever");
  }

  // Each node has a role in turn: its operations fail while it is the active node, or while it is the other one.
  Story move_of(bool gives_up) {
    const auto victim = [this, gives_up] { return gives_up ? cluster.active_node() : passive_node(); };
    const std::string name = gives_up ? "a move, at the node that gives up" : "a move, at the node that takes over";
    return {name, victim, [this] { move_under_commits(); }, true};
  }

 protected:
  virtual const char* kind() const = 0;  // what the operations are of
  virtual void fail(const std::string& node, std::uint64_t skip, std::uint64_t times) = 0;
  virtual void fail_no_more() = 0;  // on any node
  virtual std::uint64_t failures() const = 0;
  virtual void come_back() = 0;  // both nodes, behind the story
  // Who did not reach the other one was made the active one by force: that both served is known.
  void forgive_both_served() { both_served_ = false; }

  // Runs of pages, more than a generation holds; then the copy's replay. Where the node serves no more, the rest is not committed.
  void commit_much(PageNumber most) {
    constexpr int commits = 6, pages_of_each = 64;
    for (int i = 0; i < commits; ++i) {
      std::vector<PageNumber> pages(pages_of_each);
      std::iota(pages.begin(), pages.end(), static_cast<PageNumber>(random.between(1, most - pages_of_each)));
      cluster.commit(random, std::move(pages));
      world.run_for(std::chrono::milliseconds(4));
    }
    world.run_for(std::chrono::milliseconds(300));
  }
  void seed_whole() {
    engine::SeedRequest whole;
    whole.full = true;
    cluster.request_seed("beta", whole);
    world.run_for(std::chrono::seconds(2));
  }
  void suspend_and_resume() {
    cluster.request_suspend("beta");
    world.run_for(std::chrono::milliseconds(500));
    cluster.request_resume("beta");
    world.run_for(std::chrono::milliseconds(500));
  }
  void restart(const std::string& name) {
    cluster.host(name).kill({Damage::process_only, Ordering::ordered});
    cluster.host(name).start();
    world.run_for(std::chrono::seconds(2));
  }

 private:
  // Whether the story came to its Nth operation.
  bool play(const Story& story, std::uint64_t operation, std::uint64_t times) {
    if (story.prepare) story.prepare();
    const std::uint64_t before = failures();
    fail(story.victim(), operation - 1, times);
    story.play();
    fail_no_more();
    return failures() > before;
  }
  void expect_all_well(const Story& story) {
    const int before = helped();
    come_back();
    heal();
    EXPECT_TRUE(helped() == before || !story.heals_alone) << "a person was needed\n" << cluster.story();
    if (story.moves && !HasFatalFailure()) expect_moves();
    if (!HasFatalFailure()) expect_all_there();
  }
  // It ends well or says why it does not.
  void move_under_commits() {
    const std::string to = passive_node();
    const std::shared_ptr<Asked> asked = ask(cluster.active_node(), {{"command", "move"}, {"to", to}});
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(cluster.commit(random, some_pages(random, few_pages)));
      world.run_for(std::chrono::milliseconds(2));
    }
    answered(asked, std::chrono::seconds(8));
    fail_no_more();  // for ever is until here
    ASSERT_TRUE(answered(asked, std::chrono::seconds(200))) << "no answer\n" << cluster.story();
    EXPECT_TRUE(asked->answer->ok() ? mounted(to) : !asked->answer->error().message.empty()) << standings();
  }

  bool both_served_ = false;
};

// In worlds of their own, some operations each: what a node remembers of its past is read at each start.
template <class Nodes>
void fail_each_operation_in_worlds(const std::function<Story(Nodes&)>& story_of) {
  constexpr std::uint64_t at_once = 12;
  for (const std::uint64_t times : {std::uint64_t{1}, FailingOperations::operations_max}) {
    FailingOperations::Failed failed, more{at_once, 0};
    while (more.passed == at_once) {
      Nodes nodes;
      const Story story = story_of(nodes);
      more = nodes.fail_some_of(story, failed.passed + 1, at_once, times);
      if (testing::Test::HasFailure()) return;
      failed.passed += more.passed;
      failed.played += more.played;
      if (more.passed < at_once) nodes.tell(story, failed, times);
    }
  }
}

}  // namespace ccr::sim
