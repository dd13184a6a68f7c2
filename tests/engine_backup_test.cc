// A backup of a passive copy: whole nodes in the simulator.
#include <gtest/gtest.h>

#include "tests/asked_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

class BackupOfCopy : public AskedNodes {
 protected:
  Result<json> back_up(const std::string& to) { return answer_of("beta", {{"command", "backup"}, {"to", to}}); }
  std::vector<std::string> files_in(const std::string& directory) {
    std::vector<std::string> names;
    const auto look = [&](storage::Disk& disk) -> Task<Result<void>> {
      const Result<std::vector<storage::DirectoryEntry>> entries = co_await disk.list(directory);
      if (!entries.ok()) co_return entries.error();
      for (const storage::DirectoryEntry& entry : *entries) names.push_back(entry.name);
      co_return Result<void>();
    };
    on_disk("beta", look);
    return names;
  }
};

TEST_F(BackupOfCopy, IsOneCommitsContentWhileTheSourceGoesOn) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  const std::shared_ptr<Asked> asked = ask("beta", {{"command", "backup"}, {"to", "/backup/monday"}, {"rate", 2'000'000}});
  for (int i = 0; i < 3000 && !asked->answer; ++i) {
    static_cast<void>(cluster.commit(random, some_pages(random, 3000)));
    world.run_for(1ms);
  }
  ASSERT_TRUE(asked->answer && asked->answer->ok()) << cluster.story();
  const json& taken = **asked->answer;
  EXPECT_EQ(taken["file"], "/backup/monday/orders.pages");
  ASSERT_TRUE(drain());
  EXPECT_LT(taken["commit"], cluster.active()->tip().commit) << "the source went on";
  cluster.host("beta").stop();
  EXPECT_EQ(files_in("/backup/monday"), (std::vector<std::string>{"orders.pages", "orders.pages.json"}));
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
  on_disk("beta", sum);
  EXPECT_EQ(to_hex(root, 16), taken["root"].get<std::string>());
  EXPECT_EQ(pages, taken["pages"]);
}

TEST_F(BackupOfCopy, NeverTakesTheNameOfAFileThatIsThere) {
  seed();
  ASSERT_TRUE(back_up("/backup").ok());
  expect_error(back_up("/backup"), ErrorKind::exists);
  expect_error(back_up("backup"), ErrorKind::usage);
  expect_error(back_up("/log/quarantine"), ErrorKind::refused);
  expect_error(back_up("/state"), ErrorKind::refused);
  expect_error(answer_of("alpha", {{"command", "backup"}, {"to", "/backup"}}), ErrorKind::refused);
}

TEST_F(BackupOfCopy, APageThatRottedEndsItAndLeavesNothing) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  ASSERT_TRUE(cluster.host("beta").disk().rot("/data/orders.pages", 700 * 512 + 9));
  expect_error(back_up("/backup"), ErrorKind::corrupt);
  cluster.host("beta").stop();
  EXPECT_TRUE(files_in("/backup").empty());
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
  for (const std::string& name : files_in("/backup")) EXPECT_NE(name, "orders.pages");
}

}  // namespace
}  // namespace ccr::sim
