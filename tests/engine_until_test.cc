// A delayed copy becomes the active one as of a point in time; whole nodes in the simulator.
#include <gtest/gtest.h>

#include "base/wall_time.h"
#include "engine/handover.h"
#include "tests/asked_nodes.h"
#include "tests/sweep.h"

namespace ccr::sim {
namespace until {

using namespace std::chrono_literals;

ClusterOptions delayed(Duration lag) {
  ClusterOptions options;
  options.configure = [lag](const std::string&, engine::Config& config) { config.databases.at("orders").replay_lag["beta"] = lag; };
  return options;
}

class Until : public AskedNodes {
 public:
  explicit Until(ClusterOptions options = delayed(600s)) : AskedNodes(std::move(options)) {}
  void TestBody() override {}

 protected:
  Position replayed() { return cluster.passive("beta")->state().min_required; }
  CommitNumber replayed_commit() { return cluster.passive("beta")->state().replayed_commit; }
  Position inspected() { return cluster.passive("beta")->watermarks().inspected; }
  Position end() { return cluster.active()->tip().durable; }
  std::string wall() {
    const ClockState told;
    return to_rfc3339_exact(SimClock(world, told).wall_now());
  }
  bool received_all() {
    return world.run_until([&] { return cluster.pending() == 0 && cluster.active() && inspected() == end(); }, 20s) == Ended::reached;
  }
  // Good commits, a moment, and what should not have happened.
  void make_a_mistake(int good = 40, int bad = 60) {
    seed();
    write(good);
    ASSERT_TRUE(received_all()) << cluster.story();
    world.run_for(2s);
    before = wall();
    good_commit = cluster.active()->tip().commit;
    mark = cluster.mark();
    world.run_for(2s);
    write(bad);
    ASSERT_TRUE(received_all()) << cluster.story();
    all_commit = cluster.active()->tip().commit;
  }
  json line(const std::string& until, const std::string& dial = "force") { return {{"command", "activate"}, {"on", "beta"}, {"dial", dial}, {"until", until}}; }
  Result<json> activate(const std::string& until, const std::string& dial = "force") { return answer_of("beta", line(until, dial)); }
  Result<json> plan(const std::string& until, bool hold = false) {
    json asked = line(until);
    asked["dry_run"] = true;
    asked["hold"] = hold;
    return answer_of("beta", asked);
  }
  bool settled() {
    const auto all = [&] {
      engine::ActiveCopy* active = cluster.active();
      if (active == nullptr || cluster.pending() > 0 || active->replayed() != active->tip().durable) return false;
      const std::string other = cluster.active_node() == "alpha" ? "beta" : "alpha";
      engine::PassiveCopy* passive = cluster.passive(other);
      return passive != nullptr && cluster.state(other) == "healthy" && passive->state().min_required == active->tip().durable;
    };
    const bool reached = world.run_until(all, 1500s) == Ended::reached;
    EXPECT_TRUE(reached) << "alpha " << cluster.state("alpha") << ", beta " << cluster.state("beta") << "\n" << cluster.story();
    return reached;
  }
  void expect_whole() {
    ASSERT_TRUE(settled());
    for (const std::string& name : cluster.names()) cluster.host(name).stop();
    const Result<Bytes> first = cluster.page_file_of("alpha"), second = cluster.page_file_of("beta");
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_TRUE(*first == *second) << cluster.story();
    const Result<void> whole = cluster.check_content(*first, "alpha");
    EXPECT_TRUE(whole.ok()) << whole.error().message << "\n" << cluster.story();
  }

  std::string before;  // the mistake
  CommitNumber good_commit = 0, all_commit = 0;
  std::size_t mark = 0;
};

TEST_F(Until, TheLogEndsBeforeTheFirstLaterCommitAndTheOldActiveCopyFollows) {
  make_a_mistake();
  cluster.passive("beta")->note_backup({inspected(), 1, {1}});  // of the mistake
  const Result<json> done = activate(before);
  ASSERT_TRUE(done.ok()) << done.error().message << "\n" << cluster.story();
  EXPECT_FALSE(cluster.active()->state().backup.at.known()) << "that backup is of another history now";
  EXPECT_EQ((*done)["active"], "beta");
  EXPECT_FALSE((*done)["forced"]) << "alpha gave up";
  EXPECT_EQ((*done)["until"]["cut"]["commit"], good_commit);
  EXPECT_EQ((*done)["until"]["next"]["commit"], good_commit + 1);
  EXPECT_EQ((*done)["until"]["given_up"]["commits"], all_commit - good_commit);
  EXPECT_EQ((*done)["missing"]["commits"], all_commit - good_commit) << "alpha had no more than that";
  EXPECT_EQ(cluster.active()->tip().commit, good_commit);
  const std::vector<std::string> aside = cluster.events_of("generations_set_aside");
  ASSERT_FALSE(aside.empty()) << cluster.story();
  EXPECT_NE(aside.front().find("commits=" + std::to_string(all_commit - good_commit)), std::string::npos) << aside.front();
  cluster.give_up_since(mark);
  write(50);
  ASSERT_TRUE(settled());
  EXPECT_EQ(passes(), 2u) << "alpha takes the difference";
  EXPECT_GE(cluster.events_of("generations_set_aside").size(), 2u) << "and keeps its own log aside";
  world.run_for(11s);
  EXPECT_GT(row_of("alpha", "alpha")["quarantine"]["files"], 0);
  expect_whole();
}

TEST_F(Until, ItsChecksTellThePlaceAndChangeNothing) {
  make_a_mistake();
  const Position was = replayed();
  const Result<json> told = plan(before);
  ASSERT_TRUE(told.ok()) << told.error().message;
  EXPECT_TRUE((*told)["allowed"]) << told->dump();
  EXPECT_EQ((*told)["until"]["cut"]["commit"], good_commit);
  EXPECT_EQ((*told)["until"]["given_up"]["commits"], all_commit - good_commit);
  EXPECT_EQ((*told)["plan"].size(), 6u);
  EXPECT_NE((*told)["plan"][0].get<std::string>().find("replay no further than commit " + std::to_string(good_commit) + " of 2026"), std::string::npos) << told->dump();
  EXPECT_EQ(replayed(), was);
  EXPECT_TRUE(cluster.events_of("role_changed").empty());
  world.run_for(620s);
  EXPECT_EQ(replayed_commit(), all_commit) << "the lag goes on";
  expect_whole();
}

TEST_F(Until, ReplayRestsWhileAPersonDecidesAndNotForEver) {
  make_a_mistake();
  world.run_for(560s);  // in 40 s the lag is over
  ASSERT_TRUE(plan(before, true).ok());
  world.run_for(300s);
  EXPECT_LT(replayed_commit(), good_commit);
  EXPECT_TRUE(row_of("beta", "beta")["replay_lag"]["rests"]);
  const Result<json> still = plan(before, true);
  ASSERT_TRUE(still.ok() && (*still)["allowed"]) << "it is as reachable as it was: " << still->dump();
  world.run_for(620s);
  EXPECT_EQ(replayed_commit(), all_commit);
  EXPECT_FALSE(row_of("beta", "beta")["replay_lag"]["rests"]);
  const Result<json> late = plan(before);
  ASSERT_TRUE(late.ok());
  EXPECT_FALSE((*late)["allowed"]) << late->dump();
}

TEST_F(Until, WhatCannotBeReachedIsRefusedAndReplayGoesOn) {
  make_a_mistake();
  expect_error(activate("2026-01-01T00:00:00Z"), ErrorKind::refused);
  const Result<json> early = activate("2026-01-01T00:00:00Z");
  EXPECT_NE(early.error().hint.find("--until 2026-01-01T00:"), std::string::npos) << early.error().hint;
  expect_error(activate("2030-01-01T00:00:00Z"), ErrorKind::refused);
  const Result<json> served = activate(before, "best");
  expect_error(served, ErrorKind::refused);
  EXPECT_NE(served.error().hint.find("--dial force"), std::string::npos) << served.error().hint;
  EXPECT_FALSE(cluster.passive("beta")->state().cut.known());
  expect_error(answer_of("beta", line("yesterday")), ErrorKind::usage);
}

TEST_F(Until, ACopyThatHoldsNothingBackSaysWhy) {
  seed();
  write(20);
  engine::Config config = cluster.node("beta")->config();
  config.databases.at("orders").replay_lag["beta"] = 0s;
  cluster.node("beta")->take_lags(config);
  ASSERT_TRUE(drain());
  const Result<json> refused = activate(wall());
  expect_error(refused, ErrorKind::refused);
  EXPECT_NE(refused.error().message.find("no replay_lag"), std::string::npos) << refused.error().message;
}

TEST_F(Until, ASuspendedCopyIsActivatedToo) {
  make_a_mistake();
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  world.run_for(700s);
  const Result<json> done = activate(before);
  ASSERT_TRUE(done.ok()) << done.error().message << "\n" << cluster.story();
  EXPECT_EQ(cluster.active()->tip().commit, good_commit);
  cluster.give_up_since(mark);
  expect_whole();
}

TEST_F(Until, AnActiveNodeThatWasDownWaitsForAPersonAndHeals) {
  make_a_mistake();
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  world.run_for(10s);
  const Result<json> refused = activate(before, "best");
  expect_error(refused, ErrorKind::refused);
  const Result<json> done = activate(before);
  ASSERT_TRUE(done.ok()) << done.error().message << "\n" << cluster.story();
  EXPECT_TRUE((*done)["forced"]);
  EXPECT_FALSE((*done)["missing"]["known"]);
  EXPECT_EQ((*done)["until"]["given_up"]["commits"], all_commit - good_commit);
  cluster.give_up_since(mark);
  write(20);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
  ASSERT_TRUE(answer_of("alpha", {{"command", "resume"}}).ok());
  expect_whole();
}

TEST_F(Until, ClocksThatWerePutBackCountAsTheyStood) {
  make_a_mistake(40, 10);
  cluster.host("alpha").jump_wall(-1h);
  write(30);  // by their clock before the mistake, in the log behind it
  ASSERT_TRUE(received_all());
  const Result<json> done = activate(before);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["until"]["cut"]["commit"], good_commit);
  EXPECT_EQ((*done)["until"]["given_up"]["commits"], 40);
}

// --- crashes ----------------------------------------------------------------------------------------------------------------

TEST_F(Until, AnAgreementOfWhichNothingIsHeardHoldsReplayAndEnds) {
  make_a_mistake();
  const Result<json> told = plan(before);
  ASSERT_TRUE(told.ok());
  const json& at = (*told)["until"]["cut"]["position"];
  const Position cut{{at["generation"].get<std::uint64_t>()}, at["offset"].get<std::uint64_t>()};
  cluster.host("beta").run_in_life(cluster.passive("beta")->prepare(7, cut));
  world.run_for(1s);
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  world.run_for(500s);
  EXPECT_EQ(cluster.passive("beta")->state().cut, cut);
  EXPECT_LE(replayed(), cut);
  world.run_for(200s);
  EXPECT_EQ(cluster.events_of("activation_dropped").size(), 1u) << cluster.story();
  EXPECT_FALSE(cluster.passive("beta")->state().cut.known());
  EXPECT_EQ(cluster.passive("beta")->state().prepared, 0u);
  world.run_for(620s);
  EXPECT_EQ(replayed_commit(), all_commit);
  expect_whole();
}

// Whatever moment either node dies at: afterwards the copy is active at the cut, or it is the copy that it was.
TEST(UntilDies, EitherNodeAtEachMoment) {
  int cuts = 0, undone = 0, again = 0;
  for (int step = 0; step < 54; ++step) {
    if (!swept(step)) continue;
    class Story : public Until {
     public:
      Story() : Until(delayed(120s)) {}
      void play(int at, int& cut_there, int& as_before, int& cut_twice) {
        make_a_mistake(20, 40);
        const std::string victim = at % 3 == 2 ? "alpha" : "beta";
        const std::shared_ptr<Asked> asked = ask("beta", line(before));
        world.run_for(5500us * (at / 3) + 1300us * (at % 3));
        Random style = world.random("style" + std::to_string(at));
        cluster.host(victim).kill(at % 5 == 0 ? CrashStyle{Damage::process_only, Ordering::ordered} : draw_power_cut(style));
        world.run_for(3s);
        cluster.host(victim).start();
        if (victim == "alpha") {
          ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 120s) == Ended::reached);
          world.run_for(10s);
          if (cluster.state("alpha") == "failed_and_suspended") {
            ASSERT_TRUE(answer_of("alpha", {{"command", "resume"}}).ok());
          }
        }
        world.run_for(5s);
        ASSERT_TRUE(world.run_until([&] { return cluster.active() != nullptr; }, 60s) == Ended::reached) << cluster.story();
        const bool there = cluster.active_node() == "beta";
        (there ? cut_there : as_before) += 1;
        if (there) {
          EXPECT_EQ(cluster.active()->tip().commit, good_commit) << cluster.story();
          cluster.give_up_since(mark);
        } else {
          ASSERT_NE(cluster.passive("beta"), nullptr);
          EXPECT_LT(replayed_commit(), good_commit) << "it is as delayed as it was";
          EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
        }
        write(10);
        expect_whole();
        cut_twice += cluster.events_of("generations_set_aside").size() > 2;
      }
    } story;
    story.play(step, cuts, undone, again);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "step " << step;
      return;
    }
  }
  EXPECT_GT(cuts, swept_one_in() == 1 ? 15 : 0);
  if (swept_one_in() > 1) return;
  EXPECT_GT(undone, 3);
  EXPECT_GT(again, 0) << "one died between the event and the end of setting aside";
}

// --- what a delayed copy holds back is replayed before it serves ------------------------------------------------------------

TEST_F(Until, ALongQueueIsWaitedForAsLongAsItGetsShorter) {
  seed();
  fill(2900);
  ASSERT_TRUE(received_all());
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  world.run_for(10s);
  const Instant begun = world.now();
  const std::shared_ptr<Asked> asked = ask("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
  const auto replays = [&] { return row_of("beta", "beta")["cause"].get<std::string>().find("replays the log that is here: ") == 0; };
  ASSERT_TRUE(world.run_until(replays, 60s) == Ended::reached) << cluster.story();
  DiskOptions& disk = cluster.host("beta").disk().options();
  disk.write_min = disk.write_max = 4s;
  const auto answered = [&] {
    if (!replays()) disk.write_min = disk.write_max = 100us;  // what follows the replay is not what is waited for
    return asked->answer.has_value();
  };
  ASSERT_TRUE(world.run_until(answered, 600s) == Ended::reached);
  ASSERT_TRUE(asked->answer->ok()) << asked->answer->error().message << "\n" << cluster.story();
  EXPECT_GT(world.now() - begun, engine::Handover::serve_limit + Duration(20s)) << "longer than it would wait for nothing";
  bool told = false;
  for (const json& line : asked->reply.lines) told = told || (line["phase"] == "replay" && line["total_bytes"] > line["done_bytes"]);
  EXPECT_TRUE(told);
  disk.write_min = disk.write_max = 10us;
  cluster.host("alpha").start();
  expect_whole();
}

}  // namespace until
}  // namespace ccr::sim
