// The active copy changes: moved, activated, deposed; whole nodes in the simulator.
#include <gtest/gtest.h>

#include <numeric>

#include "engine/activation.h"
#include "engine/role.h"
#include "tests/handed_nodes.h"
#include "tests/sweep.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using engine::ActivationFacts;
using engine::ActivationVerdict;
using engine::Dial;
using engine::Role;
using engine::RoleVerdict;

using Handing = HandedNodes;

Signature signature(int number) {
  Signature made;
  made.bytes.fill(static_cast<std::byte>(number));
  return made;
}

TEST(Roles, TheHigherEpochHoldsAndOneEpochHasOneNode) {
  const Role alpha{3, "alpha", false}, beta{4, "beta", true}, other{3, "beta", false};
  const Signature ours = signature(1), foreign = signature(2), none;
  EXPECT_EQ(compare_roles(alpha, ours, alpha, ours), RoleVerdict::same);
  EXPECT_EQ(compare_roles(alpha, ours, beta, ours), RoleVerdict::newer);
  EXPECT_EQ(compare_roles(beta, ours, alpha, ours), RoleVerdict::older);
  EXPECT_EQ(compare_roles(alpha, ours, other, ours), RoleVerdict::conflict);
  EXPECT_EQ(compare_roles(alpha, ours, beta, foreign), RoleVerdict::foreign);
  EXPECT_EQ(compare_roles(Role{0, "alpha", false}, none, beta, ours), RoleVerdict::newer) << "a copy without a history believes what it is told";
}

TEST(Roles, ADeposedCopyIsWholeAndRemembersThatItWasForced) {
  storage::CopyState state;
  state.signature = signature(1);
  state.pins = {{storage::Pin::Kind::copy, "beta", Position::start_of({4}), false}};
  engine::take_role(state, Role{5, "beta", true}, "alpha", {"alpha", "beta", "gamma"}, true, Generation{3});
  EXPECT_TRUE(state.seeded && state.forced);
  EXPECT_EQ(state.deposed, storage::Deposed::by_force);
  EXPECT_EQ(state.active, "beta");
  EXPECT_TRUE(state.pins.empty());
  engine::take_role(state, Role{6, "alpha", false}, "alpha", {"beta", "alpha", "gamma"}, false, Generation{3});
  EXPECT_EQ(state.deposed, storage::Deposed::no);
  ASSERT_EQ(state.pins.size(), 2u) << "of the others, from the first generation that is here";
  EXPECT_EQ(state.pins[0].from, Position::start_of({3}));
}

TEST(Roles, ACopyThatGaveUpLearnsWhetherThatWasHeard) {
  storage::CopyState gave_up;
  gave_up.signature = signature(1);
  engine::take_role(gave_up, Role{5, "beta", false}, "alpha", {"alpha", "beta"}, true, Generation{3});
  ASSERT_EQ(gave_up.deposed, storage::Deposed::asked);
  storage::CopyState unheard = gave_up, later = gave_up, told = gave_up;
  engine::hear_epoch(gave_up, 5, false);
  EXPECT_EQ(gave_up.deposed, storage::Deposed::no);
  engine::hear_epoch(unheard, 5, true);
  EXPECT_EQ(unheard.deposed, storage::Deposed::by_force);
  engine::hear_epoch(later, 6, false);
  EXPECT_EQ(later.deposed, storage::Deposed::by_force) << "whoever follows the next one was not told by this one what it had";
  engine::take_role(told, Role{7, "gamma", false}, "alpha", {"alpha", "beta", "gamma"}, false, Generation{3});
  EXPECT_EQ(told.deposed, storage::Deposed::by_force);
  EXPECT_EQ(told.epoch, 7u);
}

TEST(Roles, OnlyAPersonWhoWasAskedSetsAsideWhatACopyAloneHas) {
  storage::CopyState suspended;
  suspended.signature = signature(1);
  engine::take_role(suspended, Role{5, "beta", true}, "alpha", {"alpha", "beta"}, true, Generation{3});
  storage::CopyState asked = suspended, damaged = suspended;
  suspended.suspended = true;
  engine::hear_resume(suspended);
  EXPECT_EQ(suspended.deposed, storage::Deposed::by_force);
  damaged.failed = true;
  damaged.cause = "PAGE: 3 is damaged";
  EXPECT_TRUE(engine::may_be_alone(damaged));
  engine::hear_resume(damaged);
  EXPECT_EQ(damaged.deposed, storage::Deposed::by_force);
  asked.failed = asked.suspended = true;
  asked.cause = "FORKED: beta was activated by force";
  EXPECT_FALSE(engine::may_be_alone(asked));
  asked.prepared = 6;
  engine::hear_resume(asked);
  EXPECT_EQ(asked.deposed, storage::Deposed::no);
  EXPECT_EQ(asked.prepared, 0u) << "he chose the other side";
}

ActivationFacts known_facts(Position inspected, Position end) {
  ActivationFacts facts;
  facts.seeded = facts.answers = facts.replayed_all = true;
  facts.inspected = inspected;
  facts.end = end;
  facts.replayed_commit = 90;
  facts.end_commit = 100;
  facts.generation_bytes = MiB;
  return facts;
}

TEST(Activation, TheDialCountsGenerationsOfWhichSomethingIsMissing) {
  const auto missing = [](Position inspected, Position end) { return decide_activation(known_facts(inspected, end), Dial::force).generations; };
  EXPECT_EQ(missing({{5}, 8192}, {{5}, 8192}), 0u);
  EXPECT_EQ(missing({{5}, 8192}, {{5}, 12288}), 1u);
  EXPECT_EQ(missing({{5}, 8192}, {{6}, 4096}), 1u);
  EXPECT_EQ(missing({{5}, 8192}, {{6}, 8192}), 2u);
  EXPECT_EQ(missing({{6}, 8192}, {{5}, 8192}), 0u) << "the other one went back";
  for (const auto& [dial, allowed] : {std::pair{Dial::lossless, 0u}, {Dial::good, 6u}, {Dial::best, 12u}}) {
    EXPECT_TRUE(decide_activation(known_facts({{5}, 4096}, {{5 + allowed}, 4096}), dial).allowed) << name_of(dial);
    const ActivationVerdict more = decide_activation(known_facts({{5}, 4096}, {{6 + allowed}, 4096}), dial);
    EXPECT_FALSE(more.allowed) << name_of(dial);
    EXPECT_NE(more.hint.find("--dial"), std::string::npos);
  }
  const ActivationVerdict lost = decide_activation(known_facts({{5}, 8192}, {{5}, 12288}), Dial::good);
  EXPECT_EQ(lost.commits, 10u);
  EXPECT_EQ(lost.bytes, 4096u);
}

TEST(Activation, WhatIsNotKnownNeedsForceAndWhatIsNoCopyIsNeverActivated) {
  ActivationFacts cut_off = known_facts({{5}, 8192}, {});
  cut_off.answers = false;
  cut_off.tip = {{5}, 8192};
  for (const Dial dial : {Dial::lossless, Dial::good, Dial::best}) EXPECT_FALSE(decide_activation(cut_off, dial).allowed) << "nothing heard of is missing, and that proves nothing";
  const ActivationVerdict forced = decide_activation(cut_off, Dial::force);
  EXPECT_TRUE(forced.allowed);
  EXPECT_FALSE(forced.known);
  EXPECT_FALSE(forced.commits.has_value());
  ActivationFacts serving = known_facts({{5}, 8192}, {{5}, 8192});
  serving.serves = true;
  EXPECT_FALSE(decide_activation(serving, Dial::best).allowed);
  EXPECT_NE(decide_activation(serving, Dial::best).hint.find("ccr move"), std::string::npos);
  ActivationFacts failed = known_facts({{5}, 8192}, {{5}, 8192});
  failed.failed = true;
  EXPECT_FALSE(decide_activation(failed, Dial::best).allowed);
  EXPECT_TRUE(decide_activation(failed, Dial::force).allowed);
  ActivationFacts rotten = failed;
  rotten.damaged_pages = 1;
  EXPECT_FALSE(decide_activation(rotten, Dial::force).allowed);
  ActivationFacts half = known_facts({{5}, 8192}, {{5}, 8192});
  half.seeded = false;
  EXPECT_FALSE(decide_activation(half, Dial::force).allowed);
}

TEST_F(Handing, AMoveLosesNothingAndTheLogGoesOn) {
  seed();
  write(300);
  const Result<json> moved = move("alpha", "beta");
  ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
  EXPECT_EQ((*moved)["epoch"], 2);
  EXPECT_LT((*moved)["held_seconds"], 2.0);
  EXPECT_EQ(cluster.active_node(), "beta");
  write(300);
  ASSERT_TRUE(settled());
  EXPECT_EQ(passes(), 1u) << "alpha follows without a seed";
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
  EXPECT_EQ(row_of("alpha", "alpha")["role"], "passive");
  EXPECT_EQ(row_of("alpha", "beta")["role"], "active");
  EXPECT_EQ(row_of("beta", "alpha")["state"], "healthy");
  const Result<json> back = move("beta", "alpha");
  ASSERT_TRUE(back.ok()) << back.error().message << "\n" << cluster.story();
  write(100);
  expect_whole();
}

TEST_F(Handing, ThePassiveNodeMayBeAskedToo) {
  seed();
  ASSERT_TRUE(settled());
  const Result<json> moved = move("beta", "beta");
  ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
  EXPECT_EQ((*moved)["active"], "beta");
  expect_whole();
}

TEST_F(Handing, ItsChecksChangeNothing) {
  seed();
  ASSERT_TRUE(settled());
  const Result<json> plan = answer_of("alpha", {{"command", "move"}, {"to", "beta"}, {"dry_run", true}});
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_TRUE((*plan)["allowed"]) << plan->dump();
  EXPECT_GE((*plan)["plan"].size(), 4u);
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  const Result<json> refused = answer_of("alpha", {{"command", "move"}, {"to", "beta"}, {"dry_run", true}});
  ASSERT_TRUE(refused.ok());
  EXPECT_FALSE((*refused)["allowed"]) << refused->dump();
  expect_error(move("alpha", "beta"), ErrorKind::refused);
  EXPECT_EQ(cluster.active_node(), "alpha");
  EXPECT_TRUE(cluster.events_of("role_changed").empty());
}

TEST_F(Handing, CommitsThatWaitedAreToldAndNotHalfDone) {
  seed();
  ASSERT_TRUE(settled());
  const std::shared_ptr<Asked> asked = ask("alpha", {{"command", "move"}, {"to", "beta"}});
  for (int i = 0; i < 4000 && !asked->answer; ++i) {
    static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
    world.run_for(1ms);
  }
  ASSERT_TRUE(asked->answer && asked->answer->ok()) << cluster.story();
  expect_whole();
}

// Whatever moment either node dies at, by power: afterwards exactly one serves, nothing that was acknowledged is lost.
TEST(HandingOver, EitherNodeDiesAtEachStep) {
  int moved = 0, undone = 0;
  for (int step = 0; step < 60; ++step) {
    if (!swept(step)) continue;
    class Story : public Handing {
     public:
      void TestBody() override {}
      void play(int at, int& moves, int& undos) {
        seed();
        write(100);
        const std::string victim = at % 2 == 0 ? "alpha" : "beta";
        const std::shared_ptr<Asked> asked = ask("alpha", {{"command", "move"}, {"to", "beta"}});
        for (int i = 0; i < at / 2; ++i) {
          static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
          world.run_for(std::chrono::microseconds(1300));
        }
        Random style = world.random("style" + std::to_string(at));
        cluster.host(victim).kill(draw_power_cut(style));
        world.run_for(3s);
        cluster.host(victim).start();
        if (victim == "beta") world.run_until([&] { return asked->answer.has_value(); }, 120s);  // the move may still come to its end
        ASSERT_TRUE(settled()) << "step " << at;
        const std::string now = cluster.active_node();
        (now == "beta" ? moves : undos) += 1;
        EXPECT_EQ(cluster.active(now == "beta" ? "alpha" : "beta"), nullptr) << "step " << at;
        write(50);
        expect_whole();
      }
    } story;
    story.play(step, moved, undone);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "step " << step;
      return;
    }
  }
  EXPECT_GT(moved, swept_one_in() == 1 ? 5 : 0);
  EXPECT_GT(undone, swept_one_in() == 1 ? 5 : 0);
}

TEST_F(Handing, AnActivationWithoutTheOtherNodeNeedsForceAndSaysWhatIsUnknown) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  world.run_for(10s);
  expect_error(activate("beta", "lossless"), ErrorKind::refused);
  expect_error(activate("beta", "best"), ErrorKind::refused);
  const Result<json> forced = activate("beta", "force");
  ASSERT_TRUE(forced.ok()) << forced.error().message << "\n" << cluster.story();
  EXPECT_TRUE((*forced)["forced"]);
  EXPECT_FALSE((*forced)["missing"]["known"]);
  EXPECT_NE((*forced)["missing"]["unknown_since"], nullptr);
  write(200);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  // It had nothing that beta lacks: it follows by itself.
  cluster.host("alpha").start();
  expect_whole();
  EXPECT_EQ(passes(), 1u);
}

TEST_F(Handing, ADeposedNodeThatAcknowledgedMoreWaitsForAPersonWhoTakesTheOthersSide) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  cluster.network().block(cluster.host("alpha").host(), cluster.host("beta").host());
  cluster.network().block(cluster.host("beta").host(), cluster.host("alpha").host());
  const std::size_t mark = cluster.mark();
  write(50);  // acknowledged on alpha alone
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  world.run_for(10s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  ASSERT_NE(cluster.active("alpha"), nullptr) << "nobody can reach it";
  cluster.network().unblock(cluster.host("alpha").host(), cluster.host("beta").host());
  cluster.network().unblock(cluster.host("beta").host(), cluster.host("alpha").host());
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
  EXPECT_EQ(cluster.active("alpha"), nullptr);
  const json row = row_of("alpha", "alpha");
  EXPECT_EQ(row["cause"].get<std::string>().find("FORKED: "), 0u) << row.dump();
  EXPECT_NE(row["hint"].get<std::string>().find("ccr resume orders@alpha"), std::string::npos);
  cluster.give_up_since(mark);
  write(100);
  ASSERT_TRUE(answer_of("alpha", {{"command", "resume"}}).ok());
  ASSERT_TRUE(settled());
  EXPECT_FALSE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
  expect_whole();
}

// It was asked, gave up and answered, and the answer was lost: the next one went on by force, without what this one had acknowledged last.
TEST_F(Handing, ANodeWhoseAnswerWasLostLearnsThatTheNextOneWasForced) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  const std::size_t mark = cluster.mark();
  const std::shared_ptr<Asked> asked = ask("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
  const auto gave_up = [&] { return !cluster.events_of("role_changed").empty(); };
  do {
    static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
  } while (world.run_until(gave_up, 1ms) != Ended::reached);
  const std::vector<std::string> changed = cluster.events_of("role_changed");
  ASSERT_EQ(changed.size(), 1u) << cluster.story();
  ASSERT_NE(changed.front().find("orders@alpha"), std::string::npos) << changed.front();
  EXPECT_NE(changed.front().find("forced=false"), std::string::npos) << "it knows of no force: " << changed.front();
  cluster.network().block(cluster.host("alpha").host(), cluster.host("beta").host());
  cluster.network().block(cluster.host("beta").host(), cluster.host("alpha").host());
  ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 180s) == Ended::reached) << cluster.story();
  ASSERT_TRUE(asked->answer->ok()) << cluster.story();
  EXPECT_TRUE((**asked->answer)["forced"]);
  cluster.give_up_since(mark);
  for (PageNumber first = 1; first <= 3000; first += 100) {  // how much of that went along is not for this test to say
    std::vector<PageNumber> all(100);
    std::iota(all.begin(), all.end(), first);
    static_cast<void>(cluster.commit(random, all));
  }
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  cluster.network().unblock(cluster.host("alpha").host(), cluster.host("beta").host());
  cluster.network().unblock(cluster.host("beta").host(), cluster.host("alpha").host());
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
  EXPECT_EQ(row_of("alpha", "alpha")["cause"].get<std::string>().find("FORKED: "), 0u) << row_of("alpha", "alpha").dump();
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << "not unasked";
  ASSERT_TRUE(answer_of("alpha", {{"command", "resume"}}).ok());
  ASSERT_TRUE(settled());
  EXPECT_FALSE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
  expect_whole();
}

// However much either side wrote: neither is beyond what the other can compare, or all of it is.
TEST_F(Handing, AForkOfManyGenerationsWaitsForAPersonToo) {
  for (const int written : {0, 900}) {
    class Story : public Handing {
     public:
      void TestBody() override {}
      void play(int on_beta) {
        seed();
        write(200);
        ASSERT_TRUE(drain());
        const HostId alpha = cluster.host("alpha").host(), beta = cluster.host("beta").host();
        cluster.network().block(alpha, beta);
        cluster.network().block(beta, alpha);
        const std::size_t mark = cluster.mark();
        write(900);
        ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
        world.run_for(6s);
        ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
        cluster.give_up_since(mark);
        for (int i = 0; i < on_beta; ++i) {
          ASSERT_TRUE(cluster.commit_at("beta", random, some_pages(random, 3000)));
          world.run_for(1ms);
        }
        cluster.network().heal_all();
        ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
        EXPECT_EQ(row_of("alpha", "alpha")["cause"].get<std::string>().find("FORKED: "), 0u) << row_of("alpha", "alpha").dump();
        world.run_for(10s);
        EXPECT_EQ(cluster.state("beta"), "mounted") << "it did not go back\n" << cluster.story();
        ASSERT_TRUE(answer_of("alpha", {{"command", "resume"}}).ok());
        ASSERT_TRUE(settled());
        EXPECT_FALSE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
        world.run_for(11s);
        EXPECT_GE(row_of("alpha", "alpha")["quarantine"]["files"], 5) << "all that it alone had is kept";
        expect_whole();
      }
    } story;
    story.play(written);
    if (HasFailure()) {
      ADD_FAILURE() << written << " on beta";
      return;
    }
  }
}

TEST_F(Handing, OrTheSideOfTheDeposedOne) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  cluster.host("alpha").freeze();
  world.run_for(10s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  const std::size_t mark = cluster.mark();
  write(60);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 60s) == Ended::reached);
  cluster.host("beta").stop();
  cluster.give_up_since(mark);
  cluster.host("alpha").thaw();
  ASSERT_TRUE(serves("alpha"));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(cluster.commit_at("alpha", random, some_pages(random, 3000)));
  world.run_for(2s);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
  const Result<json> taken = activate("alpha", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  ASSERT_TRUE(serves("alpha"));
  EXPECT_EQ(cluster.active("beta"), nullptr) << "it answered, and gave up";
  expect_whole();
}

TEST_F(Handing, ADismountedActiveCopyYieldsAndWhatIsMissingIsKnown) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  // Its disk fails for good; what it acknowledged was shipped.
  for (const DiskAction action : {DiskAction::write, DiskAction::sync}) {
    DiskPlan plan;
    plan.action = action;
    plan.path_part = "/log";
    plan.times = 1'000'000;
    cluster.host("alpha").disk().plan(plan);
  }
  ASSERT_TRUE(cluster.commit(random, {1}));
  ASSERT_TRUE(wait_for("alpha", "dismounted"));
  const Result<json> plan = answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "lossless"}, {"dry_run", true}});
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE((*plan)["allowed"]) << plan->dump();
  EXPECT_EQ((*plan)["missing"]["generations"], 0);
  EXPECT_TRUE(cluster.events_of("role_changed").empty());
  const Result<json> taken = activate("beta", "lossless");
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  EXPECT_FALSE((*taken)["forced"]);
  EXPECT_EQ((*taken)["missing"]["commits"], 0);
  write(100);
  cluster.host("alpha").disk().clear_plans();
  expect_whole();
}

TEST_F(Handing, ANodeThatDiesBehindTheAnswerServesWhenItIsBack) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  DiskPlan plan;
  plan.action = DiskAction::sync;
  plan.path_part = "/log";
  plan.times = 1'000'000;
  cluster.host("alpha").disk().plan(plan);
  ASSERT_TRUE(cluster.commit(random, {1}));
  ASSERT_TRUE(wait_for("alpha", "dismounted"));
  const std::shared_ptr<Asked> asked = ask("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "lossless"}});
  ASSERT_TRUE(world.run_until([&] { return !cluster.events_of("role_changed").empty(); }, 60s) == Ended::reached);
  EXPECT_EQ(cluster.events_of("role_changed").front().find("alpha"), 0u) << "it gave up first";
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  cluster.host("alpha").disk().clear_plans();
  world.run_for(5s);
  EXPECT_EQ(cluster.active("alpha"), nullptr);
  cluster.host("beta").start();
  ASSERT_TRUE(serves("beta"));
  expect_whole();
}

TEST_F(Handing, ANodeWhoseStateKnowsLessOfItselfThanOthersServesNothing) {
  seed();
  ASSERT_TRUE(settled());
  cluster.host("alpha").stop();
  const DiskState older = cluster.host("alpha").disk().state();
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha") && settled());
  ASSERT_TRUE(move("alpha", "beta").ok());
  ASSERT_TRUE(settled());
  ASSERT_TRUE(move("beta", "alpha").ok());
  ASSERT_TRUE(settled());
  cluster.host("alpha").stop();
  cluster.host("alpha").disk().restore(older);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "dismounted"));
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("an older one"), std::string::npos) << row_of("alpha", "alpha").dump();
  expect_error(activate("beta", "lossless"), ErrorKind::refused);  // alpha cannot say where its log ended
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  expect_whole();
}

class HandingThree : public Handing {
 protected:
  HandingThree() : Handing(three()) {}
};

TEST_F(HandingThree, TheThirdOneFollowsTheNewActiveNode) {
  cluster.start_all();
  ASSERT_TRUE(serves("alpha"));
  write(100);
  ASSERT_TRUE(settled());
  const Result<json> moved = move("alpha", "gamma");
  ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
  write(200);
  ASSERT_TRUE(settled());
  EXPECT_EQ(cluster.active_node(), "gamma");
  EXPECT_EQ(passes(), 2u) << "the first two, and no more";
  cluster.host("gamma").kill({Damage::process_only, Ordering::ordered});
  world.run_for(10s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  write(100);
  cluster.host("gamma").start();
  expect_whole();
}

class HandingToOne : public Handing {
 protected:
  HandingToOne() : Handing(three(false)) {}
};

TEST_F(HandingToOne, ACopyThatWasNeverMadeHoldsNoLog) {
  seed();
  ASSERT_EQ(cluster.state("gamma"), "needs_seed");
  const Result<json> moved = move("alpha", "beta");
  ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
  world.run_for(5s);
  const Generation first = cluster.active()->log_keeper().first();
  write(1200);
  ASSERT_TRUE(world.run_until([&] { return cluster.active()->log_keeper().first() > first; }, 60s) == Ended::reached)
      << "from " << first.number << " on, open " << cluster.active()->tip().durable.generation.number << "\n" << cluster.story();
}

}  // namespace
}  // namespace ccr::sim
