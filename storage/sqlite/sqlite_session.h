// SqliteSession is the thin part that touches a live database: two read-only connections, their read marks, and reads of the wal-index,
// the WAL and the file through SQLite's own descriptors and mapping.
//
// What trials with 3.40.1 showed, and what follows from it:
//   1. A read-only connection creates an empty -wal and a -shm where there are none, with the owner and mode of the database. With
//      NO_CKPT_ON_CLOSE it leaves both behind. While it is open, even without a mark, it is a connection: the application's last close neither
//      checkpoints nor deletes the WAL.
//   2. A mark is a read transaction: one statement stepped to its row and not reset. No BEGIN, no schema is read (PRAGMA user_version).
//      Moving it from one connection of the process to the other costs half a microsecond: SQLite counts shared locks within a process.
//   3. A mark lands in slots 1..4 (bytes 124..127 of the -shm) at the last frame, or in slot 0 (byte 123) when a checkpoint has brought
//      the whole WAL into the file. A TRUNCATE waits for 1..4 once it has copied everything; it passes slot 0 freely.
//   4. A mark in slot 0 holds back any backfill. So commits that come after it may reset the WAL but cannot leave it again, by no TRUNCATE
//      either, until the mark has gone: holding slot 0 while nothing happens costs the application nothing and loses nothing.
//   5. No descriptor of our own is opened on the database, the WAL or the -shm: all reads go through sqlite3_file (FCNTL_FILE_POINTER,
//      FCNTL_JOURNAL_POINTER, xRead) and the mapping through xShmMap. So the rule of POSIX locks (closing any descriptor of an inode drops
//      the process's locks) cannot be broken here, whatever other connections this process has.
//   6. Whoever opens first after a crash rebuilds the wal-index from the WAL, under locks, for as long as it takes to read the WAL. That may
//      be us; it is the only moment at which another program could meet SQLITE_BUSY_RECOVERY because of us.
//   7. An application cannot leave WAL mode or enter locking_mode=EXCLUSIVE while any other connection is open, ours included.
//
// Threads: one worker for all calls. Failure: mark() says why; the session must then be destroyed. This is a seam file.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "storage/sqlite/file_state.h"
#include "storage/sqlite/wal_format.h"

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_file;

namespace ccr::storage::sqlite {

class SqliteSession {
 public:
  // Opens both connections and reads once through each, so that WAL and wal-index are open. A refusal when SQLite cannot.
  static std::variant<std::unique_ptr<SqliteSession>, Refusal> open(const DatabasePath& path);
  ~SqliteSession();
  SqliteSession(const SqliteSession&) = delete;
  SqliteSession& operator=(const SqliteSession&) = delete;

  // A new mark at the last commit, then the old one goes. A refusal leaves the old mark as it was.
  std::optional<Refusal> mark();
  void release();
  bool marked() const noexcept { return held_ >= 0; }

  // The head of the wal-index; nullopt while a writer is in the midst of publishing (or died there).
  std::optional<WalIndex> look() const;

  // False when the file could not be read. Bytes beyond the end are zeros.
  bool read_wal(std::uint64_t offset, ByteSpan into) const;
  bool read_file(std::uint64_t offset, ByteSpan into) const;
  std::uint64_t wal_bytes() const;
  std::uint64_t file_bytes() const;
  std::optional<DatabaseHeader> file_header() const;

  // Whether the path still leads to what is open here: the database, its WAL and its wal-index.
  bool still_in_place() const;
  const DatabasePath& path() const noexcept { return path_; }

 private:
  struct Connection {
    sqlite3* database = nullptr;
    sqlite3_stmt* statement = nullptr;
  };

  explicit SqliteSession(DatabasePath path) : path_(std::move(path)) {}
  std::optional<Refusal> connect(Connection& connection);
  std::optional<Refusal> step(Connection& connection);
  std::optional<Refusal> map_index();

  DatabasePath path_;
  std::array<Connection, 2> connections_{};
  int held_ = -1;  // which connection has the mark
  sqlite3_file* database_file_ = nullptr;
  sqlite3_file* wal_file_ = nullptr;
  const volatile void* index_ = nullptr;  // mapped by SQLite as long as the connections are open
  std::uint64_t wal_inode_ = 0;
  std::uint64_t shm_inode_ = 0;
};

}  // namespace ccr::storage::sqlite
