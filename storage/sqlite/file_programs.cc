#include "storage/sqlite/file_programs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>

namespace ccr::storage::sqlite {
namespace {

constexpr off_t connection_lock = 128;  // the byte of a wal-index of which every connection holds a shared lock
constexpr std::size_t named_max = 3;

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) return names;
  while (const dirent* entry = ::readdir(directory.get()))
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') names.emplace_back(entry->d_name);
  return names;
}

std::string link_text(const std::string& path) {
  std::array<char, 4096> text{};
  const ssize_t bytes = ::readlink(path.c_str(), text.data(), text.size());
  return bytes > 0 ? std::string(text.data(), static_cast<std::size_t>(bytes)) : std::string();
}

std::string program_of(int process) {
  const std::string path = link_text("/proc/" + std::to_string(process) + "/exe");
  return path.substr(path.rfind('/') + 1);
}

// A descriptor is looked at only where its name is like the database's: to ask for one on a dead network mount would wait for it.
bool has_open(const std::string& process, const std::string& name, const DatabaseInodes& inodes) {
  const std::string directory = "/proc/" + process + "/fd";
  for (const std::string& descriptor : names_in(directory)) {
    const std::string path = directory + "/" + descriptor;
    if (link_text(path).find(name) == std::string::npos) continue;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || status.st_dev != inodes.device) continue;
    const std::uint64_t inode = status.st_ino;
    if (inode == inodes.database || inode == inodes.wal || inode == inodes.index) return true;
  }
  return false;
}

// Who else holds a lock that every connection has, by way of the descriptor that SQLite has in this process.
std::optional<int> lock_holder(const DatabaseInodes& inodes) {
  for (const std::string& descriptor : names_in("/proc/self/fd")) {
    struct stat status {};
    const int number = std::atoi(descriptor.c_str());
    if (inodes.index == 0 || ::fstat(number, &status) != 0 || status.st_dev != inodes.device || status.st_ino != inodes.index) continue;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = connection_lock;
    lock.l_len = 1;
    if (::fcntl(number, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) return static_cast<int>(lock.l_pid);
  }
  return std::nullopt;
}

}  // namespace

DatabaseInodes inodes_of(const DatabasePath& path) {
  DatabaseInodes inodes;
  struct stat status {};
  if (::stat(path.database.c_str(), &status) == 0) {
    inodes.device = status.st_dev;
    inodes.database = status.st_ino;
  }
  inodes.wal = inode_of(path.wal);
  inodes.index = inode_of(path.shm);
  return inodes;
}

std::vector<FileProgram> programs_at(const DatabasePath& path, const DatabaseInodes& inodes) {
  std::vector<FileProgram> found;
  const std::string name = path.database.substr(path.database.rfind('/') + 1);
  const int own = ::getpid();
  for (const std::string& process : names_in("/proc")) {
    const int number = std::atoi(process.c_str());
    if (number != own && has_open(process, name, inodes)) found.push_back({number, program_of(number)});
  }
  const std::optional<int> holder = lock_holder(inodes);
  const auto same = [&](const FileProgram& program) { return program.process == *holder; };
  if (holder && std::none_of(found.begin(), found.end(), same)) found.push_back({*holder, program_of(*holder)});
  return found;
}

std::string text_of(const std::vector<FileProgram>& programs) {
  std::string text;
  for (std::size_t i = 0; i < std::min(programs.size(), named_max); ++i) {
    const FileProgram& program = programs[i];
    if (i > 0) text += ", ";
    text += program.process == 0 ? "a process of another namespace" : "process " + std::to_string(program.process);
    if (!program.name.empty()) text += " (" + program.name + ")";
  }
  if (programs.size() > named_max) text += " and " + std::to_string(programs.size() - named_max) + " more";
  return text;
}

Result<void> check_name(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return {};
  return Error{ErrorKind::unsupported, path + " is a symbolic link: the file cannot be taken from programs by this name", "name the file itself in the configuration"};
}

}  // namespace ccr::storage::sqlite
