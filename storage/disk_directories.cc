#include "storage/disk_directories.h"

#include <utility>

#include "storage/posix_directory_calls.h"

namespace ccr::storage {

Task<Result<SharedFile>> DiskDirectories::open(std::string path, OpenMode mode) {
  auto call = [path = std::move(path), mode] { return open_file(path, mode); };
  Result<SharedFile> file = co_await pool_.run(std::move(call));
  if (!file.ok()) co_return file.error();
  if (!(*file)->may_wait()) co_return file;  // closed at once: whoever opens it next as SQLite does must not lose its POSIX locks by a close that comes later
  co_return pool_.destroyed_here(std::move(*file));
}

Task<Result<void>> DiskDirectories::make(std::string path) {
  return pool_.run([path = std::move(path)] { return make_directory_path(path); });
}

Task<Result<void>> DiskDirectories::sync(std::string path) {
  return pool_.run([path = std::move(path)] { return sync_directory_entries(path); });
}

Task<Result<void>> DiskDirectories::rename(std::string from, std::string to) {
  return pool_.run([from = std::move(from), to = std::move(to)] { return rename_path(from, to); });
}

Task<Result<void>> DiskDirectories::remove(std::string path) {
  return pool_.run([path = std::move(path)] { return remove_path(path); });
}

Task<Result<std::vector<DirectoryEntry>>> DiskDirectories::list(std::string path) {
  return pool_.run([path = std::move(path)] { return list_directory(path); });
}

Task<Result<DiskSpace>> DiskDirectories::space(std::string path) {
  return pool_.run([path = std::move(path)] { return space_of_path(path); });
}

Task<Result<FileAccess>> DiskDirectories::access(std::string path) {
  return pool_.run([path = std::move(path)] { return access_of_path(path); });
}

Task<Result<void>> DiskDirectories::give_access(std::string path, FileAccess access) {
  return pool_.run([path = std::move(path), access = std::move(access)] { return give_access_to_path(path, access); });
}

}  // namespace ccr::storage
