// Disk is a seam: every file of ours is touched through it, so that the simulator can lose, tear and reorder what was not synced.
//
// Completion: a write is visible to later reads when write_at() completes and durable only when a sync() that began afterwards
// completes with ok. A created, renamed or removed name is durable only when sync_directory() of its directory completes. Operations
// on one file may overlap; overlapping writes of one range end in either order.
// Failure: after a failed sync() nothing written since the last good one may be believed; the file must be dropped and rewritten
// under another inode (FAULTS row 11). A failed write may have written any part.
// Stopping: disk operations are not interrupted by a stopped task; they complete, then the task unwinds. Buffers stay the caller's until
// completion. Threads: the node's executor only. Lifetime: the Disk outlives its files; a File closes in its destructor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/task.h"
#include "storage/file_access.h"

namespace ccr::storage {

enum class OpenMode {
  read,           // must exist
  read_write,     // must exist
  create,         // made when it is not there
  create_new,     // must not exist (ErrorKind::exists)
};

struct FilePart {
  std::uint64_t offset = 0, bytes = 0;
};

class File {
 public:
  virtual ~File() = default;
  // Fills `into` from `offset`; returns the bytes read, short only at the end of the file.
  virtual Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) = 0;
  // The same, and the page cache is left as it was (storage/cache_footprint.h): for what reads much, once.
  virtual Task<Result<std::size_t>> read_once_at(std::uint64_t offset, ByteSpan into) { return read_at(offset, into); }
  // Parts that nobody here reads again leave the page cache once they are on the disk; after a sync(). A back end may do nothing.
  virtual Task<Result<void>> forget(std::vector<FilePart> parts) { return leave(std::move(parts)); }
  // Writes all of `from`; extends the file where needed, with zeros in a hole.
  virtual Task<Result<void>> write_at(std::uint64_t offset, ByteView from) = 0;
  // The same of bytes that are all zeros. Whole blocks among them go back to the file system where that can be: a hole.
  virtual Task<Result<void>> write_zeros(std::uint64_t offset, ByteView zeros) { return write_at(offset, zeros); }
  virtual Task<Result<void>> sync() = 0;  // fdatasync: content and length
  // Brings parts that were written to the disk, and waits for that: no more of them are in its queue at once, and a sync() finds little to do.
  // Nothing is durable by it; a back end may do nothing. Failure: as of sync().
  virtual Task<Result<void>> write_back(std::vector<FilePart> parts) { return leave(std::move(parts)); }
  virtual Task<Result<void>> truncate(std::uint64_t size) = 0;
  // Reserves blocks up to `size` and extends the file with zeros, so that writes below it meet no ENOSPC.
  virtual Task<Result<void>> allocate(std::uint64_t size) = 0;
  virtual Task<Result<std::uint64_t>> size() = 0;

 private:
  static Task<Result<void>> leave(std::vector<FilePart>) { co_return Result<void>(); }
};

// What tells whether a file is still the one it was. A change of its content changes one of them; after a power cut `modified` may be an
// older one.
struct FileFacts {
  std::uint64_t bytes = 0, inode = 0;
  std::int64_t modified_ns = 0;  // wall time of the last change; only compared, never a time to reckon with
  bool known() const noexcept { return inode != 0; }
  bool operator==(const FileFacts&) const = default;
};

struct DirectoryEntry {
  std::string name;
  bool directory = false;
  FileFacts facts = {};  // of a file
};

struct DiskSpace {
  std::uint64_t free_bytes = 0;   // for an unprivileged process
  std::uint64_t total_bytes = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) = 0;
  virtual Task<Result<void>> make_directories(std::string path) = 0;  // mode 0700, parents too; ok when it is there
  virtual Task<Result<void>> sync_directory(std::string path) = 0;
  virtual Task<Result<void>> rename(std::string from, std::string to) = 0;  // replaces `to`
  virtual Task<Result<void>> remove(std::string path) = 0;                  // ErrorKind::not_found when it is not there
  virtual Task<Result<std::vector<DirectoryEntry>>> list(std::string path) = 0;  // sorted by name; without . and ..
  virtual Task<Result<DiskSpace>> space(std::string path) = 0;
  // Who may use a file. By default a disk keeps nothing of the kind: what it answers is not known(), and what it is given is nothing to it.
  virtual Task<Result<FileAccess>> access(std::string) { co_return FileAccess{}; }
  virtual Task<Result<void>> give_access(std::string, FileAccess) { co_return Result<void>(); }  // as give_access_to_path()
  virtual std::string_view name() const = 0;  // "io_uring", "threads", "simulated"
};

}  // namespace ccr::storage
