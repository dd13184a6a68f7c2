// When a page store's commit is answered: whole nodes in the simulator, and the rule alone.
#include <gtest/gtest.h>

#include "engine/commit_gate.h"
#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using engine::CommitMode;

class AnsweredCommits : public AskedNodes {
 protected:
  static ClusterOptions of(CommitMode mode, Duration fallback = Duration::zero()) {
    ClusterOptions options;
    options.commit = mode;
    options.commit_fallback = fallback;
    return options;
  }
  explicit AnsweredCommits(ClusterOptions options = of(CommitMode::durable)) : AskedNodes(std::move(options)) {}

  void cut() {
    cluster.network().block(cluster.host("alpha").host(), cluster.host("beta").host());
    cluster.network().block(cluster.host("beta").host(), cluster.host("alpha").host());
  }
  void heal() { cluster.network().heal_all(); }
  bool all_answered(Duration limit) {
    return world.run_until([&] { return cluster.pending() == 0; }, limit) == Ended::reached;
  }
};

TEST_F(AnsweredCommits, ACopyThatIsOnlyBeingMadeIsNoSecondPlace) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
  ASSERT_TRUE(cluster.commit(random, {1, 2}));
  world.run_for(10s);
  EXPECT_EQ(cluster.acknowledged(), 0u);
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("commits wait"), std::string::npos);
  EXPECT_GT(row_of("alpha", "alpha")["commits"]["waiting_seconds"], 5.0);
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_TRUE(all_answered(5s)) << cluster.story();
  world.run_for(2s);
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
}

TEST_F(AnsweredCommits, WithoutTheOtherNodeTheyWaitAndAreNotLost) {
  seed();
  ASSERT_TRUE(all_answered(10s));
  cut();
  const std::uint64_t before = cluster.acknowledged();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(cluster.commit(random, some_pages(random, 3000)));
  world.run_for(60s);
  EXPECT_EQ(cluster.acknowledged(), before);
  heal();
  EXPECT_TRUE(all_answered(20s)) << cluster.story();
  expect_equal();
}

// The machine of the active copy is lost with its disk, at any moment: whatever was answered is on the other one.
TEST(DurableCommits, SurviveTheLossOfTheActiveMachine) {
  std::uint64_t answered = 0;
  for (int moment = 0; moment < 12; ++moment) {
    class Story : public AnsweredCommits {
     public:
      void TestBody() override {}
      std::uint64_t play(int at) {
        seed();
        for (int i = 0; i < 40 + at * 7; ++i) {
          static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
          world.run_for(std::chrono::microseconds(700 + 130 * at));
        }
        const std::uint64_t acknowledged = cluster.acknowledged();
        cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
        cluster.host("alpha").disk().restore(DiskState{});
        world.run_for(3s);
        const Result<json> taken = answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
        EXPECT_TRUE(taken.ok()) << cluster.story();
        EXPECT_TRUE(world.run_until([&] { return cluster.active("beta") && cluster.active("beta")->replayed() == cluster.active("beta")->tip().durable; }, 60s) == Ended::reached);
        cluster.host("beta").stop();
        const Result<Bytes> content = cluster.page_file_of("beta");
        EXPECT_TRUE(content.ok());
        const Result<void> whole = content.ok() ? cluster.check_content(*content, "beta") : Result<void>();
        EXPECT_TRUE(whole.ok()) << whole.error().message << "\n" << cluster.story();
        return acknowledged;
      }
    } story;
    answered += story.play(moment);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "moment " << moment;
      return;
    }
  }
  EXPECT_GT(answered, 2000u);
}

class FallingBack : public AnsweredCommits {
 protected:
  FallingBack() : AnsweredCommits(of(CommitMode::received, 5s)) {}
};

TEST_F(FallingBack, AfterItsTimeCommitsAreAnsweredAloneAndSaysSo) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  write(50);
  ASSERT_TRUE(all_answered(10s));
  ASSERT_TRUE(cluster.events_of("commit_fallback").empty()) << cluster.story();
  cut();
  ASSERT_TRUE(cluster.commit(random, {7}));
  world.run_for(3s);
  EXPECT_EQ(cluster.pending(), 1u);
  EXPECT_TRUE(all_answered(10s));
  EXPECT_EQ(cluster.events_of("commit_fallback").size(), 1u) << cluster.story();
  ASSERT_TRUE(cluster.commit(random, {8}));
  EXPECT_TRUE(all_answered(1s)) << "no second wait";
  world.run_for(2s);
  EXPECT_TRUE(row_of("alpha", "alpha")["commits"]["fallen_back"]);
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("answered as async"), std::string::npos);
  heal();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  world.run_for(3s);
  EXPECT_EQ(cluster.events_of("commit_mode_restored").size(), 1u) << cluster.story();
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
}

TEST(SafeElsewhere, CountsWholeConnectedCopiesAsTheModeSays) {
  World world{1};
  const ClockState told;
  SimClock clock(world, told);
  engine::CopyTable copies(clock, {"beta", "gamma"});
  const Position end{{9}, 8192};
  const auto set = [&](const char* node, bool connected, Position received, Position durable, bool whole) {
    engine::CopyFacts& copy = copies.of(node);
    copy.connected = connected;
    copy.heard = true;
    copy.watermarks.received = received;
    copy.watermarks.durable = copy.watermarks.inspected = durable;
    copy.watermarks.state = "healthy";
    copy.watermarks.root_equal_at = whole ? Position{{1}, 4096} : Position{};
  };
  EXPECT_FALSE(safe_elsewhere(CommitMode::durable, copies, end).known());
  set("beta", true, {{5}, 8192}, {{5}, 4096}, true);
  EXPECT_EQ(safe_elsewhere(CommitMode::received, copies, end), (Position{{5}, 8192}));
  EXPECT_EQ(safe_elsewhere(CommitMode::durable, copies, end), (Position{{5}, 4096}));
  set("gamma", true, {{9}, 8192}, {{9}, 4096}, false);
  EXPECT_EQ(safe_elsewhere(CommitMode::durable, copies, end), (Position{{5}, 4096})) << "gamma was never proven";
  set("gamma", false, {{9}, 8192}, {{9}, 4096}, true);
  EXPECT_EQ(safe_elsewhere(CommitMode::durable, copies, end), (Position{{5}, 4096})) << "nobody hears of gamma";
  set("gamma", true, {{9}, 8192}, {{9}, 4096}, true);
  EXPECT_EQ(safe_elsewhere(CommitMode::durable, copies, end), (Position{{9}, 4096})) << "one is enough";
  copies.of("gamma").watermarks.state = "failed_and_suspended";
  EXPECT_EQ(safe_elsewhere(CommitMode::durable, copies, end), (Position{{5}, 4096})) << "gamma does not follow";
  set("gamma", true, {{10}, 8192}, {{10}, 4096}, true);
  EXPECT_EQ(safe_elsewhere(CommitMode::durable, copies, end), (Position{{5}, 4096})) << "gamma has another log";
}

}  // namespace
}  // namespace ccr::sim
