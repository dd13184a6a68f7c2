// How a database is taken from the programs that use it, before its copy is a passive one.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/sqlite_follower.h"
#include "tests/sqlite_programs.h"

namespace ccr::storage::test {
namespace {

const std::vector<std::string> made_in_wal_mode = {"PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)",
                                             "INSERT INTO t VALUES(1, randomblob(5000))"};

struct Served {
  Directory directory;
  std::string database = directory.file("a.db");
  std::optional<Follower> follower;

  Served() {
    Directory::sql(database, made_in_wal_mode);
    follower.emplace(database);
  }
  // The answer to part().
  Result<void> part() {
    const std::size_t before = follower->partings.size();
    follower->part();
    if (!follower->wait([&] { return follower->partings.size() > before; })) return Error{ErrorKind::timeout, "no answer", ""};
    return follower->partings.back().first;
  }
};

TEST(SqliteParting, WhatWasCommittedIsHandedOutAndIsAllInTheFile) {
  Served served;
  ASSERT_TRUE(served.follower->wait_serving());
  // Nothing brings these into the file by itself.
  Directory::sql(served.database, {"PRAGMA wal_autocheckpoint=0", "INSERT INTO t VALUES(2, randomblob(90000))", "UPDATE t SET body = randomblob(70)"});
  const Result<void> parted = served.part();
  ASSERT_TRUE(parted.ok()) << parted.error().message;
  EXPECT_EQ(served.follower->partings.back().second, 2u) << "commits that came before the answer";
  const Bytes file = served.directory.file_content(served.database);
  EXPECT_EQ(served.follower->difference(file), 0u) << "the file without its WAL is the whole database";
}

TEST(SqliteParting, NobodyCommitsUntilTheSourceIsClosed) {
  Served served;
  ASSERT_TRUE(served.follower->wait_serving());
  ASSERT_TRUE(served.part().ok());
  const std::string waits = Directory::sql(served.database, {"INSERT INTO t VALUES(2, randomblob(100))"});
  EXPECT_EQ(value_of(waits, "busy"), 1) << waits;
  const Bytes file = served.directory.file_content(served.database);
  served.follower->close();
  EXPECT_EQ(served.directory.file_content(served.database), file);
  const std::string goes = Directory::sql(served.database, {"INSERT INTO t VALUES(3, randomblob(100))"});
  EXPECT_EQ(value_of(goes, "busy"), 0) << goes;
}

TEST(SqliteParting, IsRefusedWithTheProcessThatHasItOpenAndThenAllIsAsBefore) {
  Served served;
  ASSERT_TRUE(served.follower->wait_serving());
  {
    Program program(served.database, {"hold", "1.5", "SELECT count(*) FROM t"});
    program.wait_ready();
    const Result<void> refused = served.part();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::refused);
    EXPECT_NE(refused.error().message.find("process " + std::to_string(program.process())), std::string::npos) << refused.error().message;
    const std::string goes = Directory::sql(served.database, {"INSERT INTO t VALUES(2, randomblob(100))"});
    EXPECT_EQ(value_of(goes, "busy"), 0) << goes;
  }
  EXPECT_TRUE(served.follower->wait([&] { return served.follower->commits == 1; })) << "capture went on";
  EXPECT_TRUE(served.part().ok()) << "it has ended";
}

TEST(SqliteParting, AskedAgainItFindsWhoOpenedTheFileUnderItsNewName) {
  Served served;
  ASSERT_TRUE(served.follower->wait_serving());
  ASSERT_TRUE(served.part().ok());
  const std::string moved = served.directory.file("a.db.copy");
  std::filesystem::rename(served.database, moved);
  ASSERT_TRUE(served.part().ok()) << "by its new name it is still ours alone";
  Program program(moved, {"hold", "1.5", "PRAGMA page_size"});
  program.wait_ready();
  const Result<void> refused = served.part();
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("process " + std::to_string(program.process())), std::string::npos) << refused.error().message;
}

TEST(SqliteParting, ASymbolicLinkCannotBeTaken) {
  const Directory directory;
  const std::string database = directory.file("a.db"), link = directory.file("link.db");
  Directory::sql(database, made_in_wal_mode);
  std::filesystem::create_symlink(database, link);
  Follower follower(link);
  ASSERT_TRUE(follower.wait_serving());
  follower.part();
  ASSERT_TRUE(follower.wait([&] { return !follower.partings.empty(); }));
  EXPECT_EQ(follower.partings.front().first.error().kind, ErrorKind::unsupported);
}

TEST(SqliteParting, ADatabaseThatIsNotServedSaysSo) {
  const Directory directory;
  Follower follower(directory.file("none.db"));
  ASSERT_TRUE(follower.wait([&] { return !follower.reasons.empty(); }));
  follower.part();
  ASSERT_TRUE(follower.wait([&] { return !follower.partings.empty(); }));
  EXPECT_EQ(follower.partings.front().first.error().kind, ErrorKind::refused);
}

}  // namespace
}  // namespace ccr::storage::test
