#include "storage/scratch_disk.h"

#include <utility>

#include "storage/file_replacement.h"

namespace ccr::storage {
namespace {

// One of several openings of a file.
class ScratchFile final : public File {
 public:
  explicit ScratchFile(File& file) : file_(file) {}
  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override { return file_.read_at(offset, into); }
  Task<Result<std::size_t>> read_once_at(std::uint64_t offset, ByteSpan into) override { return file_.read_once_at(offset, into); }
  Task<Result<void>> forget(std::vector<FilePart> parts) override { return file_.forget(std::move(parts)); }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override { return file_.write_at(offset, from); }
  Task<Result<void>> write_zeros(std::uint64_t offset, ByteView zeros) override { return file_.write_zeros(offset, zeros); }
  Task<Result<void>> sync() override { return file_.sync(); }
  Task<Result<void>> write_back(std::vector<FilePart> parts) override { return file_.write_back(std::move(parts)); }
  Task<Result<void>> truncate(std::uint64_t size) override { return file_.truncate(size); }
  Task<Result<void>> allocate(std::uint64_t size) override { return file_.allocate(size); }
  Task<Result<std::uint64_t>> size() override { return file_.size(); }

 private:
  File& file_;
};

Error not_there(const std::string& path) { return {ErrorKind::not_found, path + ": no such scratch file", ""}; }

}  // namespace

Task<Result<std::unique_ptr<File>>> ScratchDisk::open(std::string path, OpenMode mode) {
  const auto found = files_.find(path);
  if (found != files_.end()) {
    if (mode == OpenMode::create_new) co_return Error{ErrorKind::exists, path + " exists", ""};
    co_return std::make_unique<ScratchFile>(*found->second);
  }
  if (mode == OpenMode::read || mode == OpenMode::read_write) co_return not_there(path);
  CCR_ASSERT(files_.size() + nameless_.size() < files_max);
  const std::string seen = prefix_ + "." + std::to_string(++made_) + ".tmp";
  Result<std::unique_ptr<File>> file = co_await disk_.open(seen, OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await disk_.remove(seen));
  CCR_CO_TRY(co_await disk_.sync_directory(directory_of(seen)));
  File& made = **file;
  files_.emplace(std::move(path), std::move(*file));
  co_return std::make_unique<ScratchFile>(made);
}

Task<Result<void>> ScratchDisk::make_directories(std::string) { co_return Result<void>(); }
Task<Result<void>> ScratchDisk::sync_directory(std::string) { co_return Result<void>(); }

Task<Result<void>> ScratchDisk::rename(std::string from, std::string to) {
  const auto found = files_.find(from);
  if (found == files_.end()) co_return not_there(from);
  std::unique_ptr<File>& place = files_[to];
  if (place) nameless_.push_back(std::move(place));
  place = std::move(found->second);
  files_.erase(found);
  co_return Result<void>();
}

Task<Result<void>> ScratchDisk::remove(std::string path) {
  const auto found = files_.find(path);
  if (found == files_.end()) co_return not_there(path);
  nameless_.push_back(std::move(found->second));
  files_.erase(found);
  co_return Result<void>();
}

Task<Result<std::vector<DirectoryEntry>>> ScratchDisk::list(std::string path) {
  std::vector<DirectoryEntry> entries;
  std::uint64_t inode = 0;
  for (const auto& [each, file] : files_) {
    ++inode;
    if (directory_of(each) != path) continue;
    const Result<std::uint64_t> size = co_await file->size();
    if (!size.ok()) co_return size.error();
    entries.push_back({each.substr(each.rfind('/') + 1), false, {*size, inode, 0}});
  }
  co_return entries;
}

Task<Result<DiskSpace>> ScratchDisk::space(std::string path) { return disk_.space(std::move(path)); }

}  // namespace ccr::storage
