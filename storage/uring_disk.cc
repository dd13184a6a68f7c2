#include "storage/uring_disk.h"

#include <cerrno>
#include <utility>

#include "storage/cache_footprint.h"
#include "storage/disk_directories.h"
#include "storage/posix_error.h"
#include "storage/posix_file_calls.h"
#include "storage/submission_ring.h"

namespace ccr::storage {
namespace {

class UringFile final : public File {
 public:
  UringFile(SubmissionRing& ring, CallPool& pool, SharedFile file) : ring_(ring), pool_(pool), file_(std::move(file)) {}

  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override;
  Task<Result<std::size_t>> read_once_at(std::uint64_t offset, ByteSpan into) override {
    return pool_.run([file = file_, offset, into] { return read_file_once(*file, offset, into); });
  }
  Task<Result<void>> forget(std::vector<FilePart> parts) override {
    return pool_.run([file = file_, parts = std::move(parts)] { return forget_file(*file, parts); });
  }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override;
  Task<Result<void>> write_zeros(std::uint64_t offset, ByteView zeros) override {
    return pool_.run([file = file_, offset, zeros] { return write_zeros_to_file(*file, offset, zeros); });
  }
  Task<Result<void>> sync() override;
  Task<Result<void>> allocate(std::uint64_t size) override;
  Task<Result<void>> write_back(std::vector<FilePart> parts) override {
    return pool_.run([file = file_, parts = std::move(parts)] { return write_back_file(*file, parts); });
  }
  Task<Result<void>> truncate(std::uint64_t size) override {
    return pool_.run([file = file_, size] { return truncate_file(*file, size); });
  }
  Task<Result<std::uint64_t>> size() override {
    return pool_.run([file = file_] { return size_of_file(*file); });
  }

 private:
  SubmissionRing& ring_;
  CallPool& pool_;
  SharedFile file_;
};

// In the coroutines below the file is kept by a name of its own: `this` may be closed while the kernel works.

Task<Result<std::size_t>> UringFile::read_at(std::uint64_t offset, ByteSpan into) {
  const SharedFile file = file_;
  if (!offset_is_usable(offset, into.size())) co_return error_at("read", *file, offset, EINVAL);
  if (into.empty()) co_return std::size_t{0};
  RingRequest request{RingRequest::Kind::read, file, offset, into.data(), into.size()};
  const RingOutcome outcome = co_await ring_.run(std::move(request));
  if (outcome.number != 0) co_return error_at("read", *file, offset + outcome.done, outcome.number);
  co_return static_cast<std::size_t>(outcome.done);
}

Task<Result<void>> UringFile::write_at(std::uint64_t offset, ByteView from) {
  const SharedFile file = file_;
  if (!offset_is_usable(offset, from.size())) co_return error_at("write", *file, offset, EINVAL);
  if (from.empty()) co_return Result<void>();
  RingRequest request{RingRequest::Kind::write, file, offset, const_cast<std::byte*>(from.data()), from.size()};
  const RingOutcome outcome = co_await ring_.run(std::move(request));
  if (outcome.number != 0) co_return error_at("write", *file, offset + outcome.done, outcome.number);
  co_return Result<void>();
}

Task<Result<void>> UringFile::sync() {
  const SharedFile file = file_;
  RingRequest request{RingRequest::Kind::sync, file, 0, nullptr, 0};
  const RingOutcome outcome = co_await ring_.run(std::move(request));
  if (outcome.number != 0) co_return posix_error("sync " + file->path(), outcome.number);
  co_return Result<void>();
}

Task<Result<void>> UringFile::allocate(std::uint64_t size) {
  const SharedFile file = file_;
  CallPool& pool = pool_;
  if (size == 0) co_return Result<void>();
  if (!offset_is_usable(size, 0)) co_return posix_error("allocate " + file->path(), EINVAL);
  RingRequest request{RingRequest::Kind::allocate, file, 0, nullptr, size};
  const RingOutcome outcome = co_await ring_.run(std::move(request));
  if (outcome.number == 0) co_return Result<void>();
  if (outcome.number != EOPNOTSUPP) co_return posix_error("allocate " + file->path(), outcome.number);
  auto extend = [file, size] { return extend_with_zeros(*file, size); };
  co_return co_await pool.run(std::move(extend));
}

class UringDisk final : public Disk {
 public:
  explicit UringDisk(std::shared_ptr<SubmissionRing> ring) : ring_(std::move(ring)), directories_(pool_) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    Result<SharedFile> file = co_await directories_.open(std::move(path), mode);
    if (!file) co_return file.error();
    std::unique_ptr<File> opened = std::make_unique<UringFile>(*ring_, pool_, std::move(*file));
    co_return opened;
  }
  Task<Result<void>> make_directories(std::string path) override { return directories_.make(std::move(path)); }
  Task<Result<void>> sync_directory(std::string path) override { return directories_.sync(std::move(path)); }
  Task<Result<void>> rename(std::string from, std::string to) override {
    return directories_.rename(std::move(from), std::move(to));
  }
  Task<Result<void>> remove(std::string path) override { return directories_.remove(std::move(path)); }
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path) override { return directories_.list(std::move(path)); }
  Task<Result<DiskSpace>> space(std::string path) override { return directories_.space(std::move(path)); }
  Task<Result<FileAccess>> access(std::string path) override { return directories_.access(std::move(path)); }
  Task<Result<void>> give_access(std::string path, FileAccess access) override { return directories_.give_access(std::move(path), std::move(access)); }
  std::string_view name() const override { return "io_uring"; }

 private:
  std::shared_ptr<SubmissionRing> ring_;  // shared only for the weak references of its own handlers
  CallPool pool_;
  DiskDirectories directories_;
};

}  // namespace

Result<std::unique_ptr<Disk>> make_uring_disk(const Executor& executor) {
  Result<std::shared_ptr<SubmissionRing>> ring = SubmissionRing::open(executor);
  if (!ring) return ring.error();
  std::unique_ptr<Disk> disk = std::make_unique<UringDisk>(std::move(*ring));
  return disk;
}

}  // namespace ccr::storage
