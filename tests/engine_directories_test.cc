// Directories that are not what they were, and two nodes that are active: under commands, seeds, truncations, handovers; whole nodes in the simulator.
#include <gtest/gtest.h>

#include "storage/generation_file.h"
#include "tests/faulted_nodes.h"

namespace ccr::sim {
namespace directories {

using namespace std::chrono_literals;

class Directories : public FaultedNodes {
 protected:
  using FaultedNodes::FaultedNodes;

  SimDisk& disk_of(const std::string& node) { return cluster.host(node).disk(); }
  void lose(const std::string& node, const std::vector<std::string>& paths) {
    cluster.host(node).stop();
    DiskState without = disk_of(node).state();
    for (const std::string& path : paths) ASSERT_TRUE(without.remove(path).ok()) << path;
    disk_of(node).restore(std::move(without));
    cluster.host(node).start();
    world.run_for(5s);
  }
  bool answered_all() { return world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached; }
  // Every command has an answer, and one that says no says what helps.
  void expect_answers(const std::string& node) {
    for (const char* command : {"status", "suspend", "resume", "verify", "scrub", "backup", "move", "activate"}) {
      json line{{"command", command}};
      if (std::string(command) == "backup") line["to"] = "/backup-" + std::to_string(world.now().nanoseconds);
      if (std::string(command) == "move") line["to"] = other(node);
      if (std::string(command) == "activate") line["on"] = node, line["dial"] = "lossless", line["dry_run"] = true;
      const Result<json> answer = answer_of(node, line, 120s);
      if (answer.ok()) continue;
      EXPECT_NE(name_of(answer.error().kind), std::string("timeout")) << command << ": " << answer.error().message;
      EXPECT_NE(answer.error().message, "") << command;
    }
  }
};

TEST_F(Directories, CommandsOfACopyWhoseFilesAreMissingAreAnswered) {
  seed();
  ASSERT_TRUE(settled());
  world.run_for(2s);  // the seed is over on disk, too
  lose("beta", {"/data/orders.pages"});
  write(5);
  world.run_for(2s);
  EXPECT_EQ(cluster.state("beta"), "failed") << standings();
  expect_answers("beta");
  EXPECT_TRUE(cluster.events_of("log_set_aside").empty()) << "nobody asked for a seed\n" << standings();
  heal();
  EXPECT_FALSE(cluster.events_of("log_set_aside").empty()) << "it begins anew\n" << standings();
  ASSERT_FALSE(HasFatalFailure());
  lose("beta", {"/state/orders/state.0", "/state/orders/state.1"});
  expect_answers("beta");
  EXPECT_EQ(cluster.state("alpha"), "mounted");
  write(20);
  EXPECT_TRUE(answered_all());
}

TEST_F(Directories, CommandsOfAnActiveNodeWhosePageFileIsMissingAreAnswered) {
  seed();
  ASSERT_TRUE(settled());
  lose("alpha", {"/data/orders.pages"});
  EXPECT_EQ(cluster.state("alpha"), "dismounted");
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>(), "");
  expect_answers("alpha");
  EXPECT_EQ(cluster.active("beta"), nullptr);
}

TEST_F(Directories, NobodyActivatesACopyOnAnEmptyMount) {
  seed();
  ASSERT_TRUE(settled());
  cluster.host("beta").stop();
  disk_of("beta").restore(DiskState());
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  expect_error(move("alpha", "beta"), ErrorKind::refused);
  for (const char* dial : {"lossless", "good", "best", "force"}) expect_error(activate("beta", dial), ErrorKind::refused);
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  world.run_for(10s);
  expect_error(activate("beta", "force"), ErrorKind::refused);
  EXPECT_EQ(cluster.active("beta"), nullptr);
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha"));
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_moves();
  expect_all_there();
}

// --- a backup is restored ----------------------------------------------------------------------------------------------------

class SlowDirectories : public Directories {
 protected:
  static ClusterOptions slow() {
    ClusterOptions options = small();
    options.network.bytes_per_second = 500'000;
    return options;
  }
  SlowDirectories() : Directories(slow()) {}

  void begin_a_seed() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
    write(200);
    cluster.request_seed("beta");
    ASSERT_TRUE(world.run_until([&] { return passes() > 0; }, 60s) == Ended::reached);
    world.run_for(300ms);
    ASSERT_TRUE(is("beta", "seeding")) << standings();
  }
};

TEST_F(SlowDirectories, AHalfSeededDiskThatIsPutBackToAnOlderHalfIsSeededOn) {
  begin_a_seed();
  cluster.host("beta").stop();
  const DiskState older = disk_of("beta").state();
  cluster.host("beta").start();
  world.run_for(1500ms);
  write(50);
  cluster.host("beta").stop();
  disk_of("beta").restore(older);
  cluster.host("beta").start();
  heal();
  ASSERT_FALSE(HasFatalFailure());
  expect_moves();
  expect_all_there();
}

TEST_F(SlowDirectories, ASeedWhoseSourceWasPutBackDoesNotMixTwoHistories) {
  begin_a_seed();
  cluster.host("alpha").stop();
  const DiskState older = disk_of("alpha").state();
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha"));
  const std::size_t mark = cluster.mark();
  write(100);
  ASSERT_TRUE(answered_all());
  cluster.host("alpha").stop();
  disk_of("alpha").restore(older);
  cluster.give_up_since(mark);  // nobody else has it
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha")) << "no whole copy knows better";
  write(100);
  heal();
  ASSERT_FALSE(HasFatalFailure());
  expect_moves();
  expect_all_there();
}

// Its log ends before what the active node has still: a gap, and no history to go on with.
TEST_F(Directories, ACopyThatWasPutBackBehindATruncationIsMadeEqualByDifference) {
  seed();
  ASSERT_TRUE(settled());
  cluster.host("beta").stop();
  const DiskState older = disk_of("beta").state();
  const Generation open = cluster.active()->tip().durable.generation;
  cluster.host("beta").start();
  write(400);
  ASSERT_TRUE(settled());
  const auto truncated = [&] { return cluster.active()->log_keeper().first() > open; };
  ASSERT_TRUE(world.run_until(truncated, 60s) == Ended::reached);
  cluster.host("beta").stop();
  disk_of("beta").restore(older);
  cluster.host("beta").start();
  world.run_for(5s);
  heal();
  ASSERT_FALSE(HasFatalFailure());
  expect_moves();
  expect_all_there();
}

// An active node whose disk went back serves nothing, and truncates nothing of the log that its copy has and it has not.
TEST_F(Directories, AnActiveNodeThatWasPutBackTruncatesNothingOfItsCopy) {
  seed();
  ASSERT_TRUE(settled());
  cluster.host("alpha").stop();
  const DiskState older = disk_of("alpha").state();
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha"));
  write(300);
  ASSERT_TRUE(settled());
  const Position end = cluster.active()->tip().durable;
  cluster.host("alpha").stop();
  disk_of("alpha").restore(older);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "dismounted"));
  world.run_for(30s);
  EXPECT_EQ(cluster.passive("beta")->watermarks().inspected, end);
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  heal();
  ASSERT_FALSE(HasFatalFailure());
  expect_moves();
  expect_all_there();
}

// --- two that are active ------------------------------------------------------------------------------------------------------

class TwoActive : public Directories {
 protected:
  static ClusterOptions three() {
    ClusterOptions options;
    options.nodes = {"alpha", "beta", "gamma"};
    options.network.bytes_per_second = 500'000;
    return options;
  }
  TwoActive() : Directories(three()) {}

  void part(const std::string& one, const std::string& two) {
    const HostId a = cluster.host(one).host(), b = cluster.host(two).host();
    cluster.network().block(a, b);
    cluster.network().block(b, a);
  }
  std::string all_standings() { return "gamma " + cluster.state("gamma") + ", " + standings(); }
};

// gamma is seeded from alpha when beta is activated without alpha. What it becomes is a copy of one history: of the higher epoch.
TEST_F(TwoActive, ASeedUnderTwoActiveNodesEndsAsACopyOfTheHigherEpoch) {
  seed();
  write(100);
  ASSERT_TRUE(drain());
  cluster.request_seed("gamma");
  ASSERT_TRUE(world.run_until([&] { return is("gamma", "seeding") && passes() > 1; }, 60s) == Ended::reached) << all_standings();
  part("alpha", "beta");
  part("gamma", "beta");  // what alpha alone acknowledged cannot come from there either
  world.run_for(100ms);
  const std::size_t mark = cluster.mark();
  write(30);
  ASSERT_TRUE(answered_all());
  world.run_for(8s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  cluster.give_up_since(mark);  // of alpha alone
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(cluster.commit_at("beta", random, some_pages(random, 3000)));
  world.run_for(2s);
  cluster.network().heal_all();
  const auto decided = [&] { return is("gamma", "healthy") || given_up("gamma"); };
  world.run_for(10s);
  ASSERT_TRUE(world.run_until(decided, 120s) == Ended::reached) << all_standings();
  if (!is("gamma", "healthy")) cluster.request_seed("gamma");
  ASSERT_TRUE(wait_for("gamma", "healthy", 120s)) << all_standings();
  if (given_up("alpha")) cluster.request_resume("alpha");
  ASSERT_TRUE(wait_for("alpha", "healthy", 120s));
  EXPECT_EQ(cluster.active_node(), "beta");
  expect_whole();
}

// Neither truncates what the other may want to compare or keep: what the loser alone had is set aside whole.
TEST_F(TwoActive, TruncationLosesNothingThatOneOfTwoActiveNodesAloneHas) {
  seed();
  ASSERT_TRUE(drain());
  part("alpha", "beta");
  part("alpha", "gamma");
  const std::size_t mark = cluster.mark();
  const Generation from = cluster.active()->tip().durable.generation;
  write(300);
  ASSERT_TRUE(answered_all());
  const Generation until = cluster.active("alpha")->tip().durable.generation;
  world.run_for(8s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  cluster.give_up_since(mark);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(cluster.commit_at("beta", random, some_pages(random, 3000)));
    world.run_for(2ms);
  }
  world.run_for(30s);
  EXPECT_LE(cluster.active("alpha")->log_keeper().first(), from);
  EXPECT_LE(cluster.active("beta")->log_keeper().first(), from);
  cluster.network().heal_all();
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
  ASSERT_TRUE(answer_of("alpha", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("alpha", "healthy", 120s)) << all_standings();
  world.run_for(11s);
  EXPECT_GE(row_of("alpha", "alpha")["quarantine"]["files"], until.number - from.number) << cluster.story() << row_of("alpha", "alpha").dump();
  cluster.host("gamma").stop();
  EXPECT_TRUE(world.run_until([&] { return applied(); }, 60s) == Ended::reached);
}

// Two that were forced in one epoch: neither is believed, both say so, and a person decides.
TEST_F(TwoActive, StatusSaysThatTwoWereActivatedInOneEpochAndWhoDecides) {
  seed();
  cluster.request_seed("gamma");
  ASSERT_TRUE(wait_for("gamma", "healthy", 120s));
  write(30);
  ASSERT_TRUE(answered_all());
  world.run_for(3s);
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  part("beta", "gamma");
  world.run_for(8s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  ASSERT_TRUE(activate("gamma", "force").ok()) << cluster.story();
  cluster.network().heal_all();
  const auto stopped = [&] { return !cluster.events_of("role_conflict").empty(); };
  ASSERT_TRUE(world.run_until(stopped, 60s) == Ended::reached) << all_standings();
  world.run_for(40s);
  for (const char* node : {"beta", "gamma"}) {
    const json row = row_of(node, node);
    EXPECT_EQ(row["state"], "dismounted") << row.dump();
    EXPECT_NE(row["cause"].get<std::string>().find("were activated by force in epoch"), std::string::npos) << row.dump();
    EXPECT_NE(row["hint"].get<std::string>().find(std::string("`ccr activate orders --on ") + node + " --dial force` with what is here"), std::string::npos) << row.dump();
  }
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  ASSERT_TRUE(serves("beta"));
  world.run_for(10s);
  EXPECT_EQ(cluster.active("gamma"), nullptr);
}

}  // namespace directories
}  // namespace ccr::sim
