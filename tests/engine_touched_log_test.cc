// Somebody deletes or overwrites files of a living node, of its log, its digests, its state: whole nodes in the simulator.
#include <gtest/gtest.h>

#include "storage/generation_file.h"
#include "tests/faulted_nodes.h"

namespace ccr::sim {
namespace touched_log {

using namespace std::chrono_literals;

const std::string current = "/log/current.log";

class TouchedLog : public FaultedNodes {
 protected:
  SimDisk& disk_of(const std::string& node) { return cluster.host(node).disk(); }
  std::string sealed(std::uint64_t back) { return "/log/" + storage::sealed_name({cluster.active()->tip().durable.generation.number - back}); }
  static std::string state_path(int slot) { return "/state/orders/state." + std::to_string(slot); }
  bool spoil(const std::string& node, const std::string& path, bool removed) {
    const Bytes garbage(8 * KiB, std::byte{0x5a});
    return removed ? disk_of(node).remove(path) : disk_of(node).overwrite(path, 4 * KiB, garbage);
  }
  void suspend_beta() {
    ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
    ASSERT_TRUE(wait_for("beta", "suspended"));
  }
  // Until alpha has sealed two more generations, or serves no more.
  void write_over_a_roll() {
    const Generation now = cluster.active()->tip().durable.generation;
    for (int i = 0; i < 2000; ++i) {
      if (cluster.active("alpha") == nullptr || cluster.active("alpha")->tip().durable.generation.number >= now.number + 2) break;
      static_cast<void>(cluster.commit_at("alpha", random, some_pages(random, 3000)));
      world.run_for(1ms);
    }
    world.run_for(1s);
  }
  void expect_all_well() {
    heal();
    if (!HasFatalFailure()) expect_moves();
    if (!HasFatalFailure()) expect_all_there();
  }
};

// It serves no more from the roll on at the latest, and an activation says that one generation is missing, and no more than that is.
TEST_F(TouchedLog, AnActiveNodeWhoseOpenGenerationIsRemovedEndsWithItAndItIsKnownWhatIsMissing) {
  seed();
  ASSERT_TRUE(settled());
  ASSERT_TRUE(spoil("alpha", current, true));
  const std::size_t mark = cluster.mark();
  write_over_a_roll();
  ASSERT_EQ(cluster.state("alpha"), "dismounted") << cluster.story();
  expect_error(activate("beta", "lossless"), ErrorKind::refused);
  const Result<json> taken = activate("beta", "good");
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  EXPECT_EQ((*taken)["missing"]["generations"], 1);
  cluster.give_up_since(mark);
  expect_all_well();
}

TEST_F(TouchedLog, AnActiveNodeWhoseSealedGenerationIsSpoiledShipsNoneOfItAndASeedGoesRoundIt) {
  seed();
  for (const bool removed : {true, false}) {
    suspend_beta();
    write_and_apply();
    ASSERT_TRUE(spoil("alpha", sealed(2), removed));
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
    world.run_for(20s);
    EXPECT_EQ(cluster.state("alpha"), "mounted");
    EXPECT_NE(cluster.story().find(removed ? "alpha cannot read its log: generation" : "alpha cannot read its log: /log/"), std::string::npos) << cluster.story();
    cluster.request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy")) << removed;
    write(50);
    ASSERT_TRUE(settled());
  }
  expect_all_well();
}

// A pass stands, and the log that it needs cannot come any more: it says so, and another one begins.
TEST_F(TouchedLog, ASeedWhoseLogIsGoneAtTheActiveNodeBeginsAnotherPass) {
  seed();
  const auto seeded = ask("beta", {{"command", "seed"}, {"full", true}, {"rate", 100'000}});
  const auto from = [this] { return cluster.passive("beta")->state().seed.from; };
  ASSERT_TRUE(world.run_until([&] { return from().known(); }, 30s) == Ended::reached) << cluster.story();
  const Generation first = from().generation;
  cluster.network().partition(cluster.host("alpha").host(), cluster.host("beta").host());
  for (int i = 0; i < 4; ++i) write_over_a_roll();
  cluster.host("alpha").stop();
  for (std::uint64_t behind = 0; behind < 3; ++behind) ASSERT_TRUE(disk_of("alpha").remove("/log/" + storage::sealed_name({first.number + behind})));
  cluster.network().heal_all();
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "healthy")) << cluster.story();
  EXPECT_NE(cluster.story().find("seed_interrupted orders@beta cause=the log from "), std::string::npos) << cluster.story();
  EXPECT_EQ(cluster.story().find("seed_interrupted orders@beta cause=\n"), std::string::npos) << cluster.story();
  expect_all_well();
}

TEST_F(TouchedLog, ACopyWhoseReceivedLogIsSpoiledFetchesItAgainOrFails) {
  seed();
  for (const bool removed : {true, false}) {
    write(40);
    world.run_for(200ms);
    const Generation open = cluster.active()->tip().durable.generation;
    ASSERT_TRUE(spoil("beta", storage::incoming_path("/log", open), removed)) << cluster.story();
    write(200);
    world.run_for(5s);
    heal();
    ASSERT_FALSE(HasFatalFailure()) << removed;
    write(50);
    ASSERT_TRUE(settled()) << removed;
  }
  expect_all_well();
}

TEST_F(TouchedLog, ADigestTableThatIsSpoiledIsMadeAgainOrKeepsItsCopyFromBeingBelieved) {
  seed();
  for (const char* node : {"alpha", "beta"}) {
    for (const bool removed : {true, false}) {
      ASSERT_TRUE(spoil(node, "/state/orders/digests", removed));
      write(100);
      world.run_for(2s);
      cluster.host(node).kill({Damage::process_only, Ordering::ordered});
      cluster.host(node).start();
      heal();
      ASSERT_FALSE(HasFatalFailure()) << node << removed;
      write(20);
      ASSERT_TRUE(settled());
    }
  }
  expect_all_well();
}

TEST_F(TouchedLog, TruncationOfAGenerationThatIsGoneGoesOn) {
  seed();
  suspend_beta();
  write_and_apply();
  const Generation spoiled{cluster.active()->tip().durable.generation.number - 2};
  ASSERT_TRUE(spoil("alpha", sealed(2), true));
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  write(300);
  ASSERT_TRUE(settled());
  EXPECT_TRUE(world.run_until([&] { return cluster.active()->log_keeper().first() > spoiled; }, 60s) == Ended::reached) << cluster.story();
  expect_all_well();
}

TEST_F(TouchedLog, AStateThatIsSpoiledIsSavedAgainBeforeItIsNeeded) {
  seed();
  for (const char* node : {"alpha", "beta"}) {
    for (const bool removed : {true, false}) {
      for (const int slot : {0, 1}) {
        ASSERT_TRUE(removed ? spoil(node, state_path(slot), true) : disk_of(node).overwrite(state_path(slot), 0, Bytes(64, std::byte{7})));
        write(150);
        ASSERT_TRUE(settled());
        world.run_for(12s);
      }
      cluster.host(node).kill({Damage::process_only, Ordering::ordered});
      cluster.host(node).start();
      world.run_for(3s);
      heal();
      ASSERT_FALSE(HasFatalFailure()) << node << removed;
    }
  }
  expect_all_well();
}

TEST_F(TouchedLog, AMoveOverSpoiledFilesIsRefusedOrEndsAndCommandsSayHowItIs) {
  for (const bool removed : {true, false}) {
    for (const char* node : {"alpha", "beta"}) {
      for (const std::string& path : {current, storage::incoming_path("/log", {2}), state_path(0), state_path(1)}) {
        SCOPED_TRACE(path + " at " + node + (removed ? " removed" : " overwritten"));
        class Story : public TouchedLog {
         public:
          void TestBody() override {}
          void play(const std::string& spoiled_at, const std::string& spoiled, bool is_removed) {
            seed_few();
            write(20);
            if (!spoil(spoiled_at, spoiled, is_removed)) return;
            const std::shared_ptr<Asked> asked = ask("alpha", {{"command", "move"}, {"to", "beta"}});
            ASSERT_TRUE(answered(asked, 200s)) << cluster.story();
            for (const char* told : {"alpha", "beta"}) EXPECT_TRUE(answer_of(told, {{"command", "status"}}).ok());
            if (!mounted("alpha") && !mounted("beta")) cut_power_and_start();
            world.run_for(3s);
            heal();
            write(20);
            ASSERT_TRUE(settled());
            expect_whole();
          }
        } story;
        story.play(node, path, removed);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace touched_log
}  // namespace ccr::sim
