#include "storage/page_file.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "storage/file_replacement.h"
#include "storage/log_format.h"

namespace ccr::storage {
namespace {

constexpr std::uint64_t pages_max = std::numeric_limits<PageNumber>::max();

Error partial_page(std::uint64_t size, std::uint32_t page_size, const std::string& path) {
  return {
      ErrorKind::corrupt,
      path + ": its length of " + std::to_string(size) + " bytes ends inside a page (page size " + std::to_string(page_size) + ")",
      ""};
}

Error too_many_pages(std::uint64_t pages, const std::string& path) {
  return {ErrorKind::unsupported,
          path + ": " + std::to_string(pages) + " pages, at most " + std::to_string(pages_max) + " are served", ""};
}

}  // namespace

Task<Result<std::unique_ptr<PageFile>>> PageFile::open(Disk& disk, std::string path, std::uint32_t page_size, TornTail torn_tail,
                                                            Missing missing) {
  CCR_ASSERT(std::has_single_bit(page_size) && page_size >= page_size_min && page_size <= page_size_max);
  Result<std::unique_ptr<File>> file = co_await disk.open(path, missing == Missing::make ? OpenMode::create : OpenMode::read_write);
  if (!file.ok()) co_return file.error();
  // Also for a file that was there: the process that made it may have died before it synced the name.
  const std::string directory = directory_of(path);
  CCR_CO_TRY(co_await disk.sync_directory(directory));
  const Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  const std::uint64_t pages = *size / page_size;
  if (pages > pages_max) co_return too_many_pages(pages, path);
  if (pages * page_size != *size) {
    if (torn_tail == TornTail::refuse) co_return partial_page(*size, page_size, path);
    CCR_CO_TRY(co_await (*file)->truncate(pages * page_size));
  }
  co_return std::make_unique<PageFile>(std::move(*file), std::move(path), page_size, static_cast<PageNumber>(pages));
}

PageFile::PageFile(std::unique_ptr<File> file, std::string path, std::uint32_t page_size, PageNumber page_count)
    : file_(std::move(file)), path_(std::move(path)), page_size_(page_size), page_count_(page_count) {
  CCR_ASSERT(file_ != nullptr);
  CCR_ASSERT(page_size_ > 0);
}

Task<Result<void>> PageFile::read(PageNumber first, std::uint32_t count, ByteSpan into) {
  CCR_ASSERT(first >= 1);
  CCR_ASSERT(into.size() == std::uint64_t(count) * page_size_);
  const std::uint64_t last = std::uint64_t(first) + count - 1;
  if (last > page_count_) {
    co_return Error{ErrorKind::gap,
                    path_ + ": page " + std::to_string(last) + " is beyond its end, " + std::to_string(page_count_) + " pages", ""};
  }
  const Result<std::size_t> got = co_await file_->read_once_at(std::uint64_t(first - 1) * page_size_, into);
  if (!got.ok()) co_return got.error();
  if (*got != into.size()) {
    const std::uint64_t whole = first + *got / page_size_;
    co_return Error{ErrorKind::gap,
                    path_ + ": ends before page " + std::to_string(whole) + ", expected " + std::to_string(page_count_) + " pages",
                    ""};
  }
  co_return Result<void>();
}

Task<Result<void>> PageFile::read_what_is_there(PageNumber first, std::uint32_t count, ByteSpan into) {
  CCR_ASSERT(first >= 1 && into.size() == std::uint64_t(count) * page_size_);
  const Result<std::size_t> got = co_await file_->read_once_at(std::uint64_t(first - 1) * page_size_, into);
  if (!got.ok()) co_return got.error();
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(*got), into.end(), std::byte{0});
  co_return Result<void>();
}

Task<Result<void>> PageFile::write(PageNumber first, ByteView images) {
  CCR_CO_TRY(co_await file_->write_at(offset_of(first, images), images));
  grow(first, images);
  co_return Result<void>();
}

Task<Result<void>> PageFile::write_zeros(PageNumber first, ByteView images) {
  CCR_CO_TRY(co_await file_->write_zeros(offset_of(first, images), images));
  grow(first, images);
  co_return Result<void>();
}

std::uint64_t PageFile::offset_of(PageNumber first, ByteView images) const {
  CCR_ASSERT(first >= 1);
  CCR_ASSERT(images.size() % page_size_ == 0);
  CCR_ASSERT(std::uint64_t(first) + images.size() / page_size_ - 1 <= pages_max);
  return std::uint64_t(first - 1) * page_size_;
}

void PageFile::grow(PageNumber first, ByteView images) {
  page_count_ = std::max(page_count_, static_cast<PageNumber>(first + images.size() / page_size_ - 1));
}

Task<Result<void>> PageFile::resize(PageNumber count) {
  CCR_CO_TRY(co_await file_->truncate(std::uint64_t(count) * page_size_));
  page_count_ = count;
  co_return Result<void>();
}

Task<Result<void>> PageFile::sync() { co_return co_await file_->sync(); }

}  // namespace ccr::storage
