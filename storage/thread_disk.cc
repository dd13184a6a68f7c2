#include "storage/thread_disk.h"

#include <utility>

#include "storage/cache_footprint.h"
#include "storage/disk_directories.h"
#include "storage/posix_file_calls.h"

namespace ccr::storage {
namespace {

class ThreadFile final : public File {
 public:
  ThreadFile(CallPool& pool, SharedFile file) : pool_(pool), file_(std::move(file)) {}

  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override {
    return pool_.run([file = file_, offset, into] { return read_file(*file, offset, into); });
  }
  Task<Result<std::size_t>> read_once_at(std::uint64_t offset, ByteSpan into) override {
    return pool_.run([file = file_, offset, into] { return read_file_once(*file, offset, into); });
  }
  Task<Result<void>> forget(std::vector<FilePart> parts) override {
    return pool_.run([file = file_, parts = std::move(parts)] { return forget_file(*file, parts); });
  }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
    return pool_.run([file = file_, offset, from] { return write_file(*file, offset, from); });
  }
  Task<Result<void>> write_zeros(std::uint64_t offset, ByteView zeros) override {
    return pool_.run([file = file_, offset, zeros] { return write_zeros_to_file(*file, offset, zeros); });
  }
  Task<Result<void>> sync() override {
    return pool_.run([file = file_] { return sync_file(*file); });
  }
  Task<Result<void>> write_back(std::vector<FilePart> parts) override {
    return pool_.run([file = file_, parts = std::move(parts)] { return write_back_file(*file, parts); });
  }
  Task<Result<void>> truncate(std::uint64_t size) override {
    return pool_.run([file = file_, size] { return truncate_file(*file, size); });
  }
  Task<Result<void>> allocate(std::uint64_t size) override {
    return pool_.run([file = file_, size] { return allocate_file(*file, size); });
  }
  Task<Result<std::uint64_t>> size() override {
    return pool_.run([file = file_] { return size_of_file(*file); });
  }

 private:
  CallPool& pool_;
  SharedFile file_;
};

class ThreadDisk final : public Disk {
 public:
  explicit ThreadDisk(std::size_t threads) : pool_(threads), directories_(pool_) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    Result<SharedFile> file = co_await directories_.open(std::move(path), mode);
    if (!file) co_return file.error();
    std::unique_ptr<File> opened = std::make_unique<ThreadFile>(pool_, std::move(*file));
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
  std::string_view name() const override { return "threads"; }

 private:
  CallPool pool_;
  DiskDirectories directories_;
};

}  // namespace

std::unique_ptr<Disk> make_thread_disk(std::size_t threads) { return std::make_unique<ThreadDisk>(threads); }

}  // namespace ccr::storage
