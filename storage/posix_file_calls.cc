#include "storage/posix_file_calls.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "storage/cache_footprint.h"
#include "storage/posix_error.h"

namespace ccr::storage {
namespace {

constexpr mode_t new_file_mode = 0600;
constexpr std::size_t zeros_bytes = 256 * KiB;  // per write of extend_with_zeros

constexpr std::array<std::uint64_t, 5> local_file_systems = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC};

int flags_of(OpenMode mode) noexcept {
  switch (mode) {
    case OpenMode::read:
      return O_RDONLY;
    case OpenMode::read_write:
      return O_RDWR;
    case OpenMode::create:
      return O_RDWR | O_CREAT;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

// Calls again while a signal interrupted it.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && (errno == EINTR || errno == EAGAIN)) result = call();
  return result;
}

}  // namespace

OpenFile::~OpenFile() { ::close(descriptor_); }  // close reports nothing here that a sync() did not

bool OpenFile::may_wait(int descriptor) noexcept {
  struct statfs facts {};
  if (::fstatfs(descriptor, &facts) != 0) return true;
  const auto type = static_cast<std::uint64_t>(facts.f_type);
  return std::find(local_file_systems.begin(), local_file_systems.end(), type) == local_file_systems.end();
}

bool offset_is_usable(std::uint64_t offset, std::uint64_t length) noexcept {
  constexpr std::uint64_t offset_max = std::numeric_limits<off_t>::max();
  return offset <= offset_max && length <= offset_max - offset;
}

Error error_at(std::string_view verb, const OpenFile& file, std::uint64_t offset, int number) {
  return posix_error(std::string(verb) + " " + file.path() + " at " + std::to_string(offset), number);
}

Result<SharedFile> open_file(const std::string& path, OpenMode mode) {
  // O_NONBLOCK only so that open() of a FIFO comes back; it must go again, io_uring would answer EAGAIN instead of waiting.
  // What is written is the file that was named, never one that a link at its place leads to.
  const bool written = mode != OpenMode::read;
  const int flags = flags_of(mode) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (written ? O_NOFOLLOW : 0);
  const int descriptor = uninterrupted([&] { return ::open(path.c_str(), flags, new_file_mode); });
  if (descriptor < 0 && errno == ELOOP && written)
    return Error{ErrorKind::identity, "open " + path + ": it is a symbolic link", "ccr writes to no file through a link: name the file itself, or move the link away"};
  if (descriptor < 0 && errno == EISDIR) return Error{ErrorKind::identity, "open " + path + ": it is a directory", "move it away: a file is to be there"};
  if (descriptor < 0) return posix_error("open " + path, errno);
  SharedFile file = std::make_shared<const OpenFile>(descriptor, path);
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) return posix_error("stat " + path, errno);
  if (!S_ISREG(facts.st_mode)) return Error{ErrorKind::identity, "open " + path + ": not a regular file", ""};
  if (written && facts.st_nlink > 1)
    return Error{ErrorKind::identity, "open " + path + ": it has " + std::to_string(facts.st_nlink) + " names, and is somebody else's file too",
                 "move it away, or put a copy of its own in its place (cp, not ln)"};
  if (::fcntl(descriptor, F_SETFL, flags_of(mode) & O_ACCMODE) != 0) return posix_error("open " + path, errno);
  return file;
}

Result<std::size_t> read_file(const OpenFile& file, std::uint64_t offset, ByteSpan into) {
  if (!offset_is_usable(offset, into.size())) return error_at("read", file, offset, EINVAL);
  std::size_t done = 0;
  while (done < into.size()) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t count = uninterrupted([&] { return ::pread(file.descriptor(), into.data() + done, into.size() - done, at); });
    if (count < 0) return error_at("read", file, offset + done, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<std::size_t> read_file_once(const OpenFile& file, std::uint64_t offset, ByteSpan into) {
  const CacheFootprint before(file.descriptor(), offset, into.size());
  const Result<std::size_t> read = read_file(file, offset, into);
  before.leave();
  return read;
}

Result<void> write_file(const OpenFile& file, std::uint64_t offset, ByteView from) {
  if (!offset_is_usable(offset, from.size())) return error_at("write", file, offset, EINVAL);
  std::size_t done = 0;
  while (done < from.size()) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t count = uninterrupted([&] { return ::pwrite(file.descriptor(), from.data() + done, from.size() - done, at); });
    if (count < 0) return error_at("write", file, offset + done, errno);
    if (count == 0) return error_at("write", file, offset + done, EIO);  // a file that takes nothing and says no reason
    done += static_cast<std::size_t>(count);
  }
  return {};
}

// The kernel zeros what of the range is no whole block. A hole extends no file, so its last byte is written where it lies behind the end.
Result<void> write_zeros_to_file(const OpenFile& file, std::uint64_t offset, ByteView zeros) {
  if (zeros.empty()) return {};
  if (!offset_is_usable(offset, zeros.size())) return error_at("write", file, offset, EINVAL);
  constexpr int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  const int failed = uninterrupted([&] { return ::fallocate(file.descriptor(), hole, static_cast<off_t>(offset), static_cast<off_t>(zeros.size())); });
  if (failed != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) return write_file(file, offset, zeros);
  if (failed != 0) return error_at("punch", file, offset, errno);
  const Result<std::uint64_t> size = size_of_file(file);
  if (!size) return size.error();
  const std::uint64_t last = offset + zeros.size() - 1;
  return *size > last ? Result<void>() : write_file(file, last, zeros.last(1));
}

Result<void> sync_file(const OpenFile& file) {
  if (::fdatasync(file.descriptor()) != 0) return posix_error("sync " + file.path(), errno);
  return {};
}

// All are begun before the first is waited for. An error that is told here is not told again by a sync of this descriptor.
Result<void> write_back_file(const OpenFile& file, const std::vector<FilePart>& parts) {
  constexpr unsigned begin = SYNC_FILE_RANGE_WRITE;
  constexpr unsigned wait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  for (const unsigned flags : {begin, wait}) {
    for (const FilePart& part : parts) {
      if (::sync_file_range(file.descriptor(), static_cast<off_t>(part.offset), static_cast<off_t>(part.bytes), flags) == 0) continue;
      if (errno == ENOSYS || errno == EOPNOTSUPP || errno == ESPIPE) return {};
      return error_at("write back", file, part.offset, errno);
    }
  }
  return {};
}

Result<void> forget_file(const OpenFile& file, const std::vector<FilePart>& parts) {
  drop_from_cache(file.descriptor(), parts);
  return {};
}

Result<void> truncate_file(const OpenFile& file, std::uint64_t size) {
  if (!offset_is_usable(size, 0)) return posix_error("truncate " + file.path(), EINVAL);
  const int failed = uninterrupted([&] { return ::ftruncate(file.descriptor(), static_cast<off_t>(size)); });
  if (failed != 0) return posix_error("truncate " + file.path(), errno);
  return {};
}

Result<void> allocate_file(const OpenFile& file, std::uint64_t size) {
  if (size == 0) return {};
  if (!offset_is_usable(size, 0)) return posix_error("allocate " + file.path(), EINVAL);
  const int failed = uninterrupted([&] { return ::fallocate(file.descriptor(), 0, 0, static_cast<off_t>(size)); });
  if (failed == 0) return {};
  if (errno == EOPNOTSUPP || errno == ENOSYS) return extend_with_zeros(file, size);
  return posix_error("allocate " + file.path(), errno);
}

Result<void> extend_with_zeros(const OpenFile& file, std::uint64_t size) {
  const Result<std::uint64_t> length = size_of_file(file);
  if (!length) return length.error();
  if (*length >= size) return {};
  const Bytes zeros(static_cast<std::size_t>(std::min<std::uint64_t>(zeros_bytes, size - *length)));
  for (std::uint64_t at = *length; at < size;) {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), size - at));
    CCR_TRY(write_file(file, at, ByteView(zeros).first(count)));
    at += count;
  }
  return {};
}

Result<std::uint64_t> size_of_file(const OpenFile& file) {
  struct stat facts {};
  if (::fstat(file.descriptor(), &facts) != 0) return posix_error("stat " + file.path(), errno);
  return static_cast<std::uint64_t>(facts.st_size);
}

}  // namespace ccr::storage
