// The sqlite source on real databases that other processes use.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/undo.h"
#include "storage/sqlite/wal_format.h"
#include "tests/sqlite_follower.h"
#include "tests/sqlite_programs.h"

namespace ccr::storage::test {
namespace {

const std::vector<std::string> create_wal = {"PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)",
                                             "INSERT INTO t VALUES(1, randomblob(5000))"};

// Everything the follower saw is what is in the database; ends the follower.
void expect_equal(const Directory& directory, const std::string& database, Follower& follower) {
  const Bytes content = directory.content(database);
  ASSERT_FALSE(content.empty());
  EXPECT_TRUE(follower.wait_equal(content)) << "page " << follower.difference(content) << " differs";
  EXPECT_EQ(follower.error, "");
}

TEST(SqliteSource, FirstStartIsLostAndACatchUpMakesItServe) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  EXPECT_EQ(follower.reasons, (std::vector<std::string>{"first_start", ""}));
  EXPECT_EQ(follower.catch_ups, 1u);
  expect_equal(directory, database, follower);
}

TEST(SqliteSource, CommitsOfAnotherProcessArriveAndAreExact) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  const std::string said = Directory::sql(database, {"INSERT INTO t VALUES(2, randomblob(50000))", "UPDATE t SET body = randomblob(100)",
                                                     "BEGIN; SAVEPOINT a; INSERT INTO t VALUES(3, zeroblob(9000)); ROLLBACK TO a; "
                                                     "INSERT INTO t VALUES(4, randomblob(9000)); RELEASE a; COMMIT"});
  EXPECT_EQ(value_of(said, "busy"), 0);
  ASSERT_TRUE(follower.wait([&] { return follower.commits == 3; }));
  expect_equal(directory, database, follower);
  EXPECT_EQ(follower.losses(), 1u);
}

TEST(SqliteSource, BaseMarkerCarriesOnlyWhatWasTouchedSince) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower::Options options;
  options.base_only = true;
  Follower follower(database, options);
  ASSERT_TRUE(follower.wait_serving());
  EXPECT_TRUE(follower.wait([&] { return follower.bases == 1 && follower.catch_ups == 0; }));
  Directory::sql(database, {"INSERT INTO t VALUES(2, randomblob(50000))"});
  ASSERT_TRUE(follower.wait([&] { return follower.commits == 1; }));
  expect_equal(directory, database, follower);
}

// At full speed: tools/trial sqlite-load. Under sanitizers the worker is no match for such a program, and the WAL would not be reset once.
TEST(SqliteSource, AWriterLosesNothingOverManyResets) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Program writer(database, {"pace", "4", "PRAGMA synchronous=NORMAL"});
  std::uint64_t wal_bytes_max = 0;
  double lag_max = 0;
  auto late_max = Duration::zero();  // how much later than due this process got a processor
  std::atomic<bool> ended{false};
  std::thread watcher([&] {
    while (!ended) {
      const LogSource::Gauges gauges = follower.gauges();
      wal_bytes_max = std::max(wal_bytes_max, gauges.wal_bytes);
      lag_max = std::max(lag_max, gauges.lag_seconds);
      follower.scrub();
      constexpr auto pause = std::chrono::milliseconds(50);
      const auto slept = std::chrono::steady_clock::now();
      usleep(std::chrono::microseconds(pause).count());
      late_max = std::max(late_max, Duration(std::chrono::steady_clock::now() - slept - pause));
    }
  });
  const std::string said = writer.finish();
  ended = true;
  watcher.join();
  const auto commits = static_cast<std::uint64_t>(value_of(said, "commits"));
  EXPECT_TRUE(follower.wait([&] { return follower.commits >= commits; })) << follower.commits << " of " << commits;
  std::printf("    %s    captured %lu, wal max %.1f MB, lag max %.1f ms, scrubs %lu, late at most %.1f ms\n", said.c_str(), follower.commits,
              static_cast<double>(wal_bytes_max) / 1e6, lag_max * 1000, follower.scrubs, std::chrono::duration<double, std::milli>(late_max).count());
  EXPECT_EQ(value_of(said, "busy"), 0);
  // A worker without a processor for a whole filling of the WAL compares pages instead; where there was one, it must not come to that.
  if (late_max < std::chrono::milliseconds(5)) {
    EXPECT_EQ(follower.losses(), 1u) << "a gap was found";
  }
  EXPECT_EQ(follower.scrub_differences, 0u);
  EXPECT_LT(wal_bytes_max, 128 * MiB) << "4.1 MB when both threads get a core";
  expect_equal(directory, database, follower);
}

TEST(SqliteSource, TruncateCheckpointsOfAnotherProcessLoseNothing) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Program writer(database, {"share", "3", "PRAGMA synchronous=NORMAL"});
  const std::string truncates = Directory::app(database, {"truncate", "3", "5"});
  const auto commits = static_cast<std::uint64_t>(value_of(writer.finish(), "commits"));
  EXPECT_TRUE(follower.wait([&] { return follower.commits >= commits; })) << follower.commits << " of " << commits;
  std::printf("    %s    commits %lu\n", truncates.c_str(), follower.commits);
  EXPECT_GT(value_of(truncates, "truncates"), 0);
  EXPECT_EQ(follower.losses(), 1u) << "a gap was found";
  expect_equal(directory, database, follower);
}

TEST(SqliteSource, ATruncateCheckpointDoesNotWaitForUs) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  // A paced writer: one at full speed keeps a TRUNCATE from the write lock for a second and more, without us too.
  Program writer(database, {"pace", "3", "PRAGMA synchronous=OFF"});
  const std::string truncates = Directory::app(database, {"truncate", "3", "5"});
  const auto commits = static_cast<std::uint64_t>(value_of(writer.finish(), "commits"));
  EXPECT_TRUE(follower.wait([&] { return follower.commits >= commits; })) << follower.commits << " of " << commits;
  std::printf("    %s    commits %lu\n", truncates.c_str(), follower.commits);
  EXPECT_GT(value_of(truncates, "truncates"), 20);
  // Half of them within what the promise says, also on a loaded machine; the worst far below a mark that stands. The figures are printed above.
  EXPECT_LT(value_of(truncates, "p50_ms"), 20);
  EXPECT_LT(value_of(truncates, "worst_ms"), 2500);
  EXPECT_EQ(follower.losses(), 1u) << "a gap was found";
  expect_equal(directory, database, follower);
}

TEST(SqliteSource, ACommitWithATruncateAtOnceIsNotLostWhenIdleBefore) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {"PRAGMA wal_checkpoint(TRUNCATE)"});
  for (std::uint64_t round = 1; round <= 10; ++round) {
    Directory::sql(database, {"PRAGMA synchronous=OFF", "PRAGMA busy_timeout=1000", "INSERT INTO t(body) VALUES(randomblob(100))",
                              "PRAGMA wal_checkpoint(TRUNCATE)"});
    ASSERT_TRUE(follower.wait([&] { return follower.commits == round; }));
    usleep(20'000);  // long enough to rest: the state this is about
  }
  EXPECT_EQ(follower.losses(), 1u);
  expect_equal(directory, database, follower);
}

TEST(SqliteSource, TwoWritersAndTenOpenReaders) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  std::vector<std::unique_ptr<Program>> readers;
  for (int i = 0; i < 10; ++i) {
    readers.push_back(std::make_unique<Program>(database, std::vector<std::string>{"hold", "30", "BEGIN", "SELECT count(*) FROM t"}));
    readers.back()->wait_ready();
    Directory::sql(database, {"INSERT INTO t(body) VALUES(randomblob(3000))"});
  }
  Program first(database, {"share", "2", "PRAGMA synchronous=OFF"});
  Program second(database, {"share", "2", "PRAGMA synchronous=OFF"});
  const auto commits = static_cast<std::uint64_t>(value_of(first.finish(), "commits") + value_of(second.finish(), "commits")) + 10;
  EXPECT_TRUE(follower.wait([&] { return follower.commits >= commits; })) << follower.commits << " of " << commits;
  EXPECT_EQ(follower.losses(), 1u);
  expect_equal(directory, database, follower);
  for (auto& each : readers) each->kill();
}

TEST(SqliteSource, VacuumDroppedTablesAndGrowthAfterAShrink) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {"CREATE TABLE u AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                            "SELECT i, randomblob(1000) AS b FROM n",
                            "DELETE FROM u WHERE i % 3", "DROP TABLE u", "VACUUM",
                            "CREATE TABLE v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800) "
                            "SELECT i, randomblob(1000) AS b FROM n",
                            "BEGIN; INSERT INTO v SELECT i, randomblob(1500) FROM v; DELETE FROM v WHERE i > 400; COMMIT"});
  expect_equal(directory, database, follower);
  Directory::sql(database, {"PRAGMA wal_checkpoint(TRUNCATE)", "DROP TABLE v", "PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM",
                            "INSERT INTO t(body) VALUES(randomblob(700000))"});
  expect_equal(directory, database, follower);
  EXPECT_EQ(follower.losses(), 1u);
}

TEST(SqliteSource, ATransactionOfSixtyMegabytesIsOneCommit) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  Directory::sql(database, {"PRAGMA synchronous=OFF", "BEGIN; CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                            "WHERE i < 60) SELECT i, randomblob(1000000) AS b FROM n; UPDATE big SET i = i + 1; COMMIT",
                            "INSERT INTO t(body) VALUES(randomblob(100))", "INSERT INTO t(body) VALUES(randomblob(100))"});
  EXPECT_TRUE(follower.wait([&] { return follower.commits == 3; }, 60));
  EXPECT_GT(follower.largest_commit, 14'000u);
  EXPECT_EQ(follower.losses(), 1u);
  expect_equal(directory, database, follower);
}

TEST(SqliteSource, ASpilledTransactionThatIsRolledBackLeavesNothing) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  const std::string spill = "INSERT INTO t(body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
                            "SELECT randomblob(3000) FROM n";
  Directory::sql(database, {"PRAGMA cache_size=20", "BEGIN", spill, "UPDATE t SET body = randomblob(2000)", "ROLLBACK",
                            "INSERT INTO t(body) VALUES(randomblob(100))", "BEGIN", spill, "SAVEPOINT s", "UPDATE t SET body = randomblob(2500)",
                            "ROLLBACK TO s", "DELETE FROM t WHERE id % 2", "COMMIT"});
  EXPECT_TRUE(follower.wait([&] { return follower.commits == 2; }));
  expect_equal(directory, database, follower);
  EXPECT_EQ(follower.losses(), 1u);
}

TEST(SqliteSource, AWriterKilledInItsTransactionLeavesNothing) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower follower(database);
  ASSERT_TRUE(follower.wait_serving());
  for (int round = 0; round < 3; ++round) {
    Program writer(database, {"hold", "30", "PRAGMA cache_size=10", "BEGIN",
                              "INSERT INTO t(body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
                              "SELECT randomblob(3000) FROM n"});
    writer.wait_ready();
    writer.kill();
    writer.finish();
    Directory::sql(database, {"INSERT INTO t(body) VALUES(randomblob(30000))"});
  }
  EXPECT_TRUE(follower.wait([&] { return follower.commits == 3; }));
  expect_equal(directory, database, follower);
  EXPECT_EQ(follower.losses(), 1u);
}

TEST(SqliteSource, AnEngineThatStandsStillStopsTheCaptureAndLosesNothing) {
  const Directory directory;
  const std::string database = directory.file("a.db");
  Directory::sql(database, create_wal);
  Follower::Options options;
  std::atomic<bool> stands{false};
  options.each_item = [&] { stands.wait(true); };
  Follower follower(database, options);
  ASSERT_TRUE(follower.wait_serving());
  stands = true;
  const std::string said = Directory::app(database, {"write", "0.8", "PRAGMA synchronous=OFF"});
  stands = false;
  stands.notify_all();
  const auto commits = static_cast<std::uint64_t>(value_of(said, "commits"));
  EXPECT_TRUE(follower.wait([&] { return follower.commits >= commits; }, 60)) << follower.commits << " of " << commits;
  EXPECT_EQ(value_of(said, "busy"), 0);
  EXPECT_EQ(follower.losses(), 1u);
  // An engine that is behind finds many commits for one sync.
  EXPECT_GT(follower.more_ready, commits / 2);
  expect_equal(directory, database, follower);
}

// An engine that takes nothing while a program writes, with a budget of 8 MiB for the WAL.
class WalBudget : public testing::Test {
 protected:
  static constexpr std::uint64_t budget = 8 * MiB;
  WalBudget() {
    Directory::sql(database, create_wal);
    options.wal_budget_bytes = budget;
    options.each_item = [this] { stands.wait(true); };
  }
  void go_on() {
    stands = false;
    stands.notify_all();
  }
  // Commits of 200 KB, each of which passes as one piece, then long enough for a look at the budget.
  void write_megabytes(int count) {
    std::vector<std::string> statements{"PRAGMA synchronous=OFF", "PRAGMA wal_autocheckpoint=200"};
    for (int i = 0; i < count * 5; ++i) statements.push_back("INSERT INTO t(body) VALUES(randomblob(200000))");
    EXPECT_EQ(value_of(Directory::sql(database, statements), "busy"), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
  }
  std::uint64_t wal_bytes() const { return std::filesystem::file_size(database + "-wal"); }

  const Directory directory;
  const std::string database = directory.file("a.db");
  std::atomic<bool> stands{false};
  Follower::Options options;
};

TEST_F(WalBudget, EndsTheHoldOnAWalAndTheDifferenceComesLater) {
  Follower follower(database, options);
  const Undo let_go([this] { go_on(); });  // also when an assertion ends the test
  ASSERT_TRUE(follower.wait_serving());
  stands = true;
  write_megabytes(24);
  std::uint64_t held = 0;
  for (int looks = 0; held != wal_bytes() && looks < 50; ++looks) {  // a busy machine may let the look at the budget wait
    held = wal_bytes();
    write_megabytes(1);
  }
  EXPECT_GT(held, budget);
  for (int i = 0; i < 12; ++i) write_megabytes(4);  // each time long enough for a look
  EXPECT_LE(wal_bytes(), held + 2 * MiB) << "the program fills the same WAL again";
  go_on();
  ASSERT_TRUE(follower.wait([&] { return follower.serves_after("wal_budget"); })) << follower.error;
  EXPECT_EQ(follower.losses(), 2u);
  expect_equal(directory, database, follower);
}

TEST_F(WalBudget, IsNothingToACaptureThatIsTaken) {
  Follower follower(database, options);
  ASSERT_TRUE(follower.wait_serving());
  for (std::uint64_t commits = 30; commits <= 300; commits += 30) {
    write_megabytes(6);  // less than the budget: a busy machine may let the capture wait meanwhile
    ASSERT_TRUE(follower.wait([&] { return follower.commits == commits; })) << follower.commits << " of " << commits << " " << follower.error;
  }
  expect_equal(directory, database, follower);
  EXPECT_EQ(follower.losses(), 1u);
}

TEST_F(WalBudget, ACommitThatIsHalfTakenIsTakenAnew) {
  std::optional<SourceCursor> cursor;
  Bytes mirror;
  {
    Follower follower(database, options);
    const Undo let_go([this] { go_on(); });
    ASSERT_TRUE(follower.wait_serving());
    Directory::sql(database, {"INSERT INTO t(body) VALUES(randomblob(100))"});
    ASSERT_TRUE(follower.wait([&] { return follower.commits == 1; }));
    stands = true;
    Directory::sql(database, {"PRAGMA synchronous=OFF", "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) "
                              "SELECT i, randomblob(1000000) AS b FROM n"});
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    write_megabytes(4);
    go_on();
    ASSERT_TRUE(follower.wait([&] { return !follower.error.empty(); }));
    EXPECT_NE(follower.error.find("wal_budget"), std::string::npos) << follower.error;
    follower.close();
    cursor = follower.cursor;
    mirror = follower.mirror();
  }
  ASSERT_TRUE(cursor);
  Follower anew(database, options, cursor, mirror);
  ASSERT_TRUE(anew.wait_serving());
  expect_equal(directory, database, anew);
}

TEST(SqliteSource, EveryPageSizeIsCaptured) {
  for (int size = 512; size <= 65536; size *= 2) {
    SCOPED_TRACE(size);
    const Directory directory;
    const std::string database = directory.file("a.db");
    std::vector<std::string> create = create_wal;
    create.insert(create.begin(), "PRAGMA page_size=" + std::to_string(size));
    Directory::sql(database, create);
    Follower follower(database);
    ASSERT_TRUE(follower.wait_serving());
    Directory::app(database, {"pace", "0.6", "PRAGMA synchronous=OFF"});
    expect_equal(directory, database, follower);
    EXPECT_EQ(follower.page_size, static_cast<std::uint32_t>(size));
    EXPECT_EQ(follower.losses(), 1u);
  }
}

// A database that says it ends two pages below 1 GiB, most of it a hole: only its first pages were ever written.
void make_long_database(const std::string& database, std::uint32_t page_size, PageNumber pages) {
  Directory::sql(database, {"PRAGMA page_size=" + std::to_string(page_size), "PRAGMA journal_mode=WAL",
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"});
  std::fstream file(database, std::ios::binary | std::ios::in | std::ios::out);
  constexpr std::streamoff page_count_offset = 28;
  file.seekp(page_count_offset);
  for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(pages >> shift));
  file.close();
  std::filesystem::resize_file(database, std::uint64_t(pages) * page_size);
}

TEST(SqliteSource, GrowthPastTheLockPageLeavesItOut) {
  constexpr std::uint32_t page_size = 65536;
  const PageNumber locked = sqlite::lock_page(page_size);
  const Directory directory;
  const std::string database = directory.file("a.db");
  make_long_database(database, page_size, locked - 2);
  std::map<PageNumber, Bytes> seen;
  Follower::Options options;
  options.each_image = [&](PageNumber page, ByteView image) { seen[page] = Bytes(image.begin(), image.end()); };
  Follower follower(database, options);
  ASSERT_TRUE(follower.wait_serving());
  const std::string said = Directory::sql(database, {"INSERT INTO t(body) VALUES(randomblob(600000))", "INSERT INTO t(body) VALUES(randomblob(100))"});
  EXPECT_EQ(value_of(said, "errors"), 0);
  ASSERT_TRUE(follower.wait([&] { return follower.commits == 2; }));
  follower.close();
  Directory::sql(database, {"SELECT count(*) FROM t", "PRAGMA wal_checkpoint(TRUNCATE)"});
  EXPECT_FALSE(seen.contains(locked));
  EXPECT_TRUE(seen.contains(locked - 1));
  EXPECT_TRUE(seen.contains(locked + 1));
  std::ifstream file(database, std::ios::binary);
  for (const auto& [page, image] : seen) {
    std::string bytes(page_size, '\0');
    file.seekg(static_cast<std::streamoff>(std::uint64_t(page - 1) * page_size));
    file.read(bytes.data(), page_size);
    EXPECT_EQ(bytes, to_text(image)) << "page " << page;
  }
}

}  // namespace
}  // namespace ccr::storage::test
