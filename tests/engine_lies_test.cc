// Disks that lie, and directories that are not what they were, under a seed, a truncation, a handover, commands and the record of who is active:
// whole nodes in the simulator.
#include <gtest/gtest.h>

#include "storage/generation_file.h"
#include "tests/faulted_nodes.h"

namespace ccr::sim {
namespace lies {

using namespace std::chrono_literals;

class Lies : public FaultedNodes {
 public:
  void TestBody() override {}

 protected:
  using FaultedNodes::FaultedNodes;

  SimDisk& disk_of(const std::string& node) { return cluster.host(node).disk(); }
  void kill(const std::string& node) { cluster.host(node).kill({Damage::process_only, Ordering::ordered}); }
  void restart(const std::string& node) {
    kill(node);
    cluster.host(node).start();
  }
  void suspend_beta() {
    ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
    ASSERT_TRUE(wait_for("beta", "suspended"));
  }
  std::string path_of(Generation generation) { return "/log/" + storage::sealed_name(generation); }
  // beta is suspended, so alpha keeps its log: one bit of a sealed generation of it.
  Generation rot_what_beta_needs() {
    suspend_beta();
    write_and_apply();
    const Generation rotten{cluster.active()->tip().durable.generation.number - 2};
    EXPECT_TRUE(disk_of("alpha").rot(path_of(rotten), 5 * 4 * KiB + 1000)) << path_of(rotten);
    return rotten;
  }
  bool given_up_on(const std::string& node) {
    const bool reached = world.run_until([&] { return is(node, "failed") || is(node, "failed_and_suspended"); }, 120s) == Ended::reached;
    EXPECT_TRUE(reached) << standings();
    return reached;
  }
  void rot_slots(const std::string& node, std::vector<int> slots) {
    for (const int slot : slots) ASSERT_TRUE(disk_of(node).rot(state_path(slot), 60)) << state_path(slot);
  }
  static std::string state_path(int slot) { return "/state/orders/state." + std::to_string(slot); }
  void expect_all_well() {
    heal();
    if (!HasFatalFailure()) expect_moves();
    if (!HasFatalFailure()) expect_all_there();
  }
  void expect_hint(const Result<json>& answer) {
    ASSERT_FALSE(answer.ok()) << answer->dump();
    EXPECT_NE(answer.error().hint, "") << answer.error().message;
  }
};

// --- disks of other nodes ----------------------------------------------------------------------------------------------------

TEST_F(Lies, NodesThatGotEachOthersDiskLeaveItAsItIs) {
  seed();
  write(50);
  ASSERT_TRUE(settled());
  const auto exchange = [&] {
    for (const std::string& name : cluster.names()) cluster.host(name).kill({Damage::process_only, Ordering::ordered});
    DiskState kept = disk_of("alpha").state();
    disk_of("alpha").restore(disk_of("beta").state());
    disk_of("beta").restore(std::move(kept));
  };
  const auto slots_of = [&](const std::string& name) {
    std::vector<Bytes> slots;
    for (const int slot : {0, 1}) slots.push_back(disk_of(name).state().cached(*disk_of(name).state().find(state_path(slot))).all());
    return slots;
  };
  const auto writes_of = [&](const std::string& name) { return disk_of(name).state().modified(*disk_of(name).state().find(state_path(0))); };
  exchange();
  const std::vector<Bytes> alpha = slots_of("alpha"), beta = slots_of("beta");
  const Mark alpha_mark = writes_of("alpha"), beta_mark = writes_of("beta");
  cluster.start_all();
  world.run_for(10s);
  for (const std::string& name : cluster.names()) {
    const json row = row_of(name, name);
    EXPECT_NE(row["cause"].get<std::string>().find("is of another owner"), std::string::npos) << row.dump();
  }
  expect_error(answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}}), ErrorKind::busy);
  exchange();
  EXPECT_EQ(slots_of("beta"), alpha);
  EXPECT_EQ(slots_of("alpha"), beta);
  EXPECT_EQ(writes_of("beta"), alpha_mark) << "not even with what was there";
  EXPECT_EQ(writes_of("alpha"), beta_mark);
  cluster.start_all();
  expect_all_well();
}

// --- rot in a sealed generation ----------------------------------------------------------------------------------------------

TEST_F(Lies, ARottenGenerationIsNotShippedASeedGoesRoundItAndItLeavesTheLogAsOthersDo) {
  seed();
  const Generation rotten = rot_what_beta_needs();
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  world.run_for(30s);
  EXPECT_NE(cluster.state("beta"), "healthy") << standings();
  EXPECT_EQ(cluster.state("alpha"), "mounted") << "commits go on";
  expect_error(move("alpha", "beta"), ErrorKind::refused);
  const json row = row_of("alpha", "beta");
  EXPECT_NE(row["cause"].get<std::string>(), "") << row.dump();
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy")) << standings();
  write(300);
  ASSERT_TRUE(settled());
  const auto truncated = [&] { return cluster.active()->log_keeper().first() > rotten; };
  EXPECT_TRUE(world.run_until(truncated, 60s) == Ended::reached) << "it holds the log";
  expect_moves();
  expect_all_there();
}

TEST_F(Lies, CommandsWorkWhileAGenerationIsRottenAndSayWhereItMatters) {
  seed();
  const Generation rotten = rot_what_beta_needs();
  EXPECT_TRUE(answer_of("alpha", {{"command", "status"}}).ok());
  EXPECT_TRUE(answer_of("alpha", {{"command", "why"}, {"generation", rotten.number}}).ok());
  EXPECT_TRUE(answer_of("alpha", {{"command", "backup"}, {"to", "/backup"}}).ok()) << "the pages are whole";
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  world.run_for(30s);
  const std::string cause = row_of("beta", "beta")["cause"].get<std::string>() + row_of("alpha", "beta")["cause"].get<std::string>();
  EXPECT_NE(cause.find("generation " + to_text(rotten)), std::string::npos) << cause << "\n" << cluster.story();
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  write(300);  // behind it the rotten one leaves the log
  ASSERT_TRUE(settled());
  world.run_for(12s);
  expect_all_there();
}

TEST_F(Lies, ACopyWhoseOldLogRottedIsNotMovedTo) {
  seed();
  write(300);
  ASSERT_TRUE(settled());
  const Generation rotten{cluster.active()->tip().durable.generation.number - 1};
  ASSERT_TRUE(disk_of("beta").rot(path_of(rotten), 5 * 4 * KiB + 1000)) << path_of(rotten);
  const Result<json> plan = answer_of("alpha", {{"command", "move"}, {"to", "beta"}, {"dry_run", true}});
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_FALSE((*plan)["allowed"]) << plan->dump();
  const Result<json> refused = move("alpha", "beta");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find(storage::sealed_name(rotten)), std::string::npos) << refused.error().message;
  EXPECT_EQ(refused.error().hint.rfind("ccr seed orders@beta", 0), 0u) << refused.error().hint;
  EXPECT_EQ(cluster.state("alpha"), "mounted");
  EXPECT_TRUE(cluster.events_of("role_changed").empty()) << cluster.story();
  cluster.request_seed("beta");
  world.run_for(1s);
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_moves();
  expect_all_there();
}

// --- rot in the state ---------------------------------------------------------------------------------------------------------

TEST_F(Lies, AnActiveNodeOfWhoseStateOneSlotRotsTruncatesNothingThatACopyNeeds) {
  seed();
  for (const int slot : {0, 1}) {
    suspend_beta();
    write(200);
    cluster.host("alpha").stop();
    rot_slots("alpha", {slot});
    cluster.host("alpha").start();
    ASSERT_TRUE(serves("alpha"));
    write(200);
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
    ASSERT_TRUE(settled());
  }
  EXPECT_EQ(passes(), 1u) << "all its log was there\n" << cluster.story();
  expect_all_there();
}

TEST_F(Lies, ASlotOfTheStateThatRotsUnderEitherNodeLeavesOneThatServesAndMoves) {
  seed();
  for (const char* node : {"alpha", "beta"}) {
    for (const int slot : {0, 1}) {
      expect_moves();  // the slots differ by who is active
      cluster.host(node).stop();
      rot_slots(node, {slot});
      cluster.host(node).start();
      world.run_for(3s);
      EXPECT_FALSE(mounted("alpha") && mounted("beta")) << standings();
      heal();
      if (HasFatalFailure()) return;
      expect_all_there();
    }
  }
}

TEST_F(Lies, ANodeWithoutAStateThatCanBeReadSaysSoAndIsNotMovedTo) {
  seed();
  ASSERT_TRUE(settled());
  cluster.host("beta").stop();
  rot_slots("beta", {0, 1});
  cluster.host("beta").start();
  world.run_for(10s);
  expect_hint(move("alpha", "beta"));
  expect_hint(activate("beta", "force"));
  for (const char* command : {"suspend", "resume", "verify"}) EXPECT_FALSE(answer_of("beta", {{"command", command}}).ok()) << command;
  const json row = row_of("beta", "beta");
  EXPECT_NE(row["cause"].get<std::string>().find("state"), std::string::npos) << row.dump();
  EXPECT_EQ(cluster.state("alpha"), "mounted");
  write(20);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
}

TEST_F(Lies, AnActiveNodeWithoutAStateThatCanBeReadServesNothing) {
  seed();
  ASSERT_TRUE(settled());
  cluster.host("alpha").stop();
  rot_slots("alpha", {0, 1});
  cluster.host("alpha").start();
  world.run_for(10s);
  EXPECT_FALSE(mounted("alpha")) << standings();
  expect_error(activate("beta", "lossless"), ErrorKind::refused);
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  write(20);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  EXPECT_FALSE(mounted("alpha"));
}

// --- writes that are lost or go astray ----------------------------------------------------------------------------------------

class Astray : public Lies {
 public:
  void plan(const std::string& node, const std::string& path, std::uint64_t skip, std::uint64_t times, DiskLie lie) {
    DiskPlan plan;
    plan.action = DiskAction::write;
    plan.path_part = path;
    plan.skip = skip;
    plan.times = times;
    plan.lie = lie;
    disk_of(node).plan(plan);
  }
  std::uint64_t lied() const { return world.fired(Fault::disk_lost_write) + world.fired(Fault::disk_misdirected_write); }

  // The Nth write of a state in a move, at one of the nodes, which then dies: the record of who is active is an older one, or none.
  bool move_over(bool at_the_giver, std::uint64_t skip, DiskLie lie) {
    seed_few();
    const std::string giver = cluster.active_node(), taker = passive_node(), victim = at_the_giver ? giver : taker;
    const std::uint64_t before = lied();
    plan(victim, "/state.", skip, 1, lie);
    const std::shared_ptr<Asked> asked = ask(giver, {{"command", "move"}, {"to", taker}});
    EXPECT_TRUE(answered(asked, 200s)) << cluster.story();
    disk_of(victim).clear_plans();
    restart(victim);
    world.run_for(3s);
    EXPECT_FALSE(mounted("alpha") && mounted("beta")) << standings();
    heal();
    if (!HasFatalFailure()) expect_moves();
    if (!HasFatalFailure()) expect_all_there();
    return lied() > before;
  }
};

void move_over_each_write(DiskLie lie) {
  constexpr std::uint64_t writes_max = 40;
  int lies = 0;
  for (const bool at_the_giver : {true, false}) {
    bool came = true;
    for (std::uint64_t skip = 0; came; ++skip) {
      ASSERT_LT(skip, writes_max);
      Astray story;
      came = story.move_over(at_the_giver, skip, lie);
      lies += came;
      ASSERT_FALSE(testing::Test::HasFailure()) << (at_the_giver ? "at who gives up, " : "at who takes over, ") << "write " << skip;
    }
  }
  EXPECT_GT(lies, 5);
}

TEST(AstrayMoves, AWriteOfTheStateThatIsLostInAMoveBringsNobodyBack) { move_over_each_write(DiskLie::lost); }

TEST(AstrayMoves, AWriteOfTheStateThatGoesAstrayInAMoveBringsNobodyBack) { move_over_each_write(DiskLie::misdirected); }

TEST_F(Astray, ASuspensionWhoseWriteIsLostOrAstrayIsShownAsItIsAndMayBeAskedForAgain) {
  seed_few();
  for (const DiskLie lie : {DiskLie::lost, DiskLie::misdirected}) {
    plan("beta", "/state.", 0, 1, lie);
    static_cast<void>(answer_of("beta", {{"command", "suspend"}}));
    disk_of("beta").clear_plans();
    restart("beta");
    const auto known = [&] { return is("beta", "suspended") || is("beta", "healthy"); };
    ASSERT_TRUE(world.run_until(known, 60s) == Ended::reached) << standings();
    EXPECT_EQ(row_of("beta", "beta")["state"], cluster.state("beta"));
    if (!is("beta", "suspended")) suspend_beta();
    restart("beta");
    ASSERT_TRUE(wait_for("beta", "suspended"));
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  expect_all_there();
}

TEST_F(Astray, ACheckpointOfReplayThatGoesAstrayIsReplayedAgain) {
  seed_few();
  for (std::uint64_t skip = 0; skip < 12; ++skip) {
    plan("beta", "/state.", skip % 4, 1, DiskLie::misdirected);
    write(30, few_pages);
    world.run_for(300ms);
    disk_of("beta").clear_plans();
    restart("beta");
    heal();
    ASSERT_FALSE(HasFatalFailure()) << skip;
  }
  EXPECT_GT(lied(), 6u);
  expect_all_there();
}

TEST_F(Astray, ASeedWhoseWritesGoAstrayIsNoCopyUntilOneIsWhole) {
  seed_few();
  for (std::uint64_t skip = 0; skip < 10; ++skip) {
    const std::uint64_t before = lied();
    plan("beta", "", skip, 1, DiskLie::misdirected);
    engine::SeedRequest whole;
    whole.full = true;
    cluster.request_seed("beta", whole);
    world.run_for(2s);
    disk_of("beta").clear_plans();
    EXPECT_GT(lied(), before) << skip;
    heal();
    ASSERT_FALSE(HasFatalFailure()) << skip;
    engine::SeedRequest reread;  // the disk, and not what the table believes
    reread.reread = true;
    const std::size_t finished = cluster.events_of("seed_finished").size();
    cluster.request_seed("beta", reread);
    ASSERT_TRUE(world.run_until([&] { return cluster.events_of("seed_finished").size() > finished; }, 60s) == Ended::reached) << standings();
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  expect_whole();
}

// What the active node saved of its pins is lost in turn: behind a restart it knows older ones, which hold more and not less.
TEST_F(Astray, PinsOfWhichAWriteIsLostTruncateNothingThatACopyNeeds) {
  seed();
  for (std::uint64_t skip = 0; skip < 4; ++skip) {
    const std::uint64_t before = lied();
    plan("alpha", "/state.", skip, 1, DiskLie::lost);
    write(300);
    ASSERT_TRUE(settled());
    world.run_for(12s);
    EXPECT_GT(lied(), before) << skip;
    suspend_beta();
    write(50);
    disk_of("alpha").clear_plans();
    restart("alpha");
    ASSERT_TRUE(serves("alpha"));
    write(50);
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
    ASSERT_TRUE(settled());
  }
  EXPECT_EQ(passes(), 1u) << "all its log was there\n" << cluster.story();
  expect_all_well();
}

}  // namespace lies
}  // namespace ccr::sim
