// An activation fetches what other copies still have of the log: whole nodes in the simulator.
#include <gtest/gtest.h>

#include "tests/handed_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

class Fetching : public HandedNodes {
 protected:
  using HandedNodes::HandedNodes;

  Position end_of(const std::string& name) { return cluster.passive(name)->watermarks().inspected; }
  HostId host(const std::string& name) { return cluster.host(name).host(); }
  // Everything that was written is durable on the active node, and on `copies`.
  bool written(int transactions, const std::vector<std::string>& copies = {}) {
    write(transactions);
    const auto there = [&] {
      if (cluster.active() == nullptr || cluster.pending() > 0) return false;
      for (const std::string& name : copies)
        if (end_of(name) != cluster.active()->tip().durable) return false;
      return true;
    };
    return world.run_until(there, 60s) == Ended::reached;
  }
  void expect_nothing_aside() {
    EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
    EXPECT_TRUE(cluster.events_of("fork").empty()) << cluster.story();
  }
};

TEST_F(Fetching, WhatTheOneBeforeStillHasWhenItGivesUp) {
  seed();
  ASSERT_TRUE(drain());
  cluster.network().partition(host("alpha"), host("beta"));
  ASSERT_TRUE(written(400));
  world.run_for(8s);
  const Position before = end_of("beta");
  const Position end = cluster.active()->tip().durable;
  ASSERT_LT(before, end);
  cluster.network().heal_all();
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  ASSERT_EQ(cluster.events_of("log_fetched").size(), 1u) << cluster.story();
  EXPECT_EQ((*taken)["missing"]["generations"], 0) << taken->dump();
  EXPECT_EQ((*taken)["missing"]["commits"], 0);
  EXPECT_EQ((*taken)["forced"], false);
  ASSERT_EQ((*taken)["fetched"].size(), 1u);
  EXPECT_EQ((*taken)["fetched"][0]["node"], "alpha");
  EXPECT_GT((*taken)["fetched"][0]["bytes"], 0);
  write(50);
  expect_whole();
  expect_nothing_aside();
  EXPECT_EQ(passes(), 1u);
}

// Under a load that nobody stopped: what alpha acknowledged last may be on its way. What it wrote and acknowledged to nobody may be set aside.
TEST_F(Fetching, WhatWasOnItsWayWhenTheOneBeforeGaveUp) {
  seed();
  ASSERT_TRUE(drain());
  for (int i = 0; i < 60; ++i) static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  EXPECT_EQ((*taken)["missing"]["bytes"], 0) << taken->dump() << cluster.story();
  write(50);
  expect_whole();
}

// alpha, passive, goes back behind the move that made it the active one: beta gave up for it, and knows better.
class FetchingToAnOlderDisk : public Fetching {
 protected:
  void make_active_behind_a_backup() {
    seed();
    write(200);
    ASSERT_TRUE(answer_of("alpha", {{"command", "move"}, {"to", "beta"}}).ok()) << cluster.story();
    ASSERT_TRUE(wait_for("alpha", "healthy"));
    ASSERT_TRUE(written(100, {"alpha"}));
    cluster.host("alpha").stop();
    older_ = cluster.host("alpha").disk().state();
    mark_ = cluster.mark();
    cluster.host("alpha").start();
    ASSERT_TRUE(wait_for("alpha", "healthy"));
    ASSERT_TRUE(answer_of("beta", {{"command", "move"}, {"to", "alpha"}}).ok()) << cluster.story();
    ASSERT_TRUE(wait_for("beta", "healthy"));
    ASSERT_TRUE(written(100, {"beta"}));
  }
  void go_back() {
    cluster.host("alpha").stop();
    cluster.host("alpha").disk().restore(older_);
    cluster.host("alpha").start();
    ASSERT_TRUE(wait_for("alpha", "disconnected"));
    world.run_for(3s);
    const json row = row_of("alpha", "alpha");
    EXPECT_NE(row["hint"].get<std::string>().find("ccr activate"), std::string::npos) << row.dump();
  }

  void give_up_what_is_newer() { cluster.give_up_since(mark_); }

 private:
  DiskState older_;
  std::size_t mark_ = 0;
};

TEST_F(FetchingToAnOlderDisk, WhatItLacksOfItsOwnEpoch) {
  make_active_behind_a_backup();
  go_back();
  const Result<json> plan = answer_of("alpha", {{"command", "activate"}, {"on", "alpha"}, {"dial", "lossless"}, {"dry_run", true}});
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_TRUE((*plan)["allowed"]) << plan->dump();
  EXPECT_NE((*plan)["plan"].dump().find("fetch what beta has"), std::string::npos) << plan->dump();
  const Result<json> taken = activate("alpha", "lossless");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  EXPECT_EQ((*taken)["missing"]["generations"], 0) << taken->dump();
  write(50);
  expect_whole();
  expect_nothing_aside();
}

// beta was being seeded anew, so no copy is whole but the older one. It is not named as one to activate, and the dial decides.
TEST_F(FetchingToAnOlderDisk, ACopyThatIsBeingSeededIsNoneToActivate) {
  make_active_behind_a_backup();
  ASSERT_TRUE(written(300, {"beta"}));
  const auto seeded = ask("beta", {{"command", "seed"}, {"full", true}, {"rate", 100'000}});
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta")->state().seed.from.known(); }, 30s) == Ended::reached) << cluster.story();
  go_back();
  const Result<json> refused = activate("alpha", "lossless");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("are missing, lossless allows 0; beta has log to "), std::string::npos) << refused.error().message;
  EXPECT_EQ(refused.error().hint.find("--dial "), 0u) << refused.error().hint;
  const Result<json> taken = activate("alpha", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  EXPECT_GT((*taken)["missing"]["generations"], 0) << taken->dump();
  give_up_what_is_newer();
  write(50);
  expect_whole();
}

// alpha gave up, and has seven generations that beta lacks; one of the two dies when some of it came.
class FetchingInTheMiddle : public Fetching {
 protected:
  void strike(const std::string& victim) {
    seed();
    ASSERT_TRUE(drain());
    cluster.network().partition(host("alpha"), host("beta"));
    ASSERT_TRUE(written(400));
    world.run_for(8s);
    const Position before = end_of("beta"), end = cluster.active()->tip().durable;
    cluster.network().heal_all();
    asked = ask("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
    const auto received = [&] { return cluster.passive("beta")->watermarks().received; };
    ASSERT_TRUE(world.run_until([&] { return received() > before; }, 60s) == Ended::reached) << cluster.story();
    ASSERT_LT(received(), end);
    cluster.host(victim).kill(draw_power_cut(random));
  }
  void expect_rest_aside() {
    ASSERT_TRUE(world.run_until([&] { return cluster.active("beta") != nullptr && cluster.state("alpha") == "healthy"; }, 90s) == Ended::reached) << cluster.story();
    EXPECT_EQ(cluster.events_of("generations_set_aside").size(), 1u) << "what alpha alone had\n" << cluster.story();
    world.run_for(11s);
    EXPECT_GT(row_of("alpha", "alpha")["quarantine"]["files"], 0);
  }

  std::shared_ptr<Asked> asked;
};

TEST_F(FetchingInTheMiddle, WhoGivesItDiesAndWhatIsMissingIsSaid) {
  strike("alpha");
  ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 90s) == Ended::reached) << cluster.story();
  ASSERT_TRUE((*asked->answer).ok()) << (*asked->answer).error().message << cluster.story();
  const json& taken = **asked->answer;
  EXPECT_EQ(cluster.events_of("log_not_fetched").size(), 1u) << cluster.story();
  EXPECT_GT(taken["missing"]["generations"], 0) << taken.dump();
  EXPECT_EQ(taken["missing"]["known"], true);
  EXPECT_GT(taken["fetched"][0]["bytes"], 0) << "what came is kept";
  cluster.host("alpha").start();
  expect_rest_aside();
}

TEST_F(FetchingInTheMiddle, WhoFetchesDiesAndFetchesTheRestWhenItIsBack) {
  strike("beta");
  ASSERT_TRUE(wait_for("alpha", "disconnected"));
  const Position end = end_of("alpha");
  const Result<json> seeded = answer_of("alpha", {{"command", "seed"}});
  expect_error(seeded, ErrorKind::refused);  // what it alone may have is not given up by a word that does not name it
  EXPECT_NE(seeded.error().hint.find("--yes"), std::string::npos) << seeded.error().hint;
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.active("beta") != nullptr && cluster.state("alpha") == "healthy"; }, 90s) == Ended::reached) << cluster.story();
  EXPECT_GE(cluster.active("beta")->tip().durable, end);
  write(50);
  expect_whole();
  expect_nothing_aside();
}

// Nobody was told what beta lacks.
TEST_F(FetchingInTheMiddle, BothDieAndAPersonDecidesAboutWhatAlphaAloneHad) {
  strike("beta");
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta") != nullptr && cluster.passive("beta")->opened() && row_of("beta", "beta").contains("state"); }, 30s) == Ended::reached) << cluster.story();
  cluster.host("alpha").kill(draw_power_cut(random));
  ASSERT_TRUE(world.run_until([&] { return cluster.active("beta") != nullptr; }, 120s) == Ended::reached) << cluster.story();
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended")) << cluster.story();
  EXPECT_EQ(row_of("alpha", "alpha")["cause"].get<std::string>().find("FORKED"), 0u) << row_of("alpha", "alpha").dump();
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
  ASSERT_TRUE(answer_of("alpha", {{"command", "suspend"}, {"comment", "later"}}).ok());
  EXPECT_EQ(row_of("alpha", "alpha")["cause"].get<std::string>().find("FORKED"), 0u) << "whoever resumes it sees what he decides\n" << row_of("alpha", "alpha").dump();
  EXPECT_NE(row_of("alpha", "alpha")["hint"].get<std::string>().find("--dial force"), std::string::npos);
  const auto chosen = ask("alpha", {{"command", "activate"}, {"on", "alpha"}, {"dial", "force"}});
  ASSERT_TRUE(world.run_until([&] { return cluster.hosted("beta")->role.epoch == 3; }, 30s) == Ended::reached) << cluster.story();
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha")) << "what a person chose is taken up by a copy that failed too\n" << cluster.story();
}

// While beta takes what it lacks a person takes the database back: beta's agreement is void, and there is one active copy.
TEST_F(FetchingInTheMiddle, TheOneBeforeIsActivatedAgainMeanwhile) {
  strike("beta");
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.hosted("beta") != nullptr && cluster.hosted("beta")->activating; }, 30s) == Ended::reached) << cluster.story();
  const Result<json> taken = activate("alpha", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  EXPECT_EQ((*taken)["epoch"], 3);
  world.run_for(20s);
  EXPECT_EQ(cluster.active("beta"), nullptr) << cluster.story();
  write(50);
  expect_whole();
}

// And alpha dies before its epoch is durable: beta, which gave up for it, knows of it.
TEST_F(FetchingInTheMiddle, TheOneBeforeIsActivatedAgainAndDies) {
  strike("beta");
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.hosted("beta") != nullptr && cluster.hosted("beta")->activating; }, 30s) == Ended::reached) << cluster.story();
  const auto again = ask("alpha", {{"command", "activate"}, {"on", "alpha"}, {"dial", "force"}});
  ASSERT_TRUE(world.run_until([&] { return cluster.hosted("beta")->role.epoch == 3; }, 30s) == Ended::reached) << cluster.story();
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  world.run_for(3s);
  EXPECT_EQ(cluster.active("beta"), nullptr) << cluster.story();
  cluster.host("alpha").start();
  ASSERT_TRUE(serves("alpha")) << cluster.story();
  write(50);
  expect_whole();
}

TEST_F(FetchingInTheMiddle, WhoAsksOnceMoreIsToldThatItGoesOn) {
  strike("beta");
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.hosted("beta") != nullptr && cluster.hosted("beta")->activating; }, 30s) == Ended::reached) << cluster.story();
  expect_error(activate("beta", "force"), ErrorKind::busy);
  ASSERT_TRUE(wait_for("beta", "mounted"));
  expect_whole();
  expect_nothing_aside();
}

// One that suspended rests: nothing comes into its log, and what is missing is said.
TEST_F(Fetching, ACopyThatRestsFetchesNothing) {
  seed();
  ASSERT_TRUE(drain());
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  ASSERT_TRUE(written(200));
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  EXPECT_EQ(cluster.events_of("log_not_fetched").size(), 1u) << cluster.story();
  EXPECT_GT((*taken)["missing"]["generations"], 0) << taken->dump();
  EXPECT_FALSE(taken->contains("fetched"));
}

class FetchingOfThree : public Fetching {
 protected:
  FetchingOfThree() : Fetching(three()) {}

  // What alpha acknowledged last gamma has and beta has not; then alpha is gone.
  void lose_alpha(int transactions = 60) {
    cluster.start_all();
    ASSERT_TRUE(wait_for("beta", "healthy") && wait_for("gamma", "healthy"));
    ASSERT_TRUE(written(100, {"beta", "gamma"}));
    cluster.network().partition(host("alpha"), host("beta"));
    ASSERT_TRUE(written(transactions, {"gamma"}));
    ASSERT_LT(end_of("beta"), end_of("gamma"));
    world.run_for(3s);  // gamma truncates what it has replayed
    cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
    world.run_for(10s);
  }
};

TEST_F(FetchingOfThree, WhatTheThirdOneHas) {
  lose_alpha();
  const Position end = end_of("gamma");
  expect_error(activate("beta", "best"), ErrorKind::refused);  // whether alpha had more nobody can say
  EXPECT_EQ(end_of("beta"), end) << "what is there is fetched all the same: it is part of the history";
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  cluster.network().heal_all();
  cluster.host("alpha").start();
  write(50);
  expect_whole();
  expect_nothing_aside();
  EXPECT_EQ(passes(), 2u) << "the first two\n" << cluster.story();
}

// alpha gave up, beta died behind its answer, and alpha is gone when beta is back.
TEST_F(FetchingOfThree, WhatTheThirdOneHasOfAnActivationThatIsTakenUp) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("beta", "healthy") && wait_for("gamma", "healthy"));
  ASSERT_TRUE(written(100, {"beta", "gamma"}));
  cluster.network().partition(host("alpha"), host("beta"));
  ASSERT_TRUE(written(60, {"gamma"}));
  world.run_for(8s);
  const Position end = end_of("gamma");
  ASSERT_LT(end_of("beta"), end);
  cluster.network().heal_all();
  const auto asked = ask("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
  ASSERT_TRUE(world.run_until([&] { return !cluster.events_of("role_changed").empty(); }, 60s) == Ended::reached) << cluster.story();
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  world.run_for(4s);  // gamma hears of it
  cluster.host("alpha").kill({Damage::process_only, Ordering::ordered});
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.active("beta") != nullptr; }, 120s) == Ended::reached) << cluster.story();
  EXPECT_GE(cluster.active("beta")->tip().durable, end) << cluster.story();
  cluster.host("alpha").start();
  write(50);
  expect_whole();
  expect_nothing_aside();
}

// gamma has replayed it, and given the log up: it should be activated itself.
TEST_F(FetchingOfThree, WhatNobodyCanGiveAnyMoreIsKnownToBeMissing) {
  lose_alpha(500);
  for (const char* dial : {"lossless", "best"}) {
    const Result<json> refused = activate("beta", dial);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().hint, "activate the copy on gamma") << refused.error().message;
  }
  const Result<json> taken = activate("gamma", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << cluster.story();
  cluster.network().heal_all();
  cluster.host("alpha").start();
  write(50);
  expect_whole();
  EXPECT_TRUE(cluster.events_of("fork").empty()) << cluster.story();
}

}  // namespace
}  // namespace ccr::sim
