// What lies at a database's path, and whether it can be served: the questions that stat, statfs and the first 100 bytes answer.
//
// The bytes are read through SQLite's own descriptor: closing another one on the same inode would drop every POSIX lock that this process
// holds there, those of its other connections too. Threads: the source's worker. This is a seam file.
#pragma once

#include <optional>
#include <string>

#include "storage/sqlite/sqlite_cursor.h"

namespace ccr::storage::sqlite {

// Why a database is not served now.
struct Refusal {
  std::string reason;
  std::string cause;
  std::string hint;
};

struct DatabasePath {
  std::string database;  // without symbolic links, as SQLite resolves it: the WAL lies beside the real file
  std::string wal;
  std::string shm;
};

// Resolves links; a path that does not resolve is taken as it is.
DatabasePath resolve_path(const std::string& path);

std::optional<FileFacts> facts_of(const std::string& path);
std::uint64_t inode_of(const std::string& path);  // 0: nothing there

// Looks at the path before anything is opened in SQL: nullopt when it is a WAL database that we may read.
std::optional<Refusal> examine(const std::string& path);

// The first 100 bytes of a database.
struct DatabaseHeader {
  static constexpr std::size_t encoded_bytes = 100;
  std::uint32_t page_size = 0;
  bool wal_mode = false;
  std::uint32_t change_counter = 0;
};
std::optional<DatabaseHeader> decode_database_header(ByteView bytes);  // nullopt: no SQLite database, or an encrypted one

}  // namespace ccr::storage::sqlite
