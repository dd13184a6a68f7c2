// The system calls on one open file, blocking, with their errors translated. Both back ends stand on them.
//
// Calls interrupted by a signal go on; short reads and writes are continued; only fdatasync is never tried twice, since after a
// failed one the kernel has forgotten which pages were lost (FAULTS row 11).
// Threads: any, several at once on one file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "storage/disk.h"

namespace ccr::storage {

// A descriptor with the name it was opened by; closed when the last operation that uses it is over. Closing blocks where a server is asked (NFS, FUSE).
class OpenFile {
 public:
  OpenFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)), may_wait_(may_wait(descriptor)) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  const std::string& path() const noexcept { return path_; }
  // False: what is told not to wait does not, as with the file systems of a local disk. Others may ask a server all the same.
  bool may_wait() const noexcept { return may_wait_; }

 private:
  static bool may_wait(int descriptor) noexcept;

  int descriptor_;
  std::string path_;
  bool may_wait_;
};

// Shared with the operations in flight: a File may be closed while the kernel still works on it.
using SharedFile = std::shared_ptr<const OpenFile>;

// Regular files only: anything else under that name is ErrorKind::identity, and a FIFO does not hang the caller. New files 0600.
Result<SharedFile> open_file(const std::string& path, OpenMode mode);
Result<std::size_t> read_file(const OpenFile& file, std::uint64_t offset, ByteSpan into);
Result<std::size_t> read_file_once(const OpenFile& file, std::uint64_t offset, ByteSpan into);  // and leaves the page cache as it was
Result<void> write_file(const OpenFile& file, std::uint64_t offset, ByteView from);
// A hole, or where the file system makes none, zeros.
Result<void> write_zeros_to_file(const OpenFile& file, std::uint64_t offset, ByteView zeros);
Result<void> sync_file(const OpenFile& file);
Result<void> write_back_file(const OpenFile& file, const std::vector<FilePart>& parts);
Result<void> forget_file(const OpenFile& file, const std::vector<FilePart>& parts);  // never fails
Result<void> truncate_file(const OpenFile& file, std::uint64_t size);
// fallocate, or extend_with_zeros() where the file system has none.
Result<void> allocate_file(const OpenFile& file, std::uint64_t size);
// Writes zeros from the end of the file up to `size`. Unlike fallocate it would overwrite what another operation writes behind the
// old end meanwhile: on such file systems allocate and such writes must not overlap. Holes below the old end stay holes.
Result<void> extend_with_zeros(const OpenFile& file, std::uint64_t size);
Result<std::uint64_t> size_of_file(const OpenFile& file);

// Of an operation that failed at `offset` of `file`: "write /x/y at 4096: …".
Error error_at(std::string_view verb, const OpenFile& file, std::uint64_t offset, int number);

// File offsets are signed in the kernel; beyond this an offset has another meaning or none.
bool offset_is_usable(std::uint64_t offset, std::uint64_t length) noexcept;

}  // namespace ccr::storage
