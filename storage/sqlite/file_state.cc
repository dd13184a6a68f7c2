#include "storage/sqlite/file_state.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace ccr::storage::sqlite {
namespace {

constexpr std::string_view database_magic("SQLite format 3\0", 16);

struct NetworkFileSystem {
  std::uint32_t magic;
  const char* name;
};
// Shared memory of a wal-index does not reach across hosts. Magic numbers as in linux/magic.h and the file systems' own sources.
constexpr std::array<NetworkFileSystem, 9> network_file_systems{{
    {0x00006969, "NFS"}, {0x0000517b, "SMB"}, {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"}, {0x00c36400, "Ceph"},
    {0x5346414f, "AFS"}, {0x6b414653, "AFS"}, {0x01021997, "9P"}, {0x73757245, "Coda"},
}};

Refusal refuse(std::string reason, std::string cause, std::string hint) { return {std::move(reason), std::move(cause), std::move(hint)}; }

Refusal refuse_errno(const std::string& path, int code) {
  const std::string text = std::strerror(code);
  if (code == ENOENT || code == ENOTDIR) return refuse("not_there", path + " does not exist", "check the path of the database");
  if (code == ELOOP) return refuse("symlink_loop", path + ": " + text, "point the path at the database itself");
  return refuse("unreadable", path + ": " + text, "run the daemon as the owner of the database or as root");
}

std::optional<Refusal> examine_file_system(const std::string& path) {
  struct statfs facts {};
  if (::statfs(path.c_str(), &facts) != 0) return refuse_errno(path, errno);
  for (const NetworkFileSystem& each : network_file_systems) {
    if (static_cast<std::uint32_t>(facts.f_type) != each.magic) continue;
    return refuse("network_fs", path + " lies on a network file system (" + each.name + "), where WAL mode is not safe",
                  "move the database to a local disk");
  }
  return std::nullopt;
}

struct Closer {
  void operator()(sqlite3* connection) const noexcept { ::sqlite3_close_v2(connection); }
};

std::optional<Refusal> examine_header(const std::string& path) {
  sqlite3* opened = nullptr;
  const int rc = ::sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  const std::unique_ptr<sqlite3, Closer> connection(opened);
  if (rc != SQLITE_OK) return refuse_errno(path, EACCES);
  sqlite3_file* file = nullptr;
  ::sqlite3_file_control(opened, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  std::array<std::byte, DatabaseHeader::encoded_bytes> bytes{};
  const bool readable = file != nullptr && file->pMethods != nullptr;
  if (readable) file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), 0);
  const std::optional<DatabaseHeader> header = decode_database_header(bytes);
  if (!header) {
    return refuse("not_a_database", path + " is no SQLite database, or an encrypted one", "ccr captures plain SQLite databases only");
  }
  if (!header->wal_mode) {
    return refuse("rollback_journal", path + " is not in WAL mode", "sqlite3 " + path + " 'PRAGMA journal_mode=WAL'");
  }
  return std::nullopt;
}

}  // namespace

DatabasePath resolve_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  const std::string database = real ? std::string(real.get()) : path;
  return {database, database + "-wal", database + "-shm"};
}

std::optional<FileFacts> facts_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  const std::int64_t modified = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  return FileFacts{status.st_ino, static_cast<std::uint64_t>(status.st_size), modified};
}

std::uint64_t inode_of(const std::string& path) {
  const std::optional<FileFacts> facts = facts_of(path);
  return facts ? facts->inode : 0;
}

std::optional<Refusal> examine(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return refuse_errno(path, errno);
  if (!S_ISREG(status.st_mode)) return refuse("not_a_file", path + " is not a regular file", "check the path of the database");
  if (const std::optional<Refusal> network = examine_file_system(path)) return network;
  const uid_t self = ::geteuid();
  if (self != 0 && self != status.st_uid) {
    return refuse("not_owner", path + " belongs to uid " + std::to_string(status.st_uid) + ", the daemon runs as " + std::to_string(self),
                  "run the daemon as the owner of the database or as root: it would come to own the WAL and lock the application out");
  }
  if (status.st_size == 0) {
    return refuse("empty", path + " has no bytes yet", "it is served once an application has created its tables in WAL mode");
  }
  return examine_header(path);
}

std::optional<DatabaseHeader> decode_database_header(ByteView bytes) {
  if (bytes.size() < DatabaseHeader::encoded_bytes) return std::nullopt;
  if (to_text(bytes.first(database_magic.size())) != database_magic) return std::nullopt;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(bytes[at]); };
  DatabaseHeader header;
  const std::uint32_t coded = byte(16) << 8 | byte(17);
  header.page_size = coded == 1 ? page_size_max : coded;
  header.wal_mode = byte(18) == 2 && byte(19) == 2;
  header.change_counter = byte(24) << 24 | byte(25) << 16 | byte(26) << 8 | byte(27);
  if (!is_page_size(header.page_size)) return std::nullopt;
  return header;
}

}  // namespace ccr::storage::sqlite
