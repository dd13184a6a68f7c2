// The sqlite source when it was away, when the file is another one, and when it cannot be served.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <filesystem>

#include "tests/sqlite_follower.h"
#include "tests/sqlite_programs.h"

namespace ccr::storage::test::sqlite_changes_test {
namespace {

const std::vector<std::string> create_wal = {"PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)",
                                             "INSERT INTO t VALUES(1, randomblob(5000))"};
const std::string insert = "INSERT INTO t(body) VALUES(randomblob(3000))";

// Follows a database until it serves and has everything, then goes away; its cursor and its mirror stay.
struct Past {
  Past(const Directory& directory, const std::string& database, const std::vector<std::string>& meanwhile) {
    Follower follower(database);
    EXPECT_TRUE(follower.wait_serving());
    if (!meanwhile.empty()) Directory::sql(database, meanwhile);
    const Bytes content = directory.content(database);
    EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
    follower.close();
    mirror = follower.mirror();
    cursor = follower.cursor;
  }
  Bytes mirror;
  std::optional<SourceCursor> cursor;
};

void expect_resumes(const Directory& directory, const std::string& database, const Past& past, const std::vector<std::string>& reasons) {
  Follower follower(database, {}, past.cursor, past.mirror);
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {insert});
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
  EXPECT_EQ(follower.reasons, reasons);
}

TEST(SqliteResume, GoesOnInTheSameWal) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Program application(database, {"hold", "60", insert});  // keeps the WAL from being removed
  application.wait_ready();
  const Past past(directory, database, {insert, insert});
  Directory::sql(database, {insert, insert});
  expect_resumes(directory, database, past, {""});
  application.kill();
}

TEST(SqliteResume, GoesOnWithoutAnyApplicationInBetween) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  const Past past(directory, database, {insert});
  expect_resumes(directory, database, past, {""});
}

TEST(SqliteResume, GoesOnBehindOneResetWhoseTailIsLeft) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Program application(database, {"hold", "60", insert});
  application.wait_ready();
  const Past past(directory, database, {insert, insert, insert, insert, insert});
  // One more commit, then all of it into the file, then a commit that resets the WAL and overwrites only its beginning.
  Directory::sql(database, {insert, "PRAGMA wal_checkpoint(PASSIVE)", insert});
  expect_resumes(directory, database, past, {""});
  application.kill();
}

TEST(SqliteResume, IsLostWhenTheLastApplicationClosedAfterACommit) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  const Past past(directory, database, {insert});
  Directory::sql(database, {insert});
  expect_resumes(directory, database, past, {"wal_gap", ""});
}

TEST(SqliteResume, IsLostAfterResetsThatNobodySaw) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Program application(database, {"hold", "60", insert});
  application.wait_ready();
  const Past past(directory, database, {insert});
  const std::string restart = "PRAGMA wal_checkpoint(RESTART)";  // the next commit resets the WAL
  Directory::sql(database, {insert, restart, insert, restart, insert, restart, insert});
  expect_resumes(directory, database, past, {"wal_gap", ""});
  application.kill();
}

TEST(SqliteResume, AnUntouchedFileNeedsNoCompareAfterACleanCatchUp) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  // The time stamp must be older than the clock behind it is coarse.
  std::filesystem::last_write_time(database, std::filesystem::last_write_time(database) - std::chrono::minutes(1));
  const Past past(directory, database, {});
  run_and_read("rm -f " + database + "-wal " + database + "-shm");  // as the last close of an idle application would
  expect_resumes(directory, database, past, {""});
}

TEST(SqliteResume, IsLostWhenTheFileWasReplacedMeanwhile) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  run_and_read("cp " + database + " " + directory.file("old.db"));
  const Past past(directory, database, {insert});
  Directory::sql(database, {insert});
  run_and_read("mv " + directory.file("old.db") + " " + database);
  expect_resumes(directory, database, past, {"file_replaced", ""});
}

TEST(SqliteChanges, AFileReplacedByRenameIsNoticedAndItsContentWins) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  run_and_read("cp " + database + " " + directory.file("old.db"));
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {insert, insert});
  ASSERT_TRUE(follower.wait([&] { return follower.commits == 2; }));
  run_and_read("rm " + database + "-wal " + database + "-shm; mv " + directory.file("old.db") + " " + database);
  ASSERT_TRUE(follower.wait([&] { return follower.serves_after("file_replaced"); }));
  Directory::sql(database, {insert});
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteChanges, AFileOverwrittenInPlaceIsNoticed) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  run_and_read("cp " + database + " " + directory.file("old.db"));
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {insert, insert, "PRAGMA wal_checkpoint(TRUNCATE)"});
  ASSERT_TRUE(follower.wait([&] { return follower.commits == 2; }));
  // Noticed if the source has looked at the file once between the checkpoint and the copy; if not, then at the next copy.
  bool noticed = false;
  for (int tries = 0; tries < 20 && !noticed; ++tries) {
    run_and_read("cp " + directory.file("old.db") + " " + database);
    noticed = follower.wait([&] { return follower.serves_after("file_replaced"); }, 2);
  }
  ASSERT_TRUE(noticed);
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteChanges, AnApplicationThatClosesAndComesBackLosesNothing) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  for (int round = 0; round < 20; ++round) Directory::sql(database, {insert});
  ASSERT_TRUE(follower.wait([&] { return follower.commits == 20; }));
  EXPECT_EQ(follower.losses(), 1u);
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteChanges, PagesReadBetweenCommitsLeaveTheCaptureAsItWas) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  // A table is written, dropped and cut off in the WAL only; then the database grows again without writing every page.
  for (int round = 0; round < 3; ++round) {
    Directory::sql(database, {"PRAGMA wal_checkpoint(TRUNCATE)"});
    follower.scrub();
    Directory::sql(database, {"CREATE TABLE u AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
                              "SELECT i, randomblob(3000) AS b FROM n",
                              "DROP TABLE u", "VACUUM",
                              "BEGIN; CREATE TABLE v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                              "SELECT i, randomblob(3000) AS b FROM n; DELETE FROM v WHERE i < 150; COMMIT",
                              "DROP TABLE v"});
    follower.scrub();
  }
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
  EXPECT_TRUE(follower.wait([&] { return follower.scrubs == 6; }));
  EXPECT_EQ(follower.scrub_differences, 0u);
  EXPECT_EQ(follower.losses(), 1u);
}

TEST(SqliteRefusal, RollbackJournalIsRefusedAndHealsByItself) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, {"CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"});
  Follower follower(database);
  ASSERT_TRUE(follower.wait([&] { return !follower.reasons.empty(); }));
  EXPECT_EQ(follower.reasons.back(), "rollback_journal");
  EXPECT_EQ(value_of(Directory::sql(database, {insert, "PRAGMA journal_mode=WAL", insert}), "errors"), 0);
  ASSERT_TRUE(follower.wait_serving());
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteRefusal, AnExclusiveApplicationIsRefusedUntilItEnds) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Program application(database, {"hold", "60", "PRAGMA locking_mode=EXCLUSIVE", insert});
  application.wait_ready();
  Follower follower(database);
  ASSERT_TRUE(follower.wait([&] { return !follower.reasons.empty(); }));
  EXPECT_EQ(follower.reasons.back(), "locking_exclusive");
  application.kill();
  ASSERT_TRUE(follower.wait_serving());
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteRefusal, WhatIsNoDatabaseIsNamed) {
  const Directory directory;
  run_and_read("head -c 20000 /dev/urandom > " + directory.file("noise"));
  run_and_read("touch " + directory.file("empty"));
  run_and_read("ln -s loop " + directory.file("loop"));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"missing", "not_there"}, {"noise", "not_a_database"}, {"empty", "empty"}, {"loop", "symlink_loop"}, {".", "not_a_file"}};
  for (const auto& [name, reason] : cases) {
    Follower follower(directory.file(name));
    ASSERT_TRUE(follower.wait([&] { return !follower.reasons.empty(); })) << name;
    EXPECT_EQ(follower.reasons.back(), reason);
  }
}

TEST(SqliteRefusal, ADatabaseThatIsRemovedAndComesBackIsServedAgain) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  run_and_read("rm " + database + "*");
  ASSERT_TRUE(follower.wait([&] { return follower.reasons.back() == "not_there"; }));
  Directory::sql(database, create_wal);
  ASSERT_TRUE(follower.wait_serving());
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteRefusal, ALinkIsFollowedToTheRealFile) {
  const Directory directory;
  const std::string database = directory.file("real.db");
  Directory::sql(database, create_wal);
  run_and_read("ln -s real.db " + directory.file("link.db"));
  Follower follower(directory.file("link.db"));
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {insert});
  const Bytes content = directory.content(database);
  EXPECT_TRUE(follower.wait_equal(content)) << follower.difference(content);
}

TEST(SqliteWarning, NamesALibraryWithTheWalResetBug) {
  EXPECT_EQ(sqlite_warning().empty(), ::sqlite3_libversion_number() >= 3051003);
}

}  // namespace
}  // namespace ccr::storage::test::sqlite_changes_test
