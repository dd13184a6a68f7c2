#include "storage/replay_target.h"

#include <algorithm>
#include <utility>

#include "base/side_by_side.h"

namespace ccr::storage {

PageFileTarget::PageFileTarget(PageFile& file, PageDigests& digests, Digests mode)
    : file_(file), digests_(digests), mode_(mode), buffer_(buffer_bytes_max, AlignedBuffer::Content::any), count_(file.page_count()), smallest_(file.page_count()) {}

Task<Result<void>> PageFileTarget::resize(PageNumber count) {
  if (mode_ == Digests::set) digests_.resize(count);
  if (count < count_) slots_.erase_above(count);
  count_ = count;
  smallest_ = std::min(smallest_, count);
  co_return Result<void>();
}

Task<Result<void>> PageFileTarget::write(std::span<const Page> pages) {
  const std::size_t page_size = file_.page_size();
  for (const Page& page : pages) {
    CCR_ASSERT(page.number >= 1 && page.number <= count_);
    CCR_ASSERT(page.image.size() == page_size);
    if (mode_ == Digests::set) digests_.set(page.number, page_digest(page.number, page.image));
    if (used_ + page_size > buffer_.size() && slots_.find(page.number) == nullptr) CCR_CO_TRY(co_await flush());
    const PageMap::Inserted slot = slots_.insert(page.number);
    if (slot.is_new) *slot.value = std::exchange(used_, used_ + page_size);
    std::memcpy(buffer_.data() + *slot.value, page.image.data(), page_size);
  }
  co_return Result<void>();
}

void PageFileTarget::give_back() {
  if (!slots_.empty()) return;
  buffer_.forget();
  slots_ = PageMap();
}

// One of the writers: takes the next run of neighbouring pages until none is left. A run whose images also lie side by side in the buffer
// is one write.
Task<Result<void>> PageFileTarget::write_runs(std::size_t& next, const std::vector<PageMap::Entry>& pages) {
  const std::size_t page_size = file_.page_size();
  while (next < pages.size()) {
    const std::size_t first = next;
    std::size_t end = first + 1;
    while (end < pages.size() && pages[end].first == pages[end - 1].first + 1 && pages[end].second == pages[end - 1].second + page_size) ++end;
    next = end;
    const ByteView images(buffer_.data() + pages[first].second, (end - first) * page_size);
    CCR_CO_TRY(co_await file_.write(pages[first].first, images));
  }
  co_return Result<void>();
}

// A log that trickles brings a few hundred pages at random places at a time. Left to the sync they would stand in the disk's queue all at
// once, and each sync of the log behind them. Where much comes, that does not count, and whole runs are faster.
Task<Result<void>> PageFileTarget::write_back(const std::vector<PageMap::Entry>& pages) {
  const std::uint64_t page_size = file_.page_size();
  std::vector<FilePart> parts;
  for (const auto& [page, place] : pages) {
    const std::uint64_t offset = std::uint64_t(page - 1) * page_size;
    if (!parts.empty() && parts.back().offset + parts.back().bytes == offset) {
      parts.back().bytes += page_size;
      continue;
    }
    if (parts.size() == parts_in_flight_max) {
      CCR_CO_TRY(co_await file_.write_back(parts));
      parts.clear();
    }
    parts.push_back({offset, page_size});
  }
  co_return co_await file_.write_back(std::move(parts));
}

Task<Result<void>> PageFileTarget::flush() {
  // Shrunk and grown again in one batch: what lay between is zeros, whatever the file still holds.
  resized_ = resized_ || smallest_ < file_.page_count() || count_ > file_.page_count();
  if (smallest_ < file_.page_count()) CCR_CO_TRY(co_await file_.resize(smallest_));
  if (count_ > file_.page_count()) CCR_CO_TRY(co_await file_.resize(count_));
  const std::vector<PageMap::Entry> pages = slots_.sorted();
  std::size_t next = 0;
  if (!pages.empty()) {
    const Executor executor = co_await asio::this_coro::executor;
    co_await stop_point();
    TaskGroup writers(executor);
    for (int i = 0; i < writes_in_flight_max; ++i) writers.spawn(write_runs(next, pages));
    CCR_CO_TRY(co_await writers.join());
    if (used_ <= gentle_bytes_max) CCR_CO_TRY(co_await write_back(pages));
  }
  slots_.clear();
  used_ = 0;
  smallest_ = count_;
  co_return Result<void>();
}

// The table never counts pages that the file may not have after a crash. Else both are synced at once: whoever is cut here applies again
// what both were synced for.
Task<Result<void>> PageFileTarget::sync() {
  CCR_CO_TRY(co_await flush());
  if (!resized_) co_return co_await side_by_side(file_.sync(), digests_.flush());
  CCR_CO_TRY(co_await file_.sync());
  resized_ = false;
  co_return co_await digests_.flush();
}

Task<Result<void>> DigestTarget::resize(PageNumber count) {
  digests_.resize(count);
  co_return Result<void>();
}

Task<Result<void>> DigestTarget::write(std::span<const Page> pages) {
  for (const auto& [page, image] : pages) digests_.set(page, page_digest(page, image));
  co_return Result<void>();
}

Task<Result<void>> DigestTarget::sync() { return digests_.flush(); }

}  // namespace ccr::storage
