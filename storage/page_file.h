// PageFile is a copy's database file: pages of one size, the first has number 1.
//
// write() and resize() are visible at completion and durable after sync(). Reads beyond the end are ErrorKind::gap. A length that
// ends inside a page is ErrorKind::corrupt, unless the caller knows that replay was growing the file when it crashed (required
// range). Whose file it is, the owner's identity file decides.
#pragma once

#include <memory>
#include <string>

#include "storage/disk.h"
#include "storage/page_digests.h"

namespace ccr::storage {

class PageFile {
 public:
  enum class TornTail {
    refuse,  // a trailing partial page is damage
    cut,     // it was being written by a replay that is repeated from min_required on: only whole pages are left
  };

  enum class Missing {
    make,    // an empty file; its name is durable at completion
    refuse,  // not_found, and nothing is made
  };

  static Task<Result<std::unique_ptr<PageFile>>> open(Disk& disk, std::string path, std::uint32_t page_size,
                                                      TornTail torn_tail = TornTail::refuse, Missing missing = Missing::make);

  PageFile(std::unique_ptr<File> file, std::string path, std::uint32_t page_size, PageNumber page_count);

  // Reads leave the page cache as it was: whoever reads a page file reads all of it.
  Task<Result<void>> read(PageNumber first, std::uint32_t count, ByteSpan into);
  // The same, but where somebody cut the file behind our back, what it lost is zeros: their digests tell.
  Task<Result<void>> read_what_is_there(PageNumber first, std::uint32_t count, ByteSpan into);
  Task<Result<void>> write(PageNumber first, ByteView images);  // one or more whole pages; extends the file where needed
  Task<Result<void>> write_zeros(PageNumber first, ByteView images);  // the same of pages of zeros: they become a hole
  Task<Result<void>> resize(PageNumber count);                  // grown pages are zeros
  Task<Result<void>> write_back(std::vector<FilePart> parts) { return file_->write_back(std::move(parts)); }  // as File's
  Task<Result<void>> sync();
  Task<Result<void>> forget(std::vector<FilePart> parts) { return file_->forget(std::move(parts)); }          // as File's
  Task<Result<void>> forget(PageNumber first, std::uint32_t count) { return file_->forget({part(first, count)}); }
  FilePart part(PageNumber first, std::uint32_t count) const noexcept { return {std::uint64_t(first - 1) * page_size_, std::uint64_t(count) * page_size_}; }
  PageNumber page_count() const noexcept { return page_count_; }
  std::uint32_t page_size() const noexcept { return page_size_; }
  const std::string& path() const noexcept { return path_; }

 private:
  std::uint64_t offset_of(PageNumber first, ByteView images) const;
  void grow(PageNumber first, ByteView images);

  std::unique_ptr<File> file_;
  std::string path_;
  std::uint32_t page_size_;
  PageNumber page_count_;
};

}  // namespace ccr::storage
