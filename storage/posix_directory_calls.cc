#include "storage/posix_directory_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "storage/posix_error.h"
#include "storage/posix_file_calls.h"

namespace ccr::storage {
namespace {

constexpr mode_t new_directory_mode = 0700;

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};
using OpenDirectory = std::unique_ptr<DIR, CloseDirectory>;

Result<OpenDirectory> open_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return posix_error("open directory " + path, errno);
  OpenDirectory directory(::fdopendir(descriptor));
  if (directory) return directory;
  const int number = errno;
  ::close(descriptor);
  return posix_error("open directory " + path, number);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_directory(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

Result<void> make_one_directory(const std::string& path) {
  if (::mkdir(path.c_str(), new_directory_mode) == 0) {
    const Result<void> synced = sync_directory_entries(parent_of(path));
    if (!synced.ok()) ::rmdir(path.c_str());  // the next call would find it there, and take it for durable
    return synced;
  }
  const int number = errno;
  // A parent such as / or a read-only mount point answers EROFS or EACCES before EEXIST.
  if (is_directory(path)) return {};
  return posix_error("make directory " + path, number);
}

}  // namespace

Result<void> make_directory_path(const std::string& path) {
  if (path.empty()) return posix_error("make directory " + path, ENOENT);
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (path[slash - 1] == '/') continue;
    CCR_TRY(make_one_directory(path.substr(0, slash)));
  }
  return path.back() == '/' ? Result<void>() : make_one_directory(path);
}

Result<void> sync_directory_entries(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return posix_error("open directory " + path, errno);
  const OpenFile directory(descriptor, path);
  if (::fsync(descriptor) != 0) return posix_error("sync directory " + path, errno);
  return {};
}

Result<void> rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return posix_error("rename " + from + " to " + to, errno);
}

Result<void> remove_path(const std::string& path) {
  if (std::remove(path.c_str()) == 0) return {};
  return posix_error("remove " + path, errno);
}

Result<std::vector<DirectoryEntry>> list_directory(const std::string& path) {
  const Result<OpenDirectory> directory = open_directory(path);
  if (!directory) return directory.error();
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(directory->get());
    if (!found && errno != 0) return posix_error("list " + path, errno);
    if (!found) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    struct stat facts {};
    if (::fstatat(::dirfd(directory->get()), found->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // removed since readdir saw it
      return posix_error("stat " + path + "/" + std::string(name), errno);
    }
    const std::uint64_t size = static_cast<std::uint64_t>(facts.st_size);
    const FileFacts told{size, facts.st_ino, std::int64_t(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec};
    entries.push_back({std::string(name), S_ISDIR(facts.st_mode), told});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& left, const auto& right) { return left.name < right.name; });
  return entries;
}

Result<DiskSpace> space_of_path(const std::string& path) {
  struct statvfs facts {};
  if (::statvfs(path.c_str(), &facts) != 0) return posix_error("space of " + path, errno);
  return DiskSpace{std::uint64_t(facts.f_bavail) * facts.f_frsize, std::uint64_t(facts.f_blocks) * facts.f_frsize};
}

}  // namespace ccr::storage
