// A handover in whose middle a disk has no room, stalls, turns read-only, or a node dies again and again: whole nodes in the simulator.
#include <gtest/gtest.h>

#include <functional>

#include "tests/faulted_nodes.h"
#include "tests/sweep.h"

namespace ccr::sim {
namespace moments {

using namespace std::chrono_literals;

constexpr std::uint64_t ever = 1'000'000;  // operations

// A move under commits to which something happens at a moment of it. Each has a world of its own.
class Moment : public FaultedNodes {
 public:
  void TestBody() override {}
  using FaultedNodes::cluster, FaultedNodes::world;

  struct Outcome {
    bool moved = false;
    std::string error;
  };
  // `strikes` a node, and `ends` what it did, which is over when the move has ended or 25 s later.
  Outcome play(bool at_the_giver, Duration moment, const std::function<void(const std::string&)>& strikes, const std::function<void(const std::string&)>& ends) {
    Outcome outcome;
    seed_few();
    if (HasFatalFailure()) return outcome;
    const std::string giver = cluster.active_node(), taker = passive_node(), victim = at_the_giver ? giver : taker;
    const std::shared_ptr<Asked> asked = ask(giver, {{"command", "move"}, {"to", taker}});
    commit_until(world.now() + moment);
    const std::uint64_t lives = cluster.host(giver).lives();
    strikes(victim);
    static_cast<void>(cluster.commit(random, some_pages(random, few_pages)));
    const bool died = lives != cluster.host(giver).lives();  // and nobody hears the answer
    if (!died) answered(asked, 25s);
    ends(victim);
    if (died) {
      heal();
      outcome = {cluster.active_node() == taker, giver + " died"};
      return outcome;
    }
    if (!answered(asked, 200s)) {
      ADD_FAILURE() << "no answer\n" << cluster.story();
      return outcome;
    }
    outcome.moved = asked->answer->ok();
    if (!outcome.moved) outcome.error = asked->answer->error().message;
    EXPECT_TRUE(outcome.moved || !outcome.error.empty());
    return outcome;
  }
  void expect_all_well() {
    heal();
    if (!HasFatalFailure()) expect_moves();
    if (!HasFatalFailure()) expect_all_there();
  }
  // Dies by power, and in each of the starts behind it once more.
  void die_again_and_again(const std::string& victim, int deaths) {
    for (int death = 0; death < deaths; ++death) {
      cluster.host(victim).kill(draw_power_cut(random));
      cluster.host(victim).start();
      world.run_for(Duration(random.below(Duration(40ms).count())));
    }
    cluster.host(victim).kill(draw_power_cut(random));
    cluster.host(victim).start();
  }
  void suspend_and_resume(int deaths) {
    seed_few();
    const Result<json> suspended = answer_of("beta", {{"command", "suspend"}, {"comment", "for a moment"}});
    ASSERT_TRUE(suspended.ok()) << suspended.error().message;
    die_again_and_again("beta", deaths);
    ASSERT_TRUE(wait_for("beta", "suspended"));
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
    die_again_and_again("beta", deaths);
    ASSERT_TRUE(wait_for("beta", "healthy"));
    expect_all_there();
  }
  void ask_all_twice(bool at_once) {
    seed_few();
    for (const char* command : {"status", "suspend", "resume", "seed", "verify", "scrub", "backup", "move"}) {
      json line{{"command", command}};
      if (line["command"] == "backup") line["to"] = at_once ? "/backup" : "/backup-later";
      if (line["command"] == "move") line["to"] = "alpha";
      if (line["command"] == "move") expect_moves();
      write(5, few_pages);
      const std::shared_ptr<Asked> first = ask("beta", line);
      ASSERT_TRUE(at_once || answered(first, 120s)) << command << "\n" << cluster.story();
      const std::shared_ptr<Asked> second = ask("beta", line);
      ASSERT_TRUE(answered(first, 120s) && answered(second, 120s)) << command << "\n" << cluster.story();
      EXPECT_TRUE(first->answer->ok() || second->answer->ok()) << command << ": " << first->answer->error().message;
      ASSERT_TRUE(line["command"] == "suspend" || settled()) << command;
    }
    EXPECT_EQ(cluster.active_node(), "alpha");
    expect_all_there();
  }
  void shuffle(int number) { random = world.random("moment " + std::to_string(number)); }
  void restart_all() {
    for (const std::string& name : cluster.names()) cluster.host(name).kill(draw_power_cut(random));
    cluster.start_all();
  }

 private:
  void commit_until(Instant end) {
    while (world.now() < end) {
      static_cast<void>(cluster.commit(random, some_pages(random, few_pages)));
      world.run_for(std::min<Duration>(end - world.now(), 3ms));
    }
  }
};

// Each moment of a move on either node; how many ended well and how many did not.
struct Counted {
  int moved = 0, undone = 0;
};
Counted at_each_moment(Duration step, int steps, const std::function<Moment::Outcome(Moment&, bool, Duration)>& play) {
  Counted counted;
  for (const bool at_the_giver : {true, false}) {
    for (int i = 0; i < steps; ++i) {
      if (!swept(2 * i + at_the_giver)) continue;
      Moment moment;
      const Moment::Outcome outcome = play(moment, at_the_giver, i * step);
      ++(outcome.moved ? counted.moved : counted.undone);
      if (!testing::Test::HasFailure()) moment.expect_all_well();
      if (testing::Test::HasFailure()) {
        ADD_FAILURE() << (at_the_giver ? "the giver" : "the taker") << " at moment " << i << ": " << (outcome.moved ? "moved" : outcome.error);
        return counted;
      }
    }
  }
  return counted;
}

TEST(Moments, AMoveInWhichADiskIsFullIsUndoneOrEndsAndIsDoneOnceThereIsRoom) {
  const Counted counted = at_each_moment(8ms, 6, [](Moment& moment, bool at_the_giver, Duration at) {
    const std::uint64_t whole = moment.cluster.host("alpha").disk().options().capacity_bytes;
    const auto fill = [&moment](const std::string& node) {
      SimDisk& disk = moment.cluster.host(node).disk();
      disk.options().capacity_bytes = disk.state().used_bytes();
    };
    const auto make_room = [&moment, whole](const std::string& node) { moment.cluster.host(node).disk().options().capacity_bytes = whole; };
    return moment.play(at_the_giver, at, fill, make_room);
  });
  std::printf("full disk: %d moved, %d undone\n", counted.moved, counted.undone);
}

TEST(Moments, AMoveInWhichADiskStallsIsUndoneOrEndsLater) {
  for (const Duration stalled : {Duration(2s), Duration(65s)}) {
    const Counted counted = at_each_moment(6ms, 6, [stalled](Moment& moment, bool at_the_giver, Duration at) {
      const auto stall = [&moment, stalled](const std::string& node) { moment.cluster.host(node).disk().stall(stalled); };
      const Moment::Outcome outcome = moment.play(at_the_giver, at, stall, [](const std::string&) {});
      moment.world.run_for(stalled);  // it is over
      return outcome;
    });
    std::printf("stalled disk: %d moved, %d undone\n", counted.moved, counted.undone);
  }
}

// As after `errors=remount-ro`: what was open for writing takes no writes either.
TEST(Moments, AMoveInWhichADiskTurnsReadOnlyIsUndoneOrEndsWithTheNextStart) {
  const Counted counted = at_each_moment(7ms, 6, [](Moment& moment, bool at_the_giver, Duration at) {
    const auto turn = [&moment](const std::string& node) {
      for (const DiskAction action : {DiskAction::write, DiskAction::resize, DiskAction::rename, DiskAction::remove, DiskAction::make_directories}) {
        DiskPlan plan;
        plan.action = action;
        plan.times = ever;
        plan.error = ErrorKind::read_only;
        moment.cluster.host(node).disk().plan(plan);
      }
    };
    const auto turn_back = [&moment](const std::string& node) { moment.cluster.host(node).disk().clear_plans(); };
    const Moment::Outcome outcome = moment.play(at_the_giver, at, turn, turn_back);
    moment.restart_all();
    return outcome;
  });
  std::printf("read-only disk: %d moved, %d undone\n", counted.moved, counted.undone);
}

// What a person asked for and was told is kept, through a death in each start behind it.
TEST(Moments, ASuspensionThatWasAnsweredIsKeptThroughDeathsInEachStart) {
  for (int death = 1; death <= 12; ++death) {
    Moment moment;
    moment.shuffle(death);
    moment.suspend_and_resume(1 + death % 4);
    if (testing::Test::HasFailure()) return;
  }
}

// Requests carry no number: one that comes again while the first is under way, or behind it, is answered as a new one.
TEST(Moments, EachCommandThatIsAskedTwiceDoesNoHarm) {
  for (const bool at_once : {true, false}) {
    Moment moment;
    moment.ask_all_twice(at_once);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Moments, ANodeThatDiesInEachStartBehindItsDeathInAMoveComesBackOnceItIsLeftAlone) {
  int death = 0;
  const Counted counted = at_each_moment(3ms, 14, [&death](Moment& moment, bool at_the_giver, Duration at) {
    moment.shuffle(++death);
    const auto die = [&moment, death](const std::string& node) { moment.die_again_and_again(node, 1 + death % 4); };
    return moment.play(at_the_giver, at, die, [](const std::string&) {});
  });
  std::printf("deaths in the starts behind it: %d moved, %d undone\n", counted.moved, counted.undone);
  EXPECT_GT(counted.moved, 3);
  EXPECT_GT(counted.undone, 3);
}

}  // namespace moments
}  // namespace ccr::sim
