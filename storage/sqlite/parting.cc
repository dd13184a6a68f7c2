#include "storage/sqlite/parting.h"

#include <sqlite3.h>

namespace ccr::storage::sqlite {
namespace {

constexpr int busy_wait_ms = 2000;  // for a program that commits just then

sqlite3* connect(const std::string& path) {
  sqlite3* connection = nullptr;
  if (::sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) return connection;
  ::sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  ::sqlite3_wal_autocheckpoint(connection, 0);
  ::sqlite3_busy_timeout(connection, busy_wait_ms);
  ::sqlite3_exec(connection, "PRAGMA synchronous=FULL", nullptr, nullptr, nullptr);  // of its checkpoints
  return connection;
}

}  // namespace

Result<std::unique_ptr<Parting>> Parting::begin(const std::string& name, const DatabasePath& path) {
  const Result<void> own_name = check_name(name);
  if (!own_name.ok()) return own_name.error();
  std::unique_ptr<Parting> parting(new Parting(path));
  parting->inodes_ = inodes_of(path);
  const Result<void> alone = parting->look_for_programs();
  if (!alone.ok()) return alone.error();
  const Result<void> locked = parting->lock();
  if (!locked.ok()) return locked.error();
  return parting;
}

Result<void> Parting::lock() {
  locker_ = connect(path_.database);
  copier_ = connect(path_.database);
  const int rc = ::sqlite3_exec(locker_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  if (rc == SQLITE_OK) return {};
  const Result<void> alone = look_for_programs();
  if (!alone.ok()) return alone;
  return Error{ErrorKind::busy, path_.database + " cannot be locked: " + ::sqlite3_errmsg(locker_), "try again"};
}

Parting::~Parting() {
  ::sqlite3_close_v2(copier_);
  ::sqlite3_close_v2(locker_);
}

Result<void> Parting::checkpoint() {
  int frames = 0, copied = 0;
  const int rc = ::sqlite3_wal_checkpoint_v2(copier_, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
  if (rc != SQLITE_OK) return Error{ErrorKind::busy, "the WAL of " + path_.database + " cannot be brought into the file: " + ::sqlite3_errmsg(copier_), "try again"};
  if (copied == frames) return {};
  return Error{ErrorKind::busy, "a reader holds back the WAL of " + path_.database + ": " + std::to_string(copied) + " of " + std::to_string(frames) + " frames are in the file", "end the programs that read it"};
}

Result<void> Parting::look_for_programs() const {
  const std::vector<FileProgram> programs = programs_at(path_, inodes_);
  if (programs.empty()) return {};
  return Error{ErrorKind::refused, path_.database + " is open in " + text_of(programs), "end what uses it: on_demote in the configuration names a command for that"};
}

}  // namespace ccr::storage::sqlite
