// Which other processes have a database open: what must be nobody before its file goes elsewhere.
//
// Each process that this one may look into is asked for its open files; beside that the wal-index is asked for the lock that every connection
// holds there, which shows one process of another user too. What neither shows is a connection of another user's program that has not read yet.
// Reads /proc; opens no descriptor on the database, its WAL or its wal-index, and closes none (sqlite_session.h, 6). This is a seam file.
#pragma once

#include <string>
#include <vector>

#include "storage/sqlite/file_state.h"

namespace ccr::storage::sqlite {

struct FileProgram {
  int process = 0;   // 0: of another namespace
  std::string name;  // of its program; empty: not known
};

// The files' inodes are what counts: `database` may have another name meanwhile.
struct DatabaseInodes {
  std::uint64_t device = 0, database = 0, wal = 0, index = 0;  // 0: there is none
};
DatabaseInodes inodes_of(const DatabasePath& path);

std::vector<FileProgram> programs_at(const DatabasePath& path, const DatabaseInodes& inodes);
std::string text_of(const std::vector<FileProgram>& programs);  // "process 12 (app), process 14 (sqlite3)", three at most

// unsupported: a symbolic link, by whose name the file cannot be taken from programs.
Result<void> check_name(const std::string& path);

}  // namespace ccr::storage::sqlite
