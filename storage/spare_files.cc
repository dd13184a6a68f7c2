#include "storage/spare_files.h"

#include <utility>

#include "storage/generation_file.h"

namespace ccr::storage {
namespace {

constexpr const char* spare_prefix = "spare.";

}  // namespace

Task<Result<std::optional<GenerationFile>>> SpareFiles::keep_or_remove(GenerationFile file, std::uint64_t length) {
  const std::size_t kept = settled_.size();
  if (file.bytes != length || kept >= files_max || (kept + 1) * length > bytes_max) {
    CCR_CO_TRY(co_await disk_.remove(file.path));
    co_return std::optional<GenerationFile>();
  }
  const std::string old_path = std::exchange(file.path, path_in(directory_, spare_prefix + std::to_string(names_++)));
  CCR_CO_TRY(co_await disk_.rename(old_path, file.path));
  co_return std::optional<GenerationFile>(std::move(file));
}

void SpareFiles::settle(std::optional<GenerationFile> spare) {
  if (spare) settled_.push_back(std::move(*spare));
}

Task<Result<std::unique_ptr<File>>> SpareFiles::take(std::string path, Generation generation, std::uint64_t length) {
  if (settled_.empty() || settled_.front().bytes != length || settled_.front().generation >= generation) co_return std::unique_ptr<File>();
  const GenerationFile spare = std::move(settled_.front());
  settled_.pop_front();
  CCR_CO_TRY(co_await disk_.rename(spare.path, path));
  co_return co_await disk_.open(path, OpenMode::read_write);
}

Task<Result<std::unique_ptr<File>>> SpareFiles::take_or_make(std::string path, Generation generation, std::uint64_t length) {
  Result<std::unique_ptr<File>> spare = co_await take(path, generation, length);
  if (!spare.ok() || *spare != nullptr) co_return std::move(spare);
  CCR_CO_TRY(co_await remove_if_there(disk_, path));
  Result<std::unique_ptr<File>> file = co_await disk_.open(path, OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->allocate(length));
  co_return std::move(*file);
}

Task<Result<void>> SpareFiles::clear() {
  while (!settled_.empty()) {
    const GenerationFile spare = std::move(settled_.front());
    settled_.pop_front();
    CCR_CO_TRY(co_await disk_.remove(spare.path));
  }
  co_return Result<void>();
}

bool is_spare_name(const std::string& name) { return name.starts_with(spare_prefix); }

Task<Result<void>> remove_spares(Disk& disk, std::string directory) {
  Result<std::vector<DirectoryEntry>> entries = co_await disk.list(directory);
  if (!entries.ok()) co_return entries.error();
  for (const DirectoryEntry& entry : *entries) {
    if (is_spare_name(entry.name)) CCR_CO_TRY(co_await disk.remove(path_in(directory, entry.name)));
  }
  co_return Result<void>();
}

}  // namespace ccr::storage
