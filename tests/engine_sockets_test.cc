// Each network operation of a story fails in turn, once or for ever until it is over, under a whole node: a connect is refused or not answered, a listen or an
// accept finds no descriptor, what is read or written meets a reset. Behind it the nodes go on as they are: nothing acknowledged is missing, and the copy gets
// healthy and is equal page for page, by itself or where a person resumes or seeds it.
#include <gtest/gtest.h>

#include <string>

#include "tests/failing_operations.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

class FailingConnections : public FailingOperations {
 public:
  Story of_commits(const std::string& name, const std::string& at) {
    return {name, [at] { return at; }, [this] { commit_much(few_pages); }, false, true};
  }
  Story of_a_start(const std::string& name, const std::string& of) {
    return {name, [of] { return of; }, [this, of] { restart(of); }, false, true};
  }
  Story of_a_seed(const std::string& name, const std::string& at) {
    return {name, [at] { return at; }, [this] { seed_whole(); }};
  }
  Story of_a_suspension(const std::string& name, const std::string& at) {
    return {name, [at] { return at; }, [this] { suspend_and_resume(); }};
  }
  // A page of beta's rots, and comes back from alpha.
  Story of_a_repair(const std::string& name, const std::string& at) {
    return {name, [at] { return at; }, [this] { verify_and_repair(); }, false, true, [this] { let_a_page_rot(); }};
  }
  // Each node has a role in turn, as in a move; the one before has log that the other lacks, and is asked for it.
  Story of_a_fetch(const std::string& name, bool at_the_giver) {
    const auto victim = [this, at_the_giver] { return at_the_giver ? cluster.active_node() : passive_node(); };
    return {name, victim, [this] { activate_and_fetch(); }, true, false, [this] { part_and_write(); }};
  }

 protected:
  const char* kind() const override { return "network"; }
  void fail(const std::string& node, std::uint64_t skip, std::uint64_t times) override {
    NetworkPlan plan;
    plan.skip = skip;
    plan.times = times;
    once_ = times == 1;
    cluster.network().plan(cluster.host(node).host(), plan);
  }
  void fail_no_more() override {
    for (const std::string& name : cluster.names()) cluster.network().clear_plans(cluster.host(name).host());
  }
  std::uint64_t failures() const override { return world.fired(Fault::network_error); }
  // A daemon that cannot listen ends, and is started again.
  void come_back() override {
    for (const std::string& name : cluster.names()) {
      if (!cluster.host(name).alive()) cluster.host(name).start();
    }
  }

 private:
  static constexpr PageNumber rotten = 42;

  void let_a_page_rot() {
    ASSERT_TRUE(cluster.commit(random, {rotten}));
    ASSERT_TRUE(drain());
    world.run_for(1s);
    ASSERT_TRUE(cluster.host("beta").disk().rot("/data/orders.pages", (rotten - 1) * cluster.page_size() + 100));
  }
  void verify_and_repair() {
    const std::shared_ptr<Asked> asked = ask("beta", {{"command", "verify"}});
    answered(asked, 8s);
    fail_no_more();  // for ever is until here
    ASSERT_TRUE(answered(asked, 200s)) << "no answer\n" << cluster.story();
    const Result<json>& first = *asked->answer;
    if (first.ok() && (*first)["repaired_pages"] == json({rotten})) return;
    EXPECT_TRUE(first.ok() || !first.error().message.empty());
    heal();  // where alpha could not be asked, the page is known as rotten, and the copy failed
    if (HasFatalFailure()) return;
    const Result<json> again = answer_of("beta", {{"command", "verify"}}, 200s);
    ASSERT_TRUE(again.ok()) << again.error().message << cluster.story();
    EXPECT_TRUE((*again)["equal"] == true || (*again)["repaired_pages"] == json({rotten})) << again->dump();  // the first one may have done it
  }

  void part_and_write() {
    const HostId one = cluster.host("alpha").host(), other_one = cluster.host("beta").host();
    cluster.network().partition(one, other_one);
    mark_ = cluster.mark();
    write(30, few_pages);
    world.run_for(8s);
    ASSERT_EQ(cluster.pending(), 0u);
    cluster.network().heal_all();
  }
  // What the answer says to be missing, nobody has who serves; all else is there. One operation that fails costs nothing.
  void activate_and_fetch() {
    const std::string to = passive_node();
    const std::shared_ptr<Asked> asked = ask(to, {{"command", "activate"}, {"on", to}, {"dial", "force"}});
    const auto over = [&] { return asked->answer.has_value(); };
    static_cast<void>(world.run_until(over, 20s));
    fail_no_more();  // for ever is until here
    ASSERT_TRUE(world.run_until(over, 200s) == Ended::reached) << "no answer\n" << cluster.story();
    const Result<json>& answer = *asked->answer;
    ASSERT_TRUE(answer.ok()) << answer.error().message << cluster.story();
    const json& missing = (*answer)["missing"];
    const bool lost = missing["known"] == false || missing["generations"] != 0;
    EXPECT_FALSE(lost && once_) << answer->dump() << cluster.story();
    if (lost) cluster.give_up_since(mark_);
    if ((*answer)["forced"] == true) {
      ASSERT_TRUE(world.run_until([&] { return !mounted(other(to)); }, 60s) == Ended::reached) << standings();
      forgive_both_served();
    }
  }

  bool once_ = false;
  std::size_t mark_ = 0;
};

void fail_each_network_operation(const std::function<Story(FailingConnections&)>& of) { fail_each_operation_in_worlds<FailingConnections>(of); }

TEST(FailingNetwork, CommitsAtTheActiveNode) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_commits("commits", "alpha"); });
}

TEST(FailingNetwork, CommitsAtTheCopy) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_commits("a copy's receipt", "beta"); });
}

TEST(FailingNetwork, TheStartOfTheActiveNode) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_start("the active node's start", "alpha"); });
}

TEST(FailingNetwork, TheStartOfACopy) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_start("a copy's start", "beta"); });
}

TEST(FailingNetwork, ASeedAtItsSource) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_seed("a seed, at its source", "alpha"); });
}

TEST(FailingNetwork, ASeedAtTheCopy) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_seed("a seed", "beta"); });
}

TEST(FailingNetwork, ASuspensionAtTheActiveNode) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_suspension("a suspension, at the active node", "alpha"); });
}

TEST(FailingNetwork, ASuspensionAtTheCopy) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_suspension("a suspension", "beta"); });
}

TEST(FailingNetwork, ARepairAtTheNodeThatHasThePage) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_repair("a repair, at the node that has the page", "alpha"); });
}

TEST(FailingNetwork, ARepairAtTheCopyWhosePageRotted) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_repair("a repair", "beta"); });
}

TEST(FailingNetwork, AFetchOfLogAtTheNodeThatHasIt) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_fetch("a fetch of log, at the node that has it", true); });
}

TEST(FailingNetwork, AFetchOfLogAtTheNodeThatIsActivated) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.of_a_fetch("a fetch of log", false); });
}

TEST(FailingNetwork, AMoveAtTheNodeThatGivesUp) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.move_of(true); });
}

TEST(FailingNetwork, AMoveAtTheNodeThatTakesOver) {
  fail_each_network_operation([](FailingConnections& nodes) { return nodes.move_of(false); });
}

}  // namespace
}  // namespace ccr::sim
