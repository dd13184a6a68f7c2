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
//      TRUNCATE either, until it has gone: holding slot 0 while nothing happens costs the application nothing and loses nothing.
//   4. Capture needs frames not to be overwritten; whether they are copied into the file is nothing to it. So while commits arrive an *anchor*
//      is held: the lock of a slot whose frame number says 'not used'. Checkpoints pass it by, only the reset waits. With real
//      marks, moved each millisecond, a writer at full speed was always one commit ahead: its checkpoint never completed, and dropping the
//      mark to let it was a gap in which a thread that is not scheduled for 20 ms loses commits (seen on a busy machine).
//   5. A read transaction of SQLite takes a mark, and a thousand of them a second beside a writer at full speed gave that writer a
//      SQLITE_BUSY every few seconds: a reader that meets the wal-index while it is being published takes the *write* lock to look
//      again. So locks are taken here as SQLite's readers take them ("WAL-mode File Format", 2.3.3), but a torn header is waited for. Only
//      connecting reads through SQLite, twice.
//   6. No descriptor of our own is opened on the database, the WAL or the -shm: all reads go through sqlite3_file (FCNTL_FILE_POINTER,
//      FCNTL_JOURNAL_POINTER, xRead), locks and mapping through xShmLock and xShmMap. So the rule of POSIX locks (closing any
//      descriptor of an inode drops the process's locks) cannot be broken here, whatever other connections this process has.
//   7. Whoever connects first after a crash rebuilds the wal-index from the WAL, under locks, for as long as it takes to read the WAL. That
//      may be us; it is a moment at which another program could meet SQLITE_BUSY_RECOVERY because of us.
//   8. An application cannot leave WAL mode or enter locking_mode=EXCLUSIVE while any other connection is open, ours included.
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
#include "storage/sqlite/mark_policy.h"
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

  // Each takes its lock and then lets go of what was held before. False, and the old hold stays, when the wal-index cannot be read or
  // the slots are being changed: try again.
  bool anchor();  // no reset from now on; falls back to a mark when readers of others have all slots
  bool mark();    // no reset, and no backfill beyond the last commit: for reading pages. Never slot 0, which lets the WAL be reset.
  // Slot 0, if the wal-index still says `place` and all of it is in the file. Only for who has captured all of `place`: the next writer may
  // overwrite its frames.
  bool settle(const WalIndex& place);
  void release();
  Hold hold() const noexcept { return hold_; }
  bool holds_off_resets() const noexcept { return hold_ == Hold::anchor || hold_ == Hold::mark; }

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
  sqlite3_file* free_file() const noexcept { return connections_[held_by_ == 0 ? 1 : 0].file; }
  bool lock_marked_slot(const WalIndex& index);
  bool lock_slot_zero(const WalIndex& index);
  int find_slot(const WalIndex& index);
  void hand_over(int slot, Hold hold);
  std::uint32_t slot_frame(int slot) const;
  void set_slot_frame(int slot, std::uint32_t frame);

  DatabasePath path_;
  std::array<Connection, 2> connections_{};
  Hold hold_ = Hold::nothing;
  std::size_t held_by_ = 0;  // which connection has the lock
  int slot_ = 0;             // and of which slot
  sqlite3_file* wal_file_ = nullptr;
  volatile std::uint32_t* index_ = nullptr;  // mapped by SQLite as long as the connections are open
  int descriptor_ = -1;  // SQLite's own, on the database; to see and drop cached pages through
  std::uint64_t wal_inode_ = 0;
  std::uint64_t shm_inode_ = 0;
};

}  // namespace ccr::storage::sqlite
