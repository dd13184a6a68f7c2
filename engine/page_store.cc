#include "engine/page_store.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

PageStore::PageStore(const Executor& executor, Clock& clock, std::uint32_t page_size, PageNumber page_count)
    : executor_(executor), clock_(clock), page_size_(page_size), page_count_(page_count), changed_(executor) {}

Result<void> PageStore::check(const std::vector<PageWrite>& pages) const {
  std::vector<PageNumber> numbers;
  numbers.reserve(pages.size());
  for (const PageWrite& write : pages) {
    if (write.page == 0) return Error{ErrorKind::usage, "commit: pages are numbered from 1", ""};
    if (write.image.size() != page_size_) {
      return Error{ErrorKind::usage,
                   "commit: page " + std::to_string(write.page) + " has " + std::to_string(write.image.size()) + " bytes, expected " +
                       std::to_string(page_size_),
                   ""};
    }
    numbers.push_back(write.page);
  }
  std::sort(numbers.begin(), numbers.end());
  const auto twice = std::adjacent_find(numbers.begin(), numbers.end());
  if (twice != numbers.end()) return Error{ErrorKind::usage, "commit: page " + std::to_string(*twice) + " is given twice", ""};
  return Result<void>();
}

Task<Result<void>> PageStore::commit(std::vector<PageWrite> pages) {
  CCR_CO_TRY(check(pages));
  auto commit = std::make_shared<Commit>(executor_);
  commit->bytes = pages.size() * page_size_;
  while (!failed_ && queued_bytes_ > 0 && queued_bytes_ + commit->bytes > queued_bytes_max) co_await changed_.wait();
  if (failed_) co_return *failed_;
  for (const PageWrite& write : pages) page_count_ = std::max(page_count_, write.page);
  commit->pages = std::move(pages);
  commit->page_count = page_count_;
  commit->sequence = ++sequence_;
  queued_bytes_ += commit->bytes;
  queue_.push_back(commit);
  changed_.notify();
  while (!commit->durable && !failed_) co_await commit->done.wait();
  if (!commit->durable) co_return *failed_;
  co_return Result<void>();
}

void PageStore::fail(Error error) {
  if (!failed_) failed_ = std::move(error);
  for (const auto& commit : queue_) commit->done.notify();
  for (const auto& commit : in_flight_) commit->done.notify();
  changed_.notify();
}

Task<Result<storage::SourceItem>> PageStore::next() {
  while (queue_.empty() && !failed_) co_await changed_.wait();
  if (failed_) co_return *failed_;
  current_ = queue_.front();
  queue_.pop_front();
  in_flight_.push_back(current_);
  storage::SourceCommit item;
  item.wall = clock_.wall_now();
  item.page_count = current_->page_count;
  item.images = static_cast<std::uint32_t>(current_->pages.size());
  Encoder cursor(item.cursor);
  cursor.u64(current_->sequence);
  co_return storage::SourceItem(item);
}

Task<Result<std::span<const storage::Page>>> PageStore::next_pages() {
  CCR_ASSERT(current_ != nullptr);
  current_pages_.clear();
  for (const PageWrite& write : current_->pages) current_pages_.push_back({write.page, write.image});
  co_return std::span<const storage::Page>(current_pages_);
}

void PageStore::settled(const storage::SourceCursor& cursor) {
  Decoder decoder(cursor);
  const std::uint64_t sequence = decoder.u64();
  while (!in_flight_.empty() && in_flight_.front()->sequence <= sequence) {
    const std::shared_ptr<Commit> commit = in_flight_.front();
    in_flight_.pop_front();
    queued_bytes_ -= commit->bytes;
    commit->durable = true;
    commit->done.notify();
  }
  changed_.notify();
}

// The engine reads an active page store's pages from its page file; this source never is `lost` and never asked.
void PageStore::read_pages(std::uint64_t, PageNumber, std::uint32_t) { CCR_ASSERT(false); }
void PageStore::catch_up(std::vector<PageNumber>) { CCR_ASSERT(false); }
void PageStore::base() { CCR_ASSERT(false); }

storage::LogSource::Gauges PageStore::gauges() const { return {0, queued_bytes_, 0}; }

Task<void> PageStore::close() {
  fail(Error{ErrorKind::stopped, "the page store is closed", ""});
  co_return;
}

}  // namespace ccr::engine
