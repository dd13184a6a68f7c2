#include "seed/extent_arrival.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ccr::seed {

ExtentArrival::ExtentArrival(std::uint32_t extent, PageRun pages, std::uint32_t page_size, Own own, AlignedBuffer buffer)
    : extent_(extent),
      pages_(pages),
      page_size_(page_size),
      own_(std::move(own)),
      buffer_(std::move(buffer)),
      ask_(pages.count),
      zeros_(pages.count),
      arrived_(pages.count),
      write_(pages.count),
      digests_(own_.digests) {
  CCR_ASSERT(pages_.count > 0);
  CCR_ASSERT(own_.digests.empty() || own_.digests.size() == pages_.count);
  CCR_ASSERT(buffer_.size() >= std::uint64_t(pages_.count) * page_size_);
  digests_.resize(pages_.count);
}

void ExtentArrival::begin_again() {
  for (PageBits* bits : {&ask_, &zeros_, &arrived_, &write_}) *bits = PageBits(pages_.count);
  digests_ = own_.digests;
  digests_.resize(pages_.count);
  complete_ = false;
}

void ExtentArrival::ask_all() { ask_.set_all(); }

void ExtentArrival::ask(const PagePlan& plan) {
  CCR_ASSERT(plan.ask.size() == pages_.count && plan.zeros.size() == pages_.count);
  ask_ = plan.ask;
  zeros_ = plan.zeros;
}

transport::ExtentAsk ExtentArrival::message() const {
  transport::ExtentAsk ask;
  ask.extent = extent_;
  if (ask_.all())
    return ask;  // also at the end of the database: pages that came later are the log's business, and take() drops them
  ask.pages = ask_.bytes();
  ask.pages.resize((storage::pages_per_extent(page_size_) + 7) / 8);
  return ask;
}

Result<void> ExtentArrival::take(const transport::ExtentPages& message, const SeedPassId& pass) {
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorKind::protocol, "extent " + std::to_string(extent_) + " of a seed: " + what, ""};
  };
  CCR_ASSERT(message.extent == extent_);
  if (complete_ || ask_.none()) return wrong("pages that were not asked for");
  if (message.as_of < pass.from) {
    return Error{ErrorKind::refused,
                 "extent " + std::to_string(extent_) + " of a seed is as of " + to_text(message.as_of) + ", before the pass's " +
                     to_text(pass.from),
                 "seed from a copy that has replayed further"};
  }
  if (message.images.size() % page_size_ != 0) return wrong(std::to_string(message.images.size()) + " bytes are not whole pages");
  const std::uint64_t count = message.images.size() / page_size_;
  if (count == 0 && !message.last) return wrong("a message without pages that is not the last");
  const std::uint64_t end = std::uint64_t(message.first) + count;  // behind the last page
  const std::uint64_t extent_end = std::uint64_t(pages_.first) + storage::pages_per_extent(page_size_);
  if (count > 0 && (message.first < pages_.first || end > extent_end)) {
    return wrong("pages " + std::to_string(message.first) + ".." + std::to_string(end - 1) + " are not its own");
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t index = message.first + i - pages_.first;
    if (index >= pages_.count && ask_.all()) break;  // the source grew, and was asked for all
    if (index >= pages_.count || !ask_.test(index))
      return wrong("page " + std::to_string(message.first + i) + " was not asked for");
    if (arrived_.test(index)) return wrong("page " + std::to_string(message.first + i) + " came twice");
    arrived_.set(index);
    put(index, message.images.subspan(std::uint64_t(i) * page_size_, page_size_));
  }
  if (message.last) end_of_ask();
  return {};
}

void ExtentArrival::put(std::uint32_t index, ByteView image) {
  const ByteSpan place = buffer_.span().subspan(std::uint64_t(index) * page_size_, page_size_);
  std::copy(image.begin(), image.end(), place.begin());
  digests_[index] = page_digest(pages_.first + index, image);
  write_.set(index);
}

void ExtentArrival::end_of_ask() {
  CCR_ASSERT(!complete_);
  complete_ = true;
  for (std::uint32_t index = 0; index < pages_.count; ++index) {
    const bool zero = zeros_.test(index) || (ask_.test(index) && !arrived_.test(index));
    if (!zero) continue;
    const ByteSpan place = buffer_.span().subspan(std::uint64_t(index) * page_size_, page_size_);
    std::fill(place.begin(), place.end(), std::byte{0});
    digests_[index] = page_digest(pages_.first + index, place);
    const bool here_already = !own_.digests.empty() && own_.digests[index] == digests_[index];
    if (!here_already) write_.set(index);
  }
}

ByteView ExtentArrival::images(const PageRun& run) const {
  CCR_ASSERT(complete_ && run.first >= pages_.first && run.first + run.count <= pages_.first + pages_.count);
  return buffer_.view().subspan(std::uint64_t(run.first - pages_.first) * page_size_, std::uint64_t(run.count) * page_size_);
}

std::vector<Digest64> ExtentArrival::digests() const {
  CCR_ASSERT(complete_);
  if (own_.in_table && write_.none()) return {};
  return digests_;
}

}  // namespace ccr::seed
