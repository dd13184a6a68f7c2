// A backup of a copy, passive or active: whole nodes in the simulator.
#include <gtest/gtest.h>

#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

class BackupOfCopy : public AskedNodes {
 protected:
  Result<json> back_up(const std::string& to) { return answer_of("beta", {{"command", "backup"}, {"to", to}}); }
  std::vector<std::string> files_in(const std::string& node, const std::string& directory) {
    std::vector<std::string> names;
    const auto look = [&](storage::Disk& disk) -> Task<Result<void>> {
      const Result<std::vector<storage::DirectoryEntry>> entries = co_await disk.list(directory);
      if (!entries.ok()) co_return entries.error();
      for (const storage::DirectoryEntry& entry : *entries) names.push_back(entry.name);
      co_return Result<void>();
    };
    on_disk(node, look);
    return names;
  }
  json back_up_under_load(const std::string& node) {
    const std::shared_ptr<Asked> asked = ask(node, {{"command", "backup"}, {"to", "/backup/monday"}, {"rate", 2'000'000}});
    for (int i = 0; i < 3000 && !asked->answer; ++i) {
      static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
      world.run_for(1ms);
    }
    EXPECT_TRUE(asked->answer && asked->answer->ok()) << (asked->answer ? asked->answer->error().message : "no answer") << cluster.story();
    return asked->answer && asked->answer->ok() ? **asked->answer : json::object();
  }
  // The node is down.
  void expect_file(const std::string& node, const json& taken) {
    EXPECT_EQ(taken["file"], "/backup/monday/orders.pages");
    EXPECT_EQ(files_in(node, "/backup/monday"), (std::vector<std::string>{"orders.pages", "orders.pages.json"}));
    Digest64 root = 0;
    std::uint64_t pages = 0;
    const auto sum = [&](storage::Disk& disk) -> Task<Result<void>> {
      Result<std::unique_ptr<storage::File>> file = co_await disk.open("/backup/monday/orders.pages", storage::OpenMode::read);
      if (!file.ok()) co_return file.error();
      Bytes image(512);
      for (;; ++pages) {
        const ByteSpan into(image);
        const Result<std::size_t> got = co_await (*file)->read_at(pages * 512, into);
        if (!got.ok()) co_return got.error();
        if (*got < 512) break;
        root += page_digest(static_cast<PageNumber>(pages + 1), image);
      }
      co_return Result<void>();
    };
    on_disk(node, sum);
    EXPECT_EQ(to_hex(root, 16), taken["root"].get<std::string>());
    EXPECT_EQ(pages, taken["pages"]);
  }
};

TEST_F(BackupOfCopy, IsOneCommitsContentWhileTheSourceGoesOn) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  const json taken = back_up_under_load("beta");
  ASSERT_TRUE(drain());
  EXPECT_LT(taken["commit"], cluster.active()->tip().commit) << "the source went on";
  cluster.host("beta").stop();
  expect_file("beta", taken);
}

// Which ends the batch where it is, before the end that was promised for it.
TEST_F(BackupOfCopy, MayBeginInTheMiddleOfABatchOfReplay) {
  seed();
  for (int i = 0; i < 8; ++i) {
    write(100);
    const auto in_a_batch = [&] { return cluster.passive("beta")->state().max_required > cluster.passive("beta")->state().min_required; };
    ASSERT_TRUE(world.run_until(in_a_batch, 5s) == Ended::reached);
    world.run_for(i * 100us);
    const Result<json> taken = back_up("/backup/" + std::to_string(i));
    ASSERT_TRUE(taken.ok()) << taken.error().message;
  }
}

TEST_F(BackupOfCopy, OfTheActiveOneIsOneCommitsContentToo) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  const CommitNumber before = cluster.active()->tip().commit;
  const json taken = back_up_under_load("alpha");
  EXPECT_GT(taken["commit"], before) << "what was committed meanwhile is in it";
  EXPECT_EQ(cluster.state("beta"), "healthy");
  ASSERT_TRUE(drain());
  cluster.host("alpha").stop();
  expect_file("alpha", taken);
}

TEST_F(BackupOfCopy, OfTheActiveOneHoldsItsLogMeanwhile) {
  seed();
  write(300);
  const std::shared_ptr<Asked> asked = ask("alpha", {{"command", "backup"}, {"to", "/backup"}, {"rate", 100'000}});
  world.run_for(100ms);
  const Generation from = cluster.active()->tip().durable.generation;
  for (int i = 0; i < 400 && !asked->answer; ++i) {
    static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
    world.run_for(10ms);
  }
  ASSERT_FALSE(asked->answer) << "it takes longer";
  EXPECT_LE(cluster.active()->log_keeper().first(), from);
  ASSERT_GT(cluster.active()->tip().durable.generation.number, from.number + 2);
  const Result<json> why = answer_of("alpha", {{"command", "why"}, {"generation", from.number}});
  ASSERT_TRUE(why.ok());
  EXPECT_EQ((*why)["held_by"].back()["who"], "a backup") << why->dump();
  EXPECT_TRUE(answer_of("alpha", {{"command", "backup"}, {"to", "/backup"}, {"cancel", true}}).ok());
  ASSERT_TRUE(world.run_until([&] { return cluster.active()->log_keeper().first() > from; }, 60s) == Ended::reached);
  cluster.host("alpha").stop();
  for (const std::string& name : files_in("alpha", "/backup")) EXPECT_EQ(name, "orders.pages.partial");
}

TEST_F(BackupOfCopy, NeverTakesTheNameOfAFileThatIsThere) {
  seed();
  ASSERT_TRUE(back_up("/backup").ok());
  expect_error(back_up("/backup"), ErrorKind::exists);
  expect_error(back_up("backup"), ErrorKind::usage);
  expect_error(back_up("/log/quarantine"), ErrorKind::refused);
  expect_error(back_up("/state"), ErrorKind::refused);
  ASSERT_TRUE(answer_of("alpha", {{"command", "backup"}, {"to", "/backup"}}).ok());
  expect_error(answer_of("alpha", {{"command", "backup"}, {"to", "/backup"}}), ErrorKind::exists);
}

TEST_F(BackupOfCopy, APageThatRottedEndsItAndLeavesNothing) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  ASSERT_TRUE(cluster.host("beta").disk().rot("/data/orders.pages", 700 * 512 + 9));
  expect_error(back_up("/backup"), ErrorKind::corrupt);
  cluster.host("beta").stop();
  EXPECT_TRUE(files_in("beta", "/backup").empty());
}

TEST_F(BackupOfCopy, WhatTheOtherDiskLostIsFoundBeforeItHasAName) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  cluster.host("beta").disk().options().lost_write_ppm = 1'000'000;
  const Result<json> taken = back_up("/backup");
  cluster.host("beta").disk().options().lost_write_ppm = 0;
  EXPECT_FALSE(taken.ok());
  cluster.host("beta").stop();
  for (const std::string& name : files_in("beta", "/backup")) EXPECT_NE(name, "orders.pages");
}

}  // namespace
}  // namespace ccr::sim
