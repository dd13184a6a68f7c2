#include "storage/posix_error.h"

#include <cerrno>
#include <cstring>

namespace ccr::storage {
namespace {

const char* hint_of_errno(int number) noexcept {
  switch (number) {
    case ENOSPC:
      return "free space on that file system (df -h)";
    case EDQUOT:
      return "raise the quota of the user that runs ccr";
    case EACCES:
    case EPERM:
      return "the user that runs ccr needs access to it (ls -ld)";
    case EROFS:
      return "the file system is mounted read-only; the kernel log says why (dmesg)";
    case EMFILE:
      return "raise the limit of open files (LimitNOFILE, ulimit -n)";
    case ENFILE:
      return "raise the system's limit of open files (sysctl fs.file-max)";
    case EIO:
      return "the kernel log names the device and the cause (dmesg)";
    default:
      return "";
  }
}

}  // namespace

ErrorKind kind_of_errno(int number) noexcept {
  switch (number) {
    case ENOENT:
      return ErrorKind::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return ErrorKind::exists;
    case ENOSPC:
    case EDQUOT:
      return ErrorKind::no_space;
    case EROFS:
    case EACCES:
    case EPERM:
      return ErrorKind::read_only;
    // Too little of something that other work gives back: a later try can succeed.
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EBUSY:
    case ETXTBSY:
      return ErrorKind::busy;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorKind::unsupported;
    default:
      return ErrorKind::io;
  }
}

Error posix_error(std::string_view what, int number) {
  const char* text = strerrordesc_np(number);
  const char* name = strerrorname_np(number);
  std::string message(what);
  message += ": ";
  message += text ? text : "error";
  message += " (";
  message += name ? name : std::to_string(number);
  message += ")";
  return {kind_of_errno(number), std::move(message), hint_of_errno(number)};
}

}  // namespace ccr::storage
