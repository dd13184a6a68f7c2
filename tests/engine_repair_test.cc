// What brings a copy to rights again, and what shows that it is none: seeds, verifications and suspensions of whole nodes in the simulator, asked as `ccr` asks.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// A seed that cannot end within a test.
class SlowlySeeded : public AskedNodes {
 protected:
  void SetUp() override {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
    write(1500);
    ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0 && applied(); }, 60s) == Ended::reached);
    running = ask("beta", {{"command", "seed"}, {"rate", 1000}});
    ASSERT_TRUE(wait_for("beta", "seeding"));
    ASSERT_TRUE(world.run_until([&] { return passes() == 1; }, 10s) == Ended::reached);
  }
  std::shared_ptr<Asked> running;
};

TEST_F(AskedNodes, ASeedHealsACopyThatFailedForGood) {
  seed();
  write(1200);
  ASSERT_TRUE(drain());
  cluster.host("beta").stop();
  const Generation open = cluster.active()->tip().durable.generation;
  ASSERT_TRUE(cluster.host("beta").disk().rot("/log/" + storage::sealed_name(open.previous()), 8192 + 100));
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  const Result<json> dry = answer_of("beta", {{"command", "seed"}, {"dry_run", true}});
  ASSERT_TRUE(dry.ok()) << dry.error().message;
  EXPECT_EQ((*dry)["running"], false);
  expect_mended_by({{"command", "seed"}});
  EXPECT_EQ(passes(), 2u);
}

// Pages that are not the source's, as passes leave them that came out different.
class DivergedCopy : public AskedNodes {
 protected:
  void diverge(std::uint32_t passes, bool failed) {
    cluster.host("beta").stop();
    ASSERT_TRUE(cluster.host("beta").disk().rot("/data/orders.pages", 999 * 512 + 100));
    const auto spoil = [passes, failed](storage::Disk& disk) -> Task<Result<void>> {
      CCR_CO_TRY(co_await disk.remove("/state/orders/digests"));
      storage::StateFile file(disk, "/state/orders");
      Result<storage::CopyState> state = co_await file.load();
      if (!state.ok()) co_return state.error();
      state->seeded = false;
      state->failed = failed;
      state->cause = failed ? "DIVERGED: the root differs after 3 passes" : "";
      state->seed.source = "alpha";
      state->seed.pass = passes;
      state->seed.from = state->seed.until = state->min_required;
      state->seed.until_commit = state->replayed_commit;
      const storage::CopyState told = *state;
      co_return co_await file.save(told);
    };
    on_disk("beta", spoil);
  }
};

TEST_F(DivergedCopy, HasPassesToTryWhenItIsResumed) {
  seed();
  write(50);
  ASSERT_TRUE(drain());
  diverge(engine::PassiveCopy::seed_passes_max, true);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(cluster.events_of("root_differs").size(), 1u) << cluster.story();
  expect_equal();
}

// Every seal of what is replayed beyond Q tells the same.
TEST_F(DivergedCopy, FailsByOneVerdictAPass) {
  seed();
  write(50);
  ASSERT_TRUE(drain());
  diverge(engine::PassiveCopy::seed_passes_max - 1, false);
  write(1200);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 10s) == Ended::reached);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  world.run_for(5s);
  EXPECT_EQ(cluster.events_of("root_differs").size(), 1u) << cluster.story();
  const std::string cause = row_of("beta", "beta")["cause"];
  EXPECT_NE(cause.find("after 3 passes"), std::string::npos) << cause;
}

TEST_F(SlowlySeeded, ASuspensionEndsTheWatchAndASeedBeginsAnew) {
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"comment", "disk swap"}, {"by", "root"}}).ok());
  ASSERT_TRUE(world.run_until([&] { return running->answer.has_value(); }, 5s) == Ended::reached);
  expect_error(*running->answer, ErrorKind::refused);
  EXPECT_EQ(cluster.state("beta"), "suspended");
  EXPECT_EQ(row_of("beta", "beta")["seed"]["running"], false);
  const Result<json> seeded = answer_of("beta", {{"command", "seed"}, {"full", true}});
  ASSERT_TRUE(seeded.ok()) << seeded.error().message << "\n" << cluster.story();
  EXPECT_EQ(passes(), 2u);
  EXPECT_EQ((*seeded)["running"], false);
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(SlowlySeeded, ADifferenceThatRunsTakesARateAndARestButNotFull) {
  expect_error(answer_of("beta", {{"command", "seed"}, {"full", true}, {"rate", 0}}), ErrorKind::busy);
  EXPECT_EQ(cluster.passive("beta")->state().seed.bytes_per_second_max, 1000u) << "a refused command changes nothing";
  const Result<json> joined = answer_of("beta", {{"command", "seed"}, {"manual_resume", true}, {"rate", 0}});
  ASSERT_TRUE(joined.ok()) << joined.error().message;
  EXPECT_TRUE(wait_for("beta", "suspended", 10s));
  EXPECT_TRUE(cluster.passive("beta")->state().seeded);
  EXPECT_EQ(passes(), 1u);
}

// Somebody writes a page of beta's file, as an editor or a program would.
class TouchedCopy : public AskedNodes {
 protected:
  void SetUp() override {
    seed();
    write(50);
    ASSERT_TRUE(drain());
  }
  void touch() {
    cluster.host("beta").stop();
    const auto work = [](storage::Disk& disk) -> Task<Result<void>> {
      Result<std::unique_ptr<storage::File>> file = co_await disk.open("/data/orders.pages", storage::OpenMode::read_write);
      if (!file.ok()) co_return file.error();
      const Bytes foreign(512, std::byte{0x5a});
      CCR_CO_TRY(co_await (*file)->write_at(41 * 512, foreign));
      co_return co_await (*file)->sync();
    };
    on_disk("beta", work);
    cluster.host("beta").start();
  }
  void seed_and_compare() {
    ASSERT_TRUE(answer_of("beta", {{"command", "seed"}}).ok());
    ASSERT_TRUE(wait_for("beta", "healthy"));
    EXPECT_EQ(row_of("beta", "beta")["cause"], "");
    const Result<json> verified = answer_of("beta", {{"command", "verify"}});
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    EXPECT_EQ((*verified)["equal"], true);
    expect_equal();
  }
};

TEST_F(TouchedCopy, IsRepairedByTheVerificationThatFindsIt) {
  touch();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  const Result<json> verified = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ((*verified)["equal"], false);
  EXPECT_EQ((*verified)["differing_pages"], json({42}));
  EXPECT_EQ((*verified)["repaired_pages"], json({42}));
  EXPECT_TRUE(row_of("beta", "beta")["disk_verified_at"].is_string());
  EXPECT_EQ(row_of("beta", "beta")["scrub"]["repaired_pages"], 1);
  EXPECT_EQ(cluster.state("beta"), "healthy");
  const Result<json> again = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ((*again)["equal"], true);
  expect_equal();
}

TEST_F(TouchedCopy, IsFailedByTheVerificationThatFindsItUntilASeed) {
  ASSERT_TRUE(answer_of("beta", {{"command", "verify"}}).ok());
  ASSERT_TRUE(row_of("beta", "beta")["disk_verified_at"].is_string());
  touch();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  ASSERT_TRUE(cluster.host("alpha").disk().rot("/data/orders.pages", 41 * 512));  // so that nobody has it
  const Result<json> verified = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ((*verified)["differing_pages"], json({42}));
  EXPECT_EQ((*verified)["repaired_pages"], json::array());
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  cluster.host("beta").stop();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended")) << "also after a restart";
  const json row = row_of("beta", "beta");
  EXPECT_EQ(row["cause"], "PAGE: 1 of 3000 pages of /data/orders.pages are not what the log says, the first is page 42");
  EXPECT_EQ(row["hint"], "ccr seed orders@beta");
  EXPECT_TRUE(row["disk_verified_at"].is_null());
  EXPECT_NE(row_of("alpha", "alpha")["cause"], "");
  expect_error(answer_of("beta", {{"command", "resume"}}), ErrorKind::corrupt);
  EXPECT_EQ(cluster.state("beta"), "failed_and_suspended");
  ASSERT_TRUE(cluster.commit(random, {42}));
  seed_and_compare();
}

TEST_F(TouchedCopy, IsNoticedAtTheResume) {
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  touch();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  expect_error(answer_of("beta", {{"command", "resume"}}), ErrorKind::corrupt);
  EXPECT_EQ(cluster.state("beta"), "suspended");
  const Result<json> verified = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ(cluster.state("beta"), "suspended");
  EXPECT_EQ(row_of("beta", "beta")["hint"], "ccr seed orders@beta");
  EXPECT_NE(row_of("beta", "beta")["cause"].get<std::string>().find("PAGE: 1 of"), std::string::npos);
  seed_and_compare();
}

TEST_F(TouchedCopy, MayBeLookedIntoAndResumed) {
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  write(20);
  cluster.host("beta").stop();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

class RottenSource : public AskedNodes {
 protected:
  static constexpr PageNumber rotten = 1000;
  Bytes good;  // beta's page before

  Bytes page_of(const std::string& node) {
    const Result<Bytes> file = cluster.page_file_of(node);
    CCR_ASSERT(file.ok());
    const auto at = file->begin() + std::ptrdiff_t(rotten - 1) * 512;
    return {at, at + 512};
  }
  void SetUp() override {
    seed();
    write(50);
    ASSERT_TRUE(cluster.commit(random, {rotten}));
    ASSERT_TRUE(drain());
    cluster.host("beta").stop();
    good = page_of("beta");
    cluster.host("beta").start();
    ASSERT_TRUE(wait_for("beta", "healthy"));
    ASSERT_TRUE(cluster.host("alpha").disk().rot("/data/orders.pages", (rotten - 1) * 512 + 100));
  }
};

TEST_F(RottenSource, DoesNotSendThePageAndBothSidesSaySo) {
  const Result<json> seeded = answer_of("beta", {{"command", "seed"}, {"full", true}});
  expect_error(seeded, ErrorKind::corrupt);
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  EXPECT_EQ(row_of("beta", "beta")["cause"], "SEED: the source ended the seed: page 1000 of /data/orders.pages is not what its log says");
  EXPECT_NE(row_of("beta", "beta")["hint"], "");
  const json there = row_of("alpha", "alpha");
  EXPECT_EQ(there["state"], "mounted");
  EXPECT_EQ(there["cause"], "PAGE: page 1000 of /data/orders.pages is not what its log says");
  EXPECT_NE(there["hint"], "");
  cluster.host("alpha").stop();
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], there["cause"]) << "also after a restart";
  cluster.host("beta").stop();
  EXPECT_EQ(page_of("beta"), good);
}

TEST_F(RottenSource, IsFoundByAVerificationAndTheCopyStaysWell) {
  const Result<json> verified = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ((*verified)["active"]["differing_pages"], json({rotten}));
  EXPECT_EQ((*verified)["differing_total"], 0);
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "PAGE: page 1000 of /data/orders.pages is not what its log says");
  EXPECT_TRUE(row_of("beta", "beta")["disk_verified_at"].is_null());
  EXPECT_EQ(cluster.state("beta"), "healthy");
}

TEST_F(RottenSource, IsHealedByAWriteAndTheSeedGoesOn) {
  expect_error(answer_of("beta", {{"command", "seed"}, {"full", true}}), ErrorKind::corrupt);
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  ASSERT_TRUE(cluster.commit(random, {rotten}));
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 5s) == Ended::reached);
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(passes(), 2u) << "the pass that was cut short goes on";
  const Result<json> verified = answer_of("beta", {{"command", "verify"}});
  ASSERT_TRUE(verified.ok()) << verified.error().message;
  EXPECT_EQ((*verified)["equal"], true);
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
  expect_equal();
}

// Every page is on its way to the file at any time, some at every moment.
TEST_F(AskedNodes, ASourceThatIsWrittenAllTheTimeIsNoRottenOne) {
  seed();
  write(300, 20000);
  std::shared_ptr<Asked> asked = ask("beta", {{"command", "seed"}, {"full", true}});
  for (int i = 0; i < 3000 && !asked->answer; ++i) {
    ASSERT_TRUE(cluster.commit(random, {1, 700, static_cast<PageNumber>(random.between(1, 20000))}));
    world.run_for(1ms);
  }
  ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 60s) == Ended::reached);
  ASSERT_TRUE((*asked->answer).ok()) << (*asked->answer).error().message;
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
  expect_equal();
}

TEST_F(SlowlySeeded, IsNoCopyAndHasNoLagNoQueuesAndNoProofs) {
  world.run_for(5s);
  for (const char* const at : {"alpha", "beta"}) {
    const json row = row_of(at, "beta");
    EXPECT_EQ(row["state"], "seeding") << at;
    for (const char* const field : {"lag_seconds", "copy_queue", "replay_queue", "root_equal_at", "disk_verified_at"})
      EXPECT_TRUE(row[field].is_null()) << at << " " << field << " " << row[field];
  }
}

TEST_F(AskedNodes, ASeedEndsTheProofsOfTheCopyThatItReplaces) {
  seed();
  ASSERT_TRUE(drain());
  ASSERT_TRUE(answer_of("beta", {{"command", "verify"}}).ok());
  ASSERT_TRUE(row_of("beta", "beta")["disk_verified_at"].is_string());
  const std::shared_ptr<Asked> running = ask("beta", {{"command", "seed"}, {"full", true}, {"rate", 1000}});
  ASSERT_TRUE(world.run_until([&] { return passes() == 2; }, 10s) == Ended::reached);
  world.run_for(3s);
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  world.run_for(3s);
  for (const char* const at : {"alpha", "beta"}) {
    const json row = row_of(at, "beta");
    EXPECT_EQ(row["state"], "suspended") << at;
    for (const char* const field : {"lag_seconds", "copy_queue", "root_equal_at", "disk_verified_at"})
      EXPECT_TRUE(row[field].is_null()) << at << " " << field << " " << row[field];
  }
}

TEST_F(AskedNodes, ACopyThatHasEverythingDoesNotLagWhateverItLackedBefore) {
  seed();
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  write(200);
  world.run_for(8s);
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  ASSERT_TRUE(drain());
  world.run_for(2s);
  EXPECT_EQ(row_of("alpha", "beta")["lag_seconds"], 0.0);
  EXPECT_EQ(row_of("alpha", "beta")["copy_queue"]["seconds"], 0.0);
  // And the backlog is no measure of the path for what is written next.
  double most = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(cluster.commit(random, {static_cast<PageNumber>(1 + i)}));
    world.run_for(1ms);
    most = std::max(most, row_of("alpha", "beta")["lag_seconds"].get<double>());
  }
  EXPECT_GT(most, 0.0);
  EXPECT_LT(most, 1.0);
}

TEST_F(AskedNodes, WhatAnAbsentCopyLacksIsShownAsLastHeard) {
  seed();
  ASSERT_TRUE(drain());
  world.run_for(2s);
  EXPECT_TRUE(row_of("alpha", "beta")["queues_as_of"].is_null());
  cluster.host("beta").stop();
  write(500);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 10s) == Ended::reached);
  const json row = row_of("alpha", "beta");
  EXPECT_EQ(row["state"], "disconnected");
  EXPECT_TRUE(row["queues_as_of"].is_string());
  EXPECT_GT(row["copy_queue"]["bytes"], 500 * 512);
  EXPECT_TRUE(row["lag_seconds"].is_null());
}

TEST_F(AskedNodes, TheActiveNodeHasThePassiveOnesHint) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
  world.run_for(3s);
  EXPECT_EQ(row_of("alpha", "beta")["hint"], "ccr seed orders@beta");
  write(50);
  ASSERT_TRUE(answer_of("beta", {{"command", "seed"}}).ok());
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  world.run_for(3s);
  EXPECT_EQ(row_of("alpha", "beta")["hint"], "ccr resume orders@beta");
}

TEST_F(AskedNodes, ASeedWhoseSourceIsAwayHasDoneNothing) {
  seed();
  ASSERT_TRUE(drain());
  ASSERT_GT(row_of("beta", "beta")["seed"]["done_bytes"], 0);
  cluster.host("alpha").stop();
  const std::shared_ptr<Asked> running = ask("beta", {{"command", "seed"}});
  world.run_for(5s);
  ASSERT_FALSE(running->answer.has_value());
  const json seed = row_of("beta", "beta")["seed"];
  EXPECT_EQ(seed["running"], true);
  EXPECT_EQ(seed["done_bytes"], 0);
  EXPECT_EQ(seed["total_bytes"], 0);
}

}  // namespace
}  // namespace ccr::sim
