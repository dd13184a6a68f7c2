// The capture between two looks at the wal-index, while nothing holds off a reset: what programs do falls exactly between them.
#include <gtest/gtest.h>

#include "base/system_clock.h"
#include "storage/sqlite/wal_capture.h"
#include "tests/sqlite_programs.h"

namespace ccr::storage::sqlite_capture_test {
namespace {

using namespace sqlite;
using test::Directory, test::value_of;
using Pass = WalCapture::Pass;

const std::string insert = "INSERT INTO t(body) VALUES(randomblob(100))", no_checkpoint = "PRAGMA wal_autocheckpoint=0";
const std::string restart = "PRAGMA wal_checkpoint(RESTART)";  // whoever commits next begins the WAL anew

class Unheld : public testing::Test {
 protected:
  Unheld() : channel_([] {}, [] {}) {
    Directory::sql(database_, {"PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)"});
    auto opened = SqliteSession::open(resolve_path(database_));
    session_ = std::move(std::get<std::unique_ptr<SqliteSession>>(opened));
    constexpr std::uint32_t page_size = 4096;
    capture_ = std::make_unique<WalCapture>(*session_, channel_, clock_, page_size, [] { return false; });
    commit({no_checkpoint, insert, insert, insert, insert});
    EXPECT_EQ(capture_->lose(*session_->look()), Pass::caught_up);
  }
  void commit(std::vector<std::string> statements) { EXPECT_EQ(value_of(Directory::sql(database_, std::move(statements)), "busy"), 0); }
  Pass look() { return capture_->advance(*session_->look(), false); }

 private:
  const Directory directory_;
  const std::string database_ = directory_.file("a.db");
  SystemClock clock_;
  SourceChannel channel_;
  std::unique_ptr<SqliteSession> session_;
  std::unique_ptr<WalCapture> capture_;
};

TEST_F(Unheld, CommitsBehindOneResetAreAllThere) {
  commit({no_checkpoint, insert, insert, restart, insert});
  EXPECT_EQ(look(), Pass::caught_up);
}

TEST_F(Unheld, CommitsThatAreGoneWithTwoResetsAreAGap) {
  commit({no_checkpoint, insert, restart, insert, restart, insert});
  EXPECT_EQ(look(), Pass::gap);
}

TEST_F(Unheld, CommitsWhosePlaceWasOverwrittenAreAGap) {
  commit({no_checkpoint, insert, restart, insert, insert, insert, insert, insert, insert, insert, insert, insert, insert, insert, insert, insert});
  EXPECT_EQ(look(), Pass::gap);
}

}  // namespace
}  // namespace ccr::storage::sqlite_capture_test
