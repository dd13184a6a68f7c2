// The page file of a copy as somebody leaves it: cut, taken away, at its place before the copy was; and words to a copy that cannot open it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace touched_files {

using namespace std::chrono_literals;
using nlohmann::json;

class TouchedFiles : public AskedNodes {
 protected:
  static constexpr const char* page_file = "/data/orders.pages";

  void cut(const std::string& node, std::uint64_t bytes) {
    on_disk(node, [bytes](storage::Disk& disk) -> Task<Result<void>> {
      Result<std::unique_ptr<storage::File>> file = co_await disk.open(page_file, storage::OpenMode::read_write);
      if (!file.ok()) co_return file.error();
      CCR_CO_TRY(co_await (*file)->truncate(bytes));
      co_return co_await (*file)->sync();
    });
  }
  std::uint64_t bytes_at(const std::string& node) {
    const DiskState& disk = cluster.host(node).disk().state();
    const Result<NodeId> file = disk.find(page_file);
    return file.ok() ? disk.cached(*file).size() : 0;
  }
};

TEST_F(TouchedFiles, APageStoreWhoseFileWasCutIsNotServedAndCutsNoCopy) {
  seed();
  write(1200);
  ASSERT_TRUE(drain());
  const std::uint64_t whole = bytes_at("beta");
  cluster.host("alpha").stop();
  const DiskState before = cluster.host("alpha").disk().state();
  cut("alpha", 40 * 512);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "dismounted"));
  const json alpha = row_of("alpha", "alpha");
  EXPECT_NE(alpha["cause"].get<std::string>().find("somebody cut the file"), std::string::npos) << alpha.dump();
  EXPECT_NE(alpha["hint"].get<std::string>(), "");
  EXPECT_FALSE(answer_of("beta", {{"command", "seed"}, {"full", true}}, 20s).ok());
  EXPECT_EQ(bytes_at("beta"), whole);
  cluster.host("alpha").stop();
  cluster.host("alpha").disk().restore(before);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TouchedFiles, ACopyWhoseFileWasCutAtAPageFailsUntilASeed) {
  seed();
  write(1200);
  ASSERT_TRUE(drain());
  world.run_for(1s);  // its state is saved: nothing is to be replayed at the start
  cluster.host("beta").stop();
  cut("beta", 40 * 512);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  const json beta = row_of("beta", "beta");
  EXPECT_NE(beta["cause"].get<std::string>().find("has 40 pages, expected"), std::string::npos) << beta.dump();
  expect_mended_by({{"command", "seed"}});
}

// Killed in the middle of a batch that makes the file longer: its length before that.
class CutInABatch : public TouchedFiles {
 protected:
  void SetUp() override {
    seed();
    ASSERT_TRUE(drain());
    world.run_for(1s);
    before = bytes_at("beta");
    ASSERT_TRUE(cluster.commit(random, {2, 6000}));
    ASSERT_TRUE(world.run_until([&] { return bytes_at("beta") > before; }, 60s) == Ended::reached);
    ASSERT_LT(cluster.passive("beta")->state().min_required, cluster.passive("beta")->state().max_required);
    cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  }
  std::uint64_t before = 0;
};

TEST_F(CutInABatch, WhatTheBatchWritesComesBackByRedo) {
  cut("beta", before);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  ASSERT_TRUE(drain());
  expect_equal();
}

TEST_F(CutInABatch, AnythingElseFailsUntilASeed) {
  cut("beta", 40 * 512);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  const json beta = row_of("beta", "beta");
  EXPECT_NE(beta["cause"].get<std::string>().find("has 40 pages, expected 3000: page 42 is not in the log"), std::string::npos) << beta.dump();
  expect_mended_by({{"command", "seed"}});
}

TEST_F(TouchedFiles, ACopyWhoseFileIsGoneBeforeItsSeedWasOverIsSeededAgain) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  write(200);
  cluster.request_seed("beta");
  ASSERT_TRUE(world.run_until([&] { return !cluster.events_of("seed_pages_done").empty(); }, 60s) == Ended::reached);
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  ASSERT_TRUE(cluster.events_of("seed_finished").empty()) << "the seed was over before its file could go";
  on_disk("beta", [](storage::Disk& disk) { return disk.remove(page_file); });
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return !cluster.events_of("seed_finished").empty(); }, 60s) == Ended::reached) << cluster.story();
  EXPECT_EQ(passes(), 2u);
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TouchedFiles, ACopyWhoseFileIsGoneMakesNoOtherInItsPlace) {
  seed();
  ASSERT_TRUE(world.run_until([&] { return !cluster.events_of("seed_finished").empty(); }, 60s) == Ended::reached) << cluster.story();
  ASSERT_TRUE(drain());
  cluster.host("beta").stop();
  on_disk("beta", [](storage::Disk& disk) { return disk.remove(page_file); });
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed"));
  EXPECT_FALSE(cluster.host("beta").disk().state().find(page_file).ok());
  expect_mended_by({{"command", "seed"}});
}

TEST_F(TouchedFiles, AFileThatWasThereBeforeTheCopyIsNotOverwrittenUnasked) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
  write(20);
  cluster.host("beta").stop();
  on_disk("beta", [](storage::Disk& disk) -> Task<Result<void>> {
    CCR_CO_TRY(co_await disk.make_directories("/data"));
    Result<std::unique_ptr<storage::File>> file = co_await disk.open(page_file, storage::OpenMode::create_new);
    if (!file.ok()) co_return file.error();
    const Bytes somebodys(5000, std::byte{'x'});
    CCR_CO_TRY(co_await (*file)->write_at(0, somebodys));
    co_return co_await (*file)->sync();
  });
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  expect_error(answer_of("beta", {{"command", "seed"}}), ErrorKind::refused);
  const Result<json> dry = answer_of("beta", {{"command", "seed"}, {"dry_run", true}});
  ASSERT_TRUE(dry.ok());
  const json& checks = (*dry)["checks"];
  EXPECT_TRUE(std::any_of(checks.begin(), checks.end(), [](const json& check) { return check["ok"] == false; })) << dry->dump();
  EXPECT_EQ(bytes_at("beta"), 5000u);
  EXPECT_EQ(cluster.state("beta"), "needs_seed");
  expect_mended_by({{"command", "seed"}, {"yes", true}});
}

TEST_F(TouchedFiles, ALogThatAProgramLeftBesideTheCopyStopsAResumeAndAVerification) {
  seed();
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  cluster.host("beta").stop();
  on_disk("beta", [](storage::Disk& disk) -> Task<Result<void>> {
    Result<std::unique_ptr<storage::File>> file = co_await disk.open(std::string(page_file) + "-wal", storage::OpenMode::create_new);
    if (!file.ok()) co_return file.error();
    const Bytes frames(4128, std::byte{1});
    co_return co_await (*file)->write_at(0, frames);
  });
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  expect_error(answer_of("beta", {{"command", "resume"}}), ErrorKind::corrupt);
  expect_error(answer_of("beta", {{"command", "verify"}}), ErrorKind::corrupt);
  EXPECT_EQ(cluster.state("beta"), "suspended");
  cluster.host("beta").stop();
  on_disk("beta", [](storage::Disk& disk) { return disk.remove(std::string(page_file) + "-wal"); });
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

// A full disk: the person is told, and the same word once more is said anew.
TEST_F(TouchedFiles, AWordThatCannotBeSavedWasNotSaid) {
  seed();
  ASSERT_TRUE(drain());
  SimDisk& disk = cluster.host("beta").disk();
  const DiskPlan full{DiskAction::write, "/state/orders/state.", 0, 9, ErrorKind::no_space};
  disk.plan(full);
  expect_error(answer_of("beta", {{"command", "suspend"}, {"comment", "disk swap"}}), ErrorKind::no_space);
  EXPECT_FALSE(cluster.passive("beta")->state().suspended);
  disk.clear_plans();
  world.run_for(60s);
  ASSERT_TRUE(wait_for("beta", "healthy")) << "and it does not come into force later";
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"comment", "disk swap"}}).ok());
  ASSERT_TRUE(wait_for("beta", "suspended"));
  disk.plan(full);
  expect_error(answer_of("beta", {{"command", "resume"}}), ErrorKind::no_space);
  EXPECT_EQ(cluster.passive("beta")->state().comment, "disk swap");
  expect_error(answer_of("beta", {{"command", "seed"}}), ErrorKind::no_space);
  EXPECT_TRUE(cluster.passive("beta")->state().suspended);
  disk.clear_plans();
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TouchedFiles, AResumeAndASuspensionAreAnsweredWhereTheFilesCannotBeOpened) {
  seed();
  ASSERT_TRUE(drain());
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  SimDisk& disk = cluster.host("beta").disk();
  disk.plan({DiskAction::open, page_file, 0, 99, ErrorKind::no_space});
  const Result<json> resumed = answer_of("beta", {{"command", "resume"}}, 5s);
  ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  EXPECT_EQ(row_of("beta", "beta")["state"], "failed");
  EXPECT_NE(row_of("beta", "beta")["cause"], "");
  world.run_for(60s);
  ASSERT_EQ(cluster.state("beta"), "failed") << "and tried again";
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}, 5s).ok()) << "in the middle of a pause of 30 s";
  EXPECT_EQ(cluster.state("beta"), "suspended");
  ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}, 5s).ok());
  disk.clear_plans();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(TouchedFiles, ASuspensionKeepsItsCommentWhereNoneIsGivenAgain) {
  seed();
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"comment", "disk swap"}}).ok());
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"comment", ""}}).ok());
  EXPECT_EQ(row_of("beta", "beta")["comment"], "disk swap");
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}, {"comment", "still"}}).ok());
  EXPECT_EQ(row_of("beta", "beta")["comment"], "still");
}

}  // namespace touched_files
}  // namespace ccr::sim
