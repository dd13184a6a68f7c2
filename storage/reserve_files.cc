#include "storage/reserve_files.h"

#include <utility>

#include "base/bytes.h"
#include "storage/generation_file.h"

namespace ccr::storage {
namespace {

constexpr const char* reserve_prefix = "reserve.";

}  // namespace

bool is_reserve_name(const std::string& name) { return name.starts_with(reserve_prefix); }

Task<Result<std::unique_ptr<File>>> make_zeros(Disk& disk, std::string path, std::uint64_t bytes) {
  CCR_CO_TRY(co_await remove_if_there(disk, path));
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->allocate(bytes));
  const AlignedBuffer zeros(copy_bytes);
  const ByteView view = zeros.view();
  for (std::uint64_t offset = 0; offset < bytes; offset += view.size()) CCR_CO_TRY(co_await (*file)->write_at(offset, view));
  CCR_CO_TRY(co_await (*file)->sync());
  co_return std::move(*file);
}

std::string ReserveFiles::path_of(std::size_t index) const { return path_in(directory_, reserve_prefix + std::to_string(index)); }

// One of another length is of another configuration, or of a crash while it was made: its length comes first, and its zeros may be missing, which
// are zeros then too.
Task<Result<void>> ReserveFiles::make(std::size_t index) {
  const std::string path = path_of(index);
  const Result<std::unique_ptr<File>> before = co_await disk_.open(path, OpenMode::read);
  if (!before.ok() && before.error().kind != ErrorKind::not_found) co_return before.error();
  if (before.ok()) {
    const Result<std::uint64_t> bytes = co_await (*before)->size();
    if (!bytes.ok()) co_return bytes.error();
    if (*bytes == file_bytes_) co_return Result<void>();
  }
  const Result<std::unique_ptr<File>> made = co_await make_zeros(disk_, path, file_bytes_);
  if (!made.ok()) co_return made.error();
  co_return co_await disk_.sync_directory(directory_);
}

Task<Result<void>> ReserveFiles::fill() {
  for (std::size_t i = 0; i < files_kept; ++i) {
    if (there_[i]) continue;
    const Result<void> made = co_await make(i);
    if (!made.ok()) co_return made.error().within("the reserve for a full disk");
    there_[i] = true;
  }
  co_return Result<void>();
}

Task<Result<std::unique_ptr<File>>> ReserveFiles::take(std::string path) {
  for (std::size_t i = 0; i < files_kept; ++i) {
    if (!std::exchange(there_[i], false)) continue;
    const std::string reserve = path_of(i);
    CCR_CO_TRY(co_await disk_.rename(reserve, path));
    CCR_CO_TRY(co_await disk_.sync_directory(directory_));  // what is written into it never stands by again behind a crash
    co_return co_await disk_.open(path, OpenMode::read_write);
  }
  co_return std::unique_ptr<File>();
}

}  // namespace ccr::storage
