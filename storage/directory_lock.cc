#include "storage/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "storage/posix_error.h"

namespace ccr::storage {
namespace {

constexpr mode_t lock_file_mode = 0600;
constexpr std::size_t owner_bytes_max = 20;  // a process id in decimal, with room

// What the owner wrote: digits and a newline. Anything else, also nothing yet, is nobody known.
std::string owner_written_in(int descriptor) {
  std::array<char, owner_bytes_max> text{};
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  std::string owner;
  for (ssize_t i = 0; i < count && text[i] >= '0' && text[i] <= '9'; ++i) owner += text[i];
  return owner;
}

bool write_owner(int descriptor) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0) return false;
  return ::pwrite(descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

Error held_by_another(const std::string& directory, int descriptor) {
  const std::string owner = owner_written_in(descriptor);
  const std::string who = owner.empty() ? "another process" : "process " + owner;
  return {ErrorKind::busy, "lock " + directory + ": in use by " + who, owner.empty() ? "" : "ps -p " + owner};
}

}  // namespace

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<DirectoryLock> lock_directory(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, lock_file_mode);
  if (descriptor < 0) return posix_error("lock " + path, errno);
  DirectoryLock lock(descriptor);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(descriptor, F_OFD_SETLK, &whole) != 0) {
    if (errno == EAGAIN || errno == EACCES) return held_by_another(directory, descriptor);
    return posix_error("lock " + path, errno);
  }
  if (!write_owner(descriptor)) return posix_error("write " + path, errno);
  return lock;
}

Result<DirectoryLock> claim_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return posix_error("claim " + directory, errno);
  DirectoryLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return Error{ErrorKind::busy, "claim " + directory + ": in use by another process", "fuser -v " + directory};
  return posix_error("claim " + directory, errno);
}

}  // namespace ccr::storage
