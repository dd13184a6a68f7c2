#include "storage/disk_verifier.h"

#include <algorithm>
#include <utility>

#include "storage/rate_turn.h"

namespace ccr::storage {
namespace {

// Releases what was acquired, also when the task is stopped inside an extent.
class Held {
 public:
  explicit Held(const std::function<void()>& release) : release_(release) {}
  ~Held() { release_(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  const std::function<void()>& release_;
};

// What a bad sector and a file that somebody cut look like: the page differs. Any other error is the disk's or ours, and ends the
// run.
bool page_is_lost(const Error& error) noexcept { return error.kind == ErrorKind::io || error.kind == ErrorKind::gap; }

}  // namespace

DiskVerifier::DiskVerifier(Clock& clock, PageFile& file, const PageDigests& digests, Options options)
    : clock_(clock),
      file_(file),
      digests_(digests),
      bucket_({options.bytes_per_second, 0}),
      extent_(extent_bytes, AlignedBuffer::Content::any),
      page_(file.page_size(), AlignedBuffer::Content::any),
      position_(options.from) {
  CCR_ASSERT(position_ >= 1);
  CCR_ASSERT(file.page_size() == digests.page_size());
}

void DiskVerifier::set_rate(std::uint64_t bytes_per_second) { bucket_.set_limit({bytes_per_second, 0}); }

std::uint64_t DiskVerifier::last_page() const noexcept { return std::max(file_.page_count(), digests_.page_count()); }

std::uint32_t DiskVerifier::pages_until_extent_ends() const noexcept {
  const std::uint64_t whole = pages_per_extent(file_.page_size());
  return static_cast<std::uint32_t>(std::min(whole - (position_ - 1) % whole, last_page() - position_ + 1));
}

Task<Result<void>> DiskVerifier::run(Hold hold) {
  CCR_ASSERT(hold.acquire && hold.release);
  finished_ = false;
  while (position_ <= last_page()) {
    const std::uint64_t bytes = std::uint64_t(pages_until_extent_ends()) * file_.page_size();
    co_await wait_for_rate(clock_, bucket_, bytes);
    Task<Result<void>> acquiring = hold.acquire();
    CCR_CO_TRY(co_await std::move(acquiring));
    const Held held(hold.release);
    CCR_CO_TRY(co_await step());
  }
  finished_ = true;
  co_return Result<void>();
}

Task<Result<void>> DiskVerifier::step() {
  progress_.pages_total = last_page();
  if (position_ > last_page()) co_return Result<void>();  // it shrank while we waited
  const std::uint32_t count = pages_until_extent_ends();
  const PageNumber first = static_cast<PageNumber>(position_);
  const PageNumber both = std::min(file_.page_count(), digests_.page_count());
  const std::uint32_t readable = both < first ? 0 : std::min(count, both - first + 1);
  const std::uint32_t page_size = file_.page_size();
  const ByteSpan images = extent_.span().first(std::size_t(readable) * page_size);
  bool read_whole = true;
  if (readable > 0) {
    CCR_CO_TRY(co_await file_.forget(first, readable));
    const Result<void> read = co_await file_.read(first, readable, images);
    if (!read.ok() && !page_is_lost(read.error())) co_return read.error();
    read_whole = read.ok();
    progress_.bytes_read += images.size();
  }
  for (std::uint32_t i = 0; i < readable; ++i) {
    if (read_whole && equal(first + i, images.subspan(std::size_t(i) * page_size, page_size))) continue;
    CCR_CO_TRY(co_await check_page(first + i));
  }
  for (std::uint32_t i = readable; i < count; ++i) list(first + i);
  progress_.pages_checked += count;
  position_ += count;
  co_return Result<void>();
}

// The second look at one page.
Task<Result<void>> DiskVerifier::check_page(PageNumber page) {
  CCR_CO_TRY(co_await file_.forget(page, 1));
  const Result<void> read = co_await file_.read(page, 1, page_.span());
  if (!read.ok() && !page_is_lost(read.error())) co_return read.error();
  progress_.bytes_read += page_.size();
  if (!read.ok()) ++progress_.pages_unreadable;
  if (read.ok() && equal(page, page_.view())) {
    ++progress_.reads_transient;
  } else {
    list(page);
  }
  co_return Result<void>();
}

bool DiskVerifier::equal(PageNumber page, ByteView image) const {
  return page <= digests_.page_count() && page_digest(page, image) == digests_.at(page);
}

void DiskVerifier::list(PageNumber page) {
  ++progress_.pages_differing;
  if (progress_.differing.size() < differing_listed_max) progress_.differing.push_back(page);
}

}  // namespace ccr::storage
