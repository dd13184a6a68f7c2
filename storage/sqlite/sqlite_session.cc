#include "storage/sqlite/sqlite_session.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "storage/cache_footprint.h"

namespace ccr::storage::sqlite {
namespace {

constexpr int index_region_bytes = 32768;  // the unit in which SQLite maps the wal-index
constexpr int busy_tries_max = 200;        // another process recovers or closes: short
constexpr int busy_pause_ms = 5;
constexpr int torn_tries_max = 100;
constexpr int mark_tries_max = 20;
constexpr int anchor_tries_max = 3;
constexpr int slots = 5;
constexpr std::size_t scan_bytes_min = 64 * KiB;  // a read of as much is of a seed or a comparison, which read all
constexpr std::uint32_t frame_not_used = 0xffffffff;  // of a slot that no reader uses
constexpr int first_slot_lock = 3;        // SQLite's number of the lock of slot 0
constexpr std::size_t first_mark_word = 25;  // offset 100 of the wal-index: the frame numbers of the five slots

bool read_through(sqlite3_file* file, std::uint64_t offset, ByteSpan into) {
  const int rc = file->pMethods->xRead(file, into.data(), static_cast<int>(into.size()), static_cast<sqlite3_int64>(offset));
  return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ;  // a short read is filled up with zeros
}

std::uint64_t size_of(sqlite3_file* file) {
  sqlite3_int64 bytes = 0;
  return file->pMethods->xFileSize(file, &bytes) == SQLITE_OK ? static_cast<std::uint64_t>(bytes) : 0;
}

bool lock(sqlite3_file* file, int slot, int flags) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return file->pMethods->xShmLock(file, first_slot_lock + slot, 1, flags) == SQLITE_OK;
}

Refusal refusal_of(int rc, const std::string& path, const char* message) {
  switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"locking_exclusive", "another process holds " + path + " with locking_mode=EXCLUSIVE",
              "use PRAGMA locking_mode=NORMAL in the application"};
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {"not_a_database", path + ": " + message, "check the file with PRAGMA integrity_check"};
    default:
      return {"unreadable", path + ": " + message, "the daemon needs to read and write the -wal and -shm files beside the database"};
  }
}

}  // namespace

std::variant<std::unique_ptr<SqliteSession>, Refusal> SqliteSession::open(const DatabasePath& path) {
  std::unique_ptr<SqliteSession> session(new SqliteSession(path));
  for (Connection& connection : session->connections_) {
    if (std::optional<Refusal> refusal = session->connect(connection)) return std::move(*refusal);
  }
  if (std::optional<Refusal> refusal = session->map_index()) return std::move(*refusal);
  session->descriptor_ = descriptor_on(path.database);
  session->wal_inode_ = inode_of(path.wal);
  session->shm_inode_ = inode_of(path.shm);
  return session;
}

SqliteSession::~SqliteSession() {
  release();
  for (Connection& connection : connections_) ::sqlite3_close_v2(connection.database);
}

std::optional<Refusal> SqliteSession::connect(Connection& connection) {
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
  int rc = ::sqlite3_open_v2(path_.database.c_str(), &connection.database, flags, nullptr);
  if (rc != SQLITE_OK) return refusal_of(rc, path_.database, ::sqlite3_errmsg(connection.database));
  ::sqlite3_db_config(connection.database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  ::sqlite3_wal_autocheckpoint(connection.database, 0);
  ::sqlite3_busy_timeout(connection.database, 0);
  return read_once(connection);
}

// Opens WAL and wal-index. PRAGMA user_version reads the first page and no schema.
std::optional<Refusal> SqliteSession::read_once(Connection& connection) {
  int rc = SQLITE_OK;
  for (int tries = 0; tries < busy_tries_max; ++tries) {
    rc = ::sqlite3_exec(connection.database, "PRAGMA user_version", nullptr, nullptr, nullptr);
    if (rc == SQLITE_OK) return std::nullopt;
    if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_PROTOCOL) break;
    ::sqlite3_sleep(busy_pause_ms);
  }
  return refusal_of(rc, path_.database, ::sqlite3_errmsg(connection.database));
}

std::optional<Refusal> SqliteSession::map_index() {
  for (Connection& connection : connections_) {
    ::sqlite3_file_control(connection.database, "main", SQLITE_FCNTL_FILE_POINTER, &connection.file);
    ::sqlite3_file_control(connection.database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal_file_);
    const bool open = connection.file != nullptr && wal_file_ != nullptr && wal_file_->pMethods != nullptr;
    volatile void* mapped = nullptr;
    const bool can_map = open && connection.file->pMethods->iVersion >= 2 && connection.file->pMethods->xShmMap != nullptr;
    if (can_map) connection.file->pMethods->xShmMap(connection.file, 0, index_region_bytes, 0, &mapped);
    index_ = static_cast<volatile std::uint32_t*>(mapped);
    if (index_ == nullptr) {
      return Refusal{"locking_exclusive", path_.database + " has no wal-index in shared memory",
                     "use PRAGMA locking_mode=NORMAL in the application"};
    }
  }
  return std::nullopt;
}

bool SqliteSession::anchor() {
  if (hold_ == Hold::anchor) return true;
  sqlite3_file* file = free_file();
  for (int tries = 0; tries < anchor_tries_max; ++tries) {
    for (int slot = slots - 1; slot >= 1; --slot) {
      if (!lock(file, slot, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE)) continue;
      set_slot_frame(slot, frame_not_used);
      lock(file, slot, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
      if (!lock(file, slot, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED)) continue;
      if (slot_frame(slot) == frame_not_used) {
        hand_over(slot, Hold::anchor);
        return true;
      }
      lock(file, slot, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);  // a reader took it between the two locks
    }
  }
  return mark();
}

bool SqliteSession::mark() {
  for (int tries = 0; tries < mark_tries_max; ++tries) {
    const std::optional<WalIndex> index = look();
    if (index && lock_marked_slot(*index)) return true;
  }
  return false;
}

bool SqliteSession::settle(const WalIndex& place) {
  // A look first: even a short lock of slot 0 turns away a checkpoint that is about to begin.
  const std::optional<WalIndex> index = look();
  return index && *index == place && index->fully_backfilled() && lock_slot_zero(place);
}

// Good if nothing was committed before the lock was there: otherwise that could have been brought into the file already.
bool SqliteSession::lock_slot_zero(const WalIndex& index) {
  sqlite3_file* file = free_file();
  if (!lock(file, 0, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED)) return false;
  const std::optional<WalIndex> after = look();
  if (after && *after == index) {
    hand_over(0, Hold::slot_zero);
    return true;
  }
  lock(file, 0, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
  return false;
}

// Good if the slot still has its frame number and the WAL its salts once the lock is there: from then on neither can change.
bool SqliteSession::lock_marked_slot(const WalIndex& index) {
  sqlite3_file* file = free_file();
  const int slot = find_slot(index);
  const std::uint32_t frame = slot == 0 ? frame_not_used : slot_frame(slot);
  if (frame > index.last_frame || !lock(file, slot, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED)) return false;
  const std::optional<WalIndex> after = look();
  if (after && after->salts == index.salts && slot_frame(slot) == frame) {
    hand_over(slot, Hold::mark);
    return true;
  }
  lock(file, slot, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
  return false;
}

// A slot with the last frame: one that has it, or one that nobody holds and that is given it, or the nearest below (a mark further back holds
// more than we need, and loses nothing). 0: none.
int SqliteSession::find_slot(const WalIndex& index) {
  int nearest = 0;
  for (int slot = 1; slot < slots; ++slot) {
    const std::uint32_t frame = slot_frame(slot);
    if (frame == index.last_frame) return slot;
    if (frame < index.last_frame && (nearest == 0 || frame > slot_frame(nearest))) nearest = slot;
  }
  sqlite3_file* file = free_file();
  for (int slot = 1; slot < slots; ++slot) {
    if (!lock(file, slot, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE)) continue;
    set_slot_frame(slot, index.last_frame);
    lock(file, slot, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    return slot;
  }
  return nearest;
}

void SqliteSession::hand_over(int slot, Hold hold) {
  const std::size_t next = held_by_ == 0 ? 1 : 0;
  release();
  held_by_ = next;
  slot_ = slot;
  hold_ = hold;
}

void SqliteSession::release() {
  if (hold_ != Hold::nothing) lock(connections_[held_by_].file, slot_, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
  hold_ = Hold::nothing;
}

std::uint32_t SqliteSession::slot_frame(int slot) const { return index_[first_mark_word + static_cast<std::size_t>(slot)]; }
void SqliteSession::set_slot_frame(int slot, std::uint32_t frame) { index_[first_mark_word + static_cast<std::size_t>(slot)] = frame; }

std::optional<WalIndex> SqliteSession::look() const {
  std::array<std::byte, wal_index_head_bytes> bytes;
  for (int tries = 0; tries < torn_tries_max; ++tries) {
    // Another process writes this memory. First copy before second, as SQLite's readers do; the checksum judges the rest.
    for (std::size_t i = 0; i < bytes.size() / 4; ++i) {
      const std::uint32_t word = index_[i];
      std::memcpy(bytes.data() + i * 4, &word, 4);
      if (i == 11) std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    if (std::optional<WalIndex> index = decode_wal_index(bytes)) return index;
  }
  return std::nullopt;
}

bool SqliteSession::read_wal(std::uint64_t offset, ByteSpan into) const { return read_through(wal_file_, offset, into); }
bool SqliteSession::read_file(std::uint64_t offset, ByteSpan into) const {
  const bool scans = into.size() >= scan_bytes_min;
  const CacheFootprint before(scans ? descriptor_ : -1, offset, into.size());
  const bool read = read_through(connections_[0].file, offset, into);
  before.leave();
  return read;
}
std::uint64_t SqliteSession::wal_bytes() const { return size_of(wal_file_); }
std::uint64_t SqliteSession::file_bytes() const { return size_of(connections_[0].file); }

std::optional<DatabaseHeader> SqliteSession::file_header() const {
  std::array<std::byte, DatabaseHeader::encoded_bytes> bytes{};
  if (!read_file(0, bytes)) return std::nullopt;
  return decode_database_header(bytes);
}

bool SqliteSession::still_in_place() const {
  int moved = 0;
  ::sqlite3_file_control(connections_[0].database, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved == 0 && inode_of(path_.wal) == wal_inode_ && inode_of(path_.shm) == shm_inode_;
}

}  // namespace ccr::storage::sqlite
