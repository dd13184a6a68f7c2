// Parting keeps programs from a database whose copy is about to be a passive one: while it lives nobody commits.
//
// begin() refuses while another process has the database open, then takes the write lock; checkpoint() brings the WAL into the file, which
// then is the whole database. A program that opens it meanwhile waits at the lock, with its own busy handler; look_for_programs() finds it.
// SQLite's lock goes with the file, whatever name that gets. Destruction lets go of the lock and leaves the WAL where it is.
// Threads: the source's worker. Failure: refused, with who has it open; busy.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "storage/sqlite/file_programs.h"

struct sqlite3;

namespace ccr::storage::sqlite {

class Parting {
 public:
  // `name`: the path as the user gave it.
  static Result<std::unique_ptr<Parting>> begin(const std::string& name, const DatabasePath& path);
  ~Parting();
  Parting(const Parting&) = delete;
  Parting& operator=(const Parting&) = delete;

  Result<void> checkpoint();  // everything that was committed is in the file, and on the disk; no mark of ours may be held
  Result<void> look_for_programs() const;

 private:
  explicit Parting(DatabasePath path) : path_(std::move(path)) {}
  Result<void> lock();

  DatabasePath path_;
  DatabaseInodes inodes_;
  sqlite3* locker_ = nullptr;   // in a write transaction that writes nothing
  sqlite3* copier_ = nullptr;   // runs the checkpoint beside it
};

}  // namespace ccr::storage::sqlite
