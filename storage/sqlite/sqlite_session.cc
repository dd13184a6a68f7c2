#include "storage/sqlite/sqlite_session.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <utility>

namespace ccr::storage::sqlite {
namespace {

constexpr int index_region_bytes = 32768;  // the unit in which SQLite maps the wal-index
constexpr int busy_tries_max = 200;        // another process recovers or closes: short
constexpr int busy_pause_ms = 5;
constexpr int torn_tries_max = 100;

bool read_through(sqlite3_file* file, std::uint64_t offset, ByteSpan into) {
  const int rc = file->pMethods->xRead(file, into.data(), static_cast<int>(into.size()), static_cast<sqlite3_int64>(offset));
  return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ;  // a short read is filled up with zeros
}

std::uint64_t size_of(sqlite3_file* file) {
  sqlite3_int64 bytes = 0;
  return file->pMethods->xFileSize(file, &bytes) == SQLITE_OK ? static_cast<std::uint64_t>(bytes) : 0;
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
  session->wal_inode_ = inode_of(path.wal);
  session->shm_inode_ = inode_of(path.shm);
  return session;
}

SqliteSession::~SqliteSession() {
  for (Connection& connection : connections_) {
    ::sqlite3_finalize(connection.statement);
    ::sqlite3_close_v2(connection.database);
  }
}

std::optional<Refusal> SqliteSession::connect(Connection& connection) {
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
  int rc = ::sqlite3_open_v2(path_.database.c_str(), &connection.database, flags, nullptr);
  if (rc != SQLITE_OK) return refusal_of(rc, path_.database, ::sqlite3_errmsg(connection.database));
  ::sqlite3_db_config(connection.database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  ::sqlite3_wal_autocheckpoint(connection.database, 0);
  ::sqlite3_busy_timeout(connection.database, 0);
  rc = ::sqlite3_prepare_v3(connection.database, "PRAGMA user_version", -1, SQLITE_PREPARE_PERSISTENT, &connection.statement, nullptr);
  if (rc != SQLITE_OK) return refusal_of(rc, path_.database, ::sqlite3_errmsg(connection.database));
  if (std::optional<Refusal> refusal = step(connection)) return refusal;
  ::sqlite3_reset(connection.statement);
  return std::nullopt;
}

std::optional<Refusal> SqliteSession::step(Connection& connection) {
  int rc = SQLITE_OK;
  for (int tries = 0; tries < busy_tries_max; ++tries) {
    rc = ::sqlite3_step(connection.statement);
    if (rc == SQLITE_ROW) return std::nullopt;
    ::sqlite3_reset(connection.statement);
    if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_PROTOCOL) break;
    ::sqlite3_sleep(busy_pause_ms);
  }
  return refusal_of(rc, path_.database, ::sqlite3_errmsg(connection.database));
}

std::optional<Refusal> SqliteSession::map_index() {
  sqlite3* database = connections_[0].database;
  ::sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &database_file_);
  ::sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal_file_);
  const bool open = database_file_ != nullptr && wal_file_ != nullptr && wal_file_->pMethods != nullptr;
  volatile void* mapped = nullptr;
  const bool can_map = open && database_file_->pMethods->iVersion >= 2 && database_file_->pMethods->xShmMap != nullptr;
  if (can_map) database_file_->pMethods->xShmMap(database_file_, 0, index_region_bytes, 0, &mapped);
  index_ = mapped;
  if (index_ != nullptr) return std::nullopt;
  return Refusal{"locking_exclusive", path_.database + " has no wal-index in shared memory", "use PRAGMA locking_mode=NORMAL in the application"};
}

std::optional<Refusal> SqliteSession::mark() {
  const int next = held_ == 0 ? 1 : 0;
  if (std::optional<Refusal> refusal = step(connections_[static_cast<std::size_t>(next)])) return refusal;
  release();
  held_ = next;
  return std::nullopt;
}

void SqliteSession::release() {
  if (held_ >= 0) ::sqlite3_reset(connections_[static_cast<std::size_t>(held_)].statement);
  held_ = -1;
}

std::optional<WalIndex> SqliteSession::look() const {
  std::array<std::byte, wal_index_head_bytes> bytes;
  for (int tries = 0; tries < torn_tries_max; ++tries) {
    // Another process writes this memory. First copy before second, as SQLite's readers do; the checksum judges the rest.
    const auto* words = static_cast<const volatile std::uint32_t*>(index_);
    for (std::size_t i = 0; i < bytes.size() / 4; ++i) {
      const std::uint32_t word = words[i];
      std::memcpy(bytes.data() + i * 4, &word, 4);
      if (i == 11) std::atomic_thread_fence(std::memory_order_seq_cst);
    }
    if (std::optional<WalIndex> index = decode_wal_index(bytes)) return index;
  }
  return std::nullopt;
}

bool SqliteSession::read_wal(std::uint64_t offset, ByteSpan into) const { return read_through(wal_file_, offset, into); }
bool SqliteSession::read_file(std::uint64_t offset, ByteSpan into) const { return read_through(database_file_, offset, into); }
std::uint64_t SqliteSession::wal_bytes() const { return size_of(wal_file_); }
std::uint64_t SqliteSession::file_bytes() const { return size_of(database_file_); }

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
