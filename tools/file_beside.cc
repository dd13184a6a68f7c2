#include "tools/file_beside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ccr::tools {
namespace {

bool write_all(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

Error file_error(const std::string& what, const std::string& path, int error) {
  ErrorKind kind = ErrorKind::io;
  if (error == ENOSPC || error == EDQUOT) kind = ErrorKind::no_space;
  if (error == EROFS || error == EACCES || error == EPERM) kind = ErrorKind::read_only;
  if (error == EEXIST) kind = ErrorKind::exists;
  return {kind, what + " '" + path + "': " + std::strerror(error), ""};
}

Result<std::string> write_beside(const std::string& path, const std::string& text, mode_t mode, std::optional<FileOwner> owner) {
  const std::string beside = path + ".new";
  ::unlink(beside.c_str());  // of a run that was cut off
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, owner ? 0600 : mode);
  if (file < 0) return file_error("create", beside, errno);
  const bool owned = !owner || ::fchown(file, owner->user, owner->group) == 0;
  const bool written = owned && write_all(file, text) && ::fchmod(file, mode) == 0 && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (written) return beside;
  ::unlink(beside.c_str());
  return file_error("write", beside, error);
}

Result<void> sync_directory(const std::string& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return file_error("open", path, errno);
  const bool synced = ::fsync(directory) == 0;
  const int error = errno;
  ::close(directory);
  if (!synced) return file_error("sync", path, error);
  return {};
}

}  // namespace ccr::tools
