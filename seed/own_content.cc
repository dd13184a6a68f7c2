#include "seed/own_content.h"

#include <algorithm>

namespace ccr::seed {

OwnContent::OwnContent(storage::PageFile& file, storage::PageDigests& digests, const SeedMap& map, OwnTable table)
    : file_(file),
      digests_(digests),
      map_(map),
      table_(table),
      file_before_(file.page_count()),
      table_before_(digests.page_count()),
      buffer_(storage::extent_bytes, AlignedBuffer::Content::any) {
  CCR_ASSERT(file_.page_size() == digests_.page_size());
}

// The table is cut to the file first, so that entries of pages that the file does not have become those of zeros.
Task<Result<void>> OwnContent::resize(PageNumber pages) {
  CCR_CO_TRY(co_await file_.resize(pages));
  digests_.resize(std::min({digests_.page_count(), file_before_, pages}));
  digests_.resize(pages);
  co_return Result<void>();
}

PageRun OwnContent::pages(std::uint32_t extent) const noexcept {
  return pages_of_extent(extent, file_.page_count(), file_.page_size());
}

bool OwnContent::fresh(std::uint32_t extent) const noexcept { return pages(extent).first > file_before_; }

bool OwnContent::believed(std::uint32_t extent) const {
  if (fresh(extent)) return true;
  const PageRun run = pages(extent);
  const PageNumber last = run.first + run.count - 1;
  const bool in_table = last <= table_before_ || table_before_ == file_before_;
  return table_ == OwnTable::believed && in_table && map_.believed(extent);
}

Task<Result<std::optional<std::vector<Digest64>>>> OwnContent::digests_of(std::uint32_t extent) {
  const PageRun run = pages(extent);
  std::optional<std::vector<Digest64>> found;
  if (believed(extent)) {
    found.emplace();
    for (std::uint32_t i = 0; i < run.count; ++i) found->push_back(digests_.at(run.first + i));
    co_return found;
  }
  const std::uint32_t page_size = file_.page_size();
  const ByteSpan images = buffer_.span().first(std::uint64_t(run.count) * page_size);
  const Result<void> read = co_await file_.read(run.first, run.count, images);
  // What cannot be read, or was cut off behind our back, is fetched.
  if (!read.ok() && (read.error().kind == ErrorKind::io || read.error().kind == ErrorKind::gap)) co_return found;
  if (!read.ok()) co_return read.error();
  found.emplace();
  for (std::uint32_t i = 0; i < run.count; ++i)
    found->push_back(page_digest(run.first + i, images.subspan(i * page_size, page_size)));
  co_return found;
}

Digest64 OwnContent::zeros_of(std::uint32_t extent) const {
  const PageRun run = pages(extent);
  Digest64 sum = 0;
  for (std::uint32_t i = 0; i < run.count; ++i) sum += digests_.of_zeros(run.first + i);
  return sum;
}

}  // namespace ccr::seed
