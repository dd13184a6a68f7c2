#include "engine/digest_scan.h"

#include <algorithm>

namespace ccr::engine {

Task<Result<void>> scan_digests(storage::PageFile& file, storage::PageDigests& digests) {
  const std::uint32_t page_size = file.page_size();
  const std::uint32_t run = storage::pages_per_extent(page_size);
  AlignedBuffer buffer(storage::extent_bytes, AlignedBuffer::Content::any);
  digests.resize(file.page_count());
  for (PageNumber first = 1; first <= file.page_count(); first += run) {
    const std::uint32_t count = std::min<std::uint32_t>(run, file.page_count() - first + 1);
    const ByteSpan images = buffer.span().first(std::size_t(count) * page_size);
    CCR_CO_TRY(co_await file.read(first, count, images));
    for (std::uint32_t i = 0; i < count; ++i)
      digests.set(first + i, page_digest(first + i, images.subspan(std::size_t(i) * page_size, page_size)));
  }
  co_return Result<void>();
}

}  // namespace ccr::engine
