#include "storage/fillable_disk.h"

#include <algorithm>
#include <utility>

namespace ccr::storage {
namespace {

Task<Result<void>> refused(Error error) { co_return error; }

class FillableFile final : public File {
 public:
  FillableFile(const FillableDisk& disk, std::string path, std::unique_ptr<File> inner) : disk_(disk), path_(std::move(path)), inner_(std::move(inner)) {}

  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override { return inner_->read_at(offset, into); }
  Task<Result<std::size_t>> read_once_at(std::uint64_t offset, ByteSpan into) override { return inner_->read_once_at(offset, into); }
  Task<Result<void>> forget(std::vector<FilePart> parts) override { return inner_->forget(std::move(parts)); }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
    if (std::optional<Error> full = disk_.refusal(path_)) return refused(std::move(*full));
    return inner_->write_at(offset, from);
  }
  Task<Result<void>> write_zeros(std::uint64_t offset, ByteView zeros) override {
    if (std::optional<Error> full = disk_.refusal(path_)) return refused(std::move(*full));
    return inner_->write_zeros(offset, zeros);
  }
  Task<Result<void>> sync() override { return inner_->sync(); }
  Task<Result<void>> write_back(std::vector<FilePart> parts) override { return inner_->write_back(std::move(parts)); }
  Task<Result<void>> truncate(std::uint64_t size) override { return inner_->truncate(size); }
  Task<Result<void>> allocate(std::uint64_t size) override {
    if (std::optional<Error> full = disk_.refusal(path_)) return refused(std::move(*full));
    return inner_->allocate(size);
  }
  Task<Result<std::uint64_t>> size() override { return inner_->size(); }

 private:
  const FillableDisk& disk_;
  const std::string path_;  // as it was opened: a file that was renamed since is still where that was
  std::unique_ptr<File> inner_;
};

bool lies_in(const std::string& path, const std::string& place) { return path == place || path.rfind(place + "/", 0) == 0; }

}  // namespace

void FillableDisk::fill(std::string place, Duration how_long) {
  place_ = std::move(place);
  until_ = clock_.now() + std::clamp(how_long, Duration::zero(), fill_max);
}

std::optional<Error> FillableDisk::refusal(const std::string& path) const {
  if (!filled() || !lies_in(path, place_)) return std::nullopt;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*until_ - clock_.now()).count();
  return Error{ErrorKind::no_space, path + ": no space left, by a drill for another " + std::to_string(seconds) + " s", "it ends by itself"};
}

Task<Result<std::unique_ptr<File>>> FillableDisk::open(std::string path, OpenMode mode) {
  std::string opened = path;
  Result<std::unique_ptr<File>> inner = co_await disk_.open(std::move(path), mode);
  if (!inner.ok()) co_return inner.error();
  std::unique_ptr<File> file = std::make_unique<FillableFile>(*this, std::move(opened), std::move(*inner));
  co_return std::move(file);
}

Task<Result<DiskSpace>> FillableDisk::space(std::string path) {
  const bool full = filled() && lies_in(path, place_);
  Result<DiskSpace> space = co_await disk_.space(std::move(path));
  if (space.ok() && full) space->free_bytes = 0;
  co_return space;
}

}  // namespace ccr::storage
