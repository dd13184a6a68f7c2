// SqliteSession is the thin part that touches a live database: two read-only connections, their read marks, and reads of the wal-index,
// the WAL and the file through SQLite's own descriptors and mapping.
//
// What trials with 3.40.1 showed, and what follows from it:
//   1. A read-only connection creates an empty -wal and a -shm where there are none, with the owner and mode of the database. With
//      NO_CKPT_ON_CLOSE it leaves both behind. While it is open, even without a mark, it is a connection: the application's last close neither
//      checkpoints nor deletes the WAL.
//   2. A mark is a shared lock on one of five bytes of the -shm. Slots 1..4 (bytes 124..127) carry a frame number: no checkpoint goes beyond
//      it and no writer resets the WAL. A TRUNCATE waits for them once it has copied everything.
//   3. Slot 0 (byte 123) is for readers that need no WAL, because a checkpoint has brought all of it into the file. It holds back no
//      reset and no TRUNCATE, but any backfill. So commits that come after it may reset the WAL but cannot leave it again, by no
//      TRUNCATE either, until the mark has gone: holding slot 0 while nothing happens costs the application nothing and loses nothing.
//   4. A read transaction of SQLite takes such a mark, and a thousand of them a second beside a writer at full speed gave that writer a
//      SQLITE_BUSY every few seconds: a reader that meets the wal-index while it is being published takes the *write* lock to look
//      again. So marks are taken here as SQLite's readers take them ("WAL-mode File Format", 2.3.3), but a torn header is waited for. Only
//      connecting reads through SQLite, twice.
//   5. No descriptor of our own is opened on the database, the WAL or the -shm: all reads go through sqlite3_file (FCNTL_FILE_POINTER,
//      FCNTL_JOURNAL_POINTER, xRead), locks and mapping through xShmLock and xShmMap. So the rule of POSIX locks (closing any
//      descriptor of an inode drops the process's locks) cannot be broken here, whatever other connections this process has.
//   6. Whoever connects first after a crash rebuilds the wal-index from the WAL, under locks, for as long as it takes to read the WAL. That
//      may be us; it is a moment at which another program could meet SQLITE_BUSY_RECOVERY because of us.
//   7. An application cannot leave WAL mode or enter locking_mode=EXCLUSIVE while any other connection is open, ours included.
//
// Threads: one worker for all calls. This is a seam file.
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
struct sqlite3_file;

namespace ccr::storage::sqlite {

class SqliteSession {
 public:
  // Opens both connections and reads once through each, so that WAL and wal-index are open. A refusal when SQLite cannot.
  static std::variant<std::unique_ptr<SqliteSession>, Refusal> open(const DatabasePath& path);
  ~SqliteSession();
  SqliteSession(const SqliteSession&) = delete;
  SqliteSession& operator=(const SqliteSession&) = delete;

  // A new mark at the last commit, then the old one goes. False, and the old mark stays, when the wal-index cannot be read or all slots
  // are being changed: try again.
  bool mark();
  void release();
  bool marked() const noexcept { return held_ >= 0; }
  bool in_slot_zero() const noexcept { return marked() && slot_ == 0; }

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
    sqlite3_file* file = nullptr;  // of the database; locks go through it
  };

  explicit SqliteSession(DatabasePath path) : path_(std::move(path)) {}
  std::optional<Refusal> connect(Connection& connection);
  std::optional<Refusal> read_once(Connection& connection);
  std::optional<Refusal> map_index();
  std::optional<int> lock_slot(sqlite3_file* file, const WalIndex& index);
  std::optional<int> lock_slot_zero(sqlite3_file* file, const WalIndex& index);
  int set_slot(sqlite3_file* file, const WalIndex& index);
  std::uint32_t slot_mark(int slot) const;

  DatabasePath path_;
  std::array<Connection, 2> connections_{};
  int held_ = -1;  // which connection has the mark
  int slot_ = 0;   // and in which slot
  sqlite3_file* wal_file_ = nullptr;
  volatile std::uint32_t* index_ = nullptr;  // mapped by SQLite as long as the connections are open
  std::uint64_t wal_inode_ = 0;
  std::uint64_t shm_inode_ = 0;
};

}  // namespace ccr::storage::sqlite
