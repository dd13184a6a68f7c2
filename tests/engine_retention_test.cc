// Log that is kept beside what copies need, backups that let it go, and budgets at their end; whole nodes in the simulator.
#include <gtest/gtest.h>

#include "engine/retention.h"
#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace retained {

using namespace std::chrono_literals;
using engine::Retention;
using engine::retained_from;
using engine::retention_broken;

constexpr std::uint64_t generations_in_budget = 8;

ClusterOptions keeping(Retention retention, bool with_budget = false, bool stops = false) {
  ClusterOptions options;
  options.configure = [=](const std::string&, engine::Config& config) {
    engine::DatabaseConfig& orders = config.databases.at("orders");
    orders.retention = retention;
    orders.log_budget_stops = stops;
    if (with_budget) orders.log_budget_bytes = generations_in_budget * orders.generation_bytes;
  };
  return options;
}

constexpr Retention until_backup{Retention::Kind::until_backup, {}};

class Keeping : public AskedNodes {
 protected:
  using AskedNodes::AskedNodes;

  Generation first() { return cluster.active()->log_keeper().first(); }
  Generation open() { return cluster.active()->tip().durable.generation; }
  Generation first_on_beta() { return cluster.passive("beta")->truncation_facts()->first; }
  // Log of so many generations more, all of it on both nodes.
  void write_generations(std::uint64_t count) {
    const std::uint64_t until = open().number + count;
    for (int i = 0; i < 20'000 && open().number < until; ++i) {
      ASSERT_TRUE(cluster.commit(random, some_pages(random, 2000)));
      world.run_for(1ms);
    }
    ASSERT_GE(open().number, until);
    ASSERT_TRUE(drain());
    world.run_for(3s);
  }
  Result<json> back_up(const std::string& node, const std::string& to, bool copy_only = false) {
    return answer_of(node, {{"command", "backup"}, {"to", to}, {"copy_only", copy_only}});
  }
  bool comes(const std::function<bool()>& what, Duration limit = 60s) { return world.run_until(what, limit) == Ended::reached; }
};

class UntilBackup : public Keeping {
 protected:
  UntilBackup() : Keeping(keeping(until_backup)) {}
};

TEST_F(UntilBackup, KeepsAllLogOnBothSidesUntilABackupOfEither) {
  seed();
  write_generations(6);
  EXPECT_EQ(first().number, 1u);
  const Generation kept_on_beta = first_on_beta();
  EXPECT_LE(kept_on_beta.number + 5, open().number);
  EXPECT_EQ(row_of("alpha", "alpha")["retention"]["policy"], "until-backup");
  EXPECT_TRUE(row_of("alpha", "alpha")["last_backup"].is_null());

  const Result<json> taken = back_up("beta", "/backup");
  ASSERT_TRUE(taken.ok()) << taken.error().message;
  const std::uint64_t covered = (*taken)["position"]["generation"];
  ASSERT_GT(covered, 5u);
  ASSERT_TRUE(comes([&] { return first().number + 1 >= covered; })) << first().number << " of " << covered << cluster.story();
  EXPECT_LE(first().number, covered) << "what came after the backup is kept";
  ASSERT_TRUE(comes([&] { return first_on_beta() > kept_on_beta; }));
  EXPECT_EQ(row_of("alpha", "alpha")["last_backup"]["position"]["generation"], covered) << "it was told";
  EXPECT_FALSE(row_of("alpha", "alpha")["retention"]["broken"]);

  write_generations(4);
  EXPECT_LE(first().number, covered);
}

TEST_F(UntilBackup, KnowsOfItAfterARestart) {
  seed();
  write_generations(6);
  ASSERT_TRUE(back_up("alpha", "/backup").ok()) << cluster.story();
  ASSERT_TRUE(comes([&] { return first().number > 4; })) << first().number;
  world.run_for(3s);
  cluster.host("alpha").kill({});
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  EXPECT_GT(row_of("alpha", "alpha")["last_backup"]["position"]["generation"], 4u);
}

TEST_F(UntilBackup, ABackupThatIsACopyOnlyLetsNothingGo) {
  seed();
  write_generations(6);
  ASSERT_TRUE(back_up("beta", "/backup", true).ok());
  world.run_for(60s);
  EXPECT_EQ(first().number, 1u);
  EXPECT_TRUE(row_of("beta", "beta")["last_backup"].is_null());
}

TEST_F(UntilBackup, LogWhyNamesThePolicy) {
  seed();
  write_generations(4);
  const Result<json> why = answer_of("alpha", {{"command", "why"}, {"generation", 2}});
  ASSERT_TRUE(why.ok()) << why.error().message;
  ASSERT_FALSE((*why)["held_by"].empty());
  EXPECT_EQ((*why)["held_by"].back()["who"], "retention");
}

class WithinABudget : public Keeping {
 protected:
  WithinABudget() : Keeping(keeping(until_backup, true)) {}
};

TEST_F(WithinABudget, TheOldestIsGivenUpAndSaidOnceAndABackupMakesItWhole) {
  seed();
  write_generations(2 * generations_in_budget);
  EXPECT_LE(cluster.active()->log_keeper().bytes(), generations_in_budget * cluster.active()->database().generation_bytes);
  EXPECT_GT(first().number, generations_in_budget);
  EXPECT_EQ(cluster.events_of("retention_given_up").size(), 2u) << "one for each copy\n" << cluster.story();
  EXPECT_EQ(cluster.events_of("pin_dropped").size(), 0u);
  EXPECT_TRUE(row_of("alpha", "alpha")["retention"]["broken"]);
  ASSERT_TRUE(back_up("beta", "/backup").ok());
  ASSERT_TRUE(comes([&] { return !row_of("alpha", "alpha")["retention"]["broken"]; }));
  EXPECT_FALSE(row_of("beta", "beta")["retention"]["broken"]);
}

class ForATime : public Keeping {
 protected:
  ForATime() : Keeping(keeping({Retention::Kind::keep, 10min})) {}
};

TEST_F(ForATime, LogGoesWhenItsTimeIsOverAndNotBeforeAlsoOverARestart) {
  seed();
  write_generations(4);
  const Generation then = open();
  world.run_for(5min);
  EXPECT_EQ(first().number, 1u);
  cluster.host("alpha").kill({});
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "healthy"));
  write_generations(1);
  world.run_for(2min);
  EXPECT_EQ(first().number, 1u) << "7 of 10 minutes";
  ASSERT_TRUE(comes([&] { return first() >= then.previous(); }, 8min)) << first().number << " of " << then.number;
  EXPECT_LE(first_on_beta(), open());
}

class Stops : public Keeping {
 protected:
  Stops() : Keeping(keeping({}, true, true)) {}
  void write_one() { ASSERT_TRUE(cluster.commit(random, some_pages(random, 2000))); }
};

TEST_F(Stops, CommitsWaitWhereALackingCopyHoldsTheWholeBudgetAndGoOnWithIt) {
  seed();
  cluster.host("beta").stop();
  for (int i = 0; i < 20'000; ++i) {
    if (cluster.pending() == 0) write_one();
    world.run_for(10ms);
    if (row_of("alpha", "alpha")["cause"].get<std::string>().starts_with("commits wait: the log budget")) break;
  }
  const json row = row_of("alpha", "alpha");
  EXPECT_EQ(row["cause"], "commits wait: the log budget is used up, held by beta") << row.dump();
  EXPECT_NE(row["hint"], "");
  const CommitNumber end = cluster.active()->tip().commit;
  if (cluster.pending() == 0) write_one();
  world.run_for(5min);
  EXPECT_EQ(cluster.active()->tip().commit, end) << "nothing is written beyond the budget";
  EXPECT_LE((open().number - first().number) * cluster.active()->database().generation_bytes, generations_in_budget * cluster.active()->database().generation_bytes);
  EXPECT_EQ(cluster.events_of("pin_dropped").size(), 0u);

  cluster.host("beta").start();
  ASSERT_TRUE(comes([&] { return cluster.pending() == 0; })) << cluster.story();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_GT(cluster.active()->tip().commit, end);
  EXPECT_TRUE(comes([&] { return row_of("alpha", "alpha")["cause"] == ""; }, 5s)) << row_of("alpha", "alpha").dump();
  expect_equal();
}

TEST(RetainedFrom, IsTheLaterOfWhatThePolicyWantsAndWhatTheBudgetLeft) {
  const auto at = [](std::uint64_t generation) { return Position::start_of({generation}); };
  storage::CopyState state;
  EXPECT_EQ(retained_from({}, state, at(9)), std::nullopt);
  EXPECT_EQ(retained_from(until_backup, state, at(9)), Position{}) << "no backup: everything";
  state.backup.at = at(5);
  EXPECT_EQ(retained_from(until_backup, state, at(9)), at(5));
  EXPECT_FALSE(retention_broken(until_backup, state, at(9)));
  state.log_given_up = at(7);
  EXPECT_EQ(retained_from(until_backup, state, at(9)), at(7));
  EXPECT_TRUE(retention_broken(until_backup, state, at(9)));
  const Retention keep{Retention::Kind::keep, 1h};
  EXPECT_EQ(retained_from(keep, state, at(9)), at(9));
  EXPECT_FALSE(retention_broken(keep, state, at(9)));
  EXPECT_EQ(retained_from(keep, state, at(3)), at(7));
  EXPECT_TRUE(retention_broken(keep, state, at(3)));
}

TEST(BackupMark, OnlyGrowsAndEndsWithItsHistory) {
  const auto at = [](std::uint64_t generation) { return Position::start_of({generation}); };
  storage::CopyState state;
  EXPECT_TRUE(engine::take_backup_mark(state, {at(5), 1, {10}}));
  EXPECT_FALSE(engine::take_backup_mark(state, {at(5), 1, {20}}));
  EXPECT_FALSE(engine::take_backup_mark(state, {at(4), 2, {20}}));
  engine::cut_backup_mark(state, at(5));
  EXPECT_EQ(state.backup.at, at(5)) << "the history goes as far";
  engine::cut_backup_mark(state, at(4));
  EXPECT_EQ(state.backup, storage::BackupMark{});
}

}  // namespace retained
}  // namespace ccr::sim
