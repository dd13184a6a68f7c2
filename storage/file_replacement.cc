#include "storage/file_replacement.h"

namespace ccr::storage {
namespace {

std::string temporary_of(const std::string& path) { return path + ".new"; }

}  // namespace

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Task<Result<void>> clear_replacement(Disk& disk, std::string path) {
  const std::string temporary = temporary_of(path);
  const Result<void> removed = co_await disk.remove(temporary);
  if (!removed.ok() && removed.error().kind != ErrorKind::not_found) co_return removed.error();
  co_return Result<void>();
}

Task<Result<std::unique_ptr<File>>> begin_replacement(Disk& disk, std::string path) {
  CCR_CO_TRY(co_await clear_replacement(disk, path));
  const std::string temporary = temporary_of(path);
  co_return co_await disk.open(temporary, OpenMode::create_new);
}

Task<Result<void>> finish_replacement(Disk& disk, File& file, std::string path) {
  CCR_CO_TRY(co_await file.sync());
  const std::string temporary = temporary_of(path);
  CCR_CO_TRY(co_await disk.rename(temporary, path));
  const std::string directory = directory_of(path);
  co_return co_await disk.sync_directory(directory);
}

Task<Result<void>> replace_file(Disk& disk, std::string path, Bytes content) {
  Result<std::unique_ptr<File>> file = co_await begin_replacement(disk, path);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->write_at(0, content));
  co_return co_await finish_replacement(disk, **file, path);
}

}  // namespace ccr::storage
