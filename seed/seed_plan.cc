#include "seed/seed_plan.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ccr::seed {

Error violation(std::string what) { return {ErrorKind::protocol, "seed: " + std::move(what), ""}; }

PageRun pages_of_extent(std::uint32_t extent, PageNumber page_count, std::uint32_t page_size) noexcept {
  const std::uint64_t per_extent = storage::pages_per_extent(page_size);
  const std::uint64_t before = extent * per_extent;
  if (before >= page_count) return {};
  const std::uint64_t count = std::min<std::uint64_t>(per_extent, page_count - before);
  return {static_cast<PageNumber>(before + 1), static_cast<std::uint32_t>(count)};
}

std::uint32_t extents_of(PageNumber page_count, std::uint32_t page_size) noexcept {
  const std::uint64_t per_extent = storage::pages_per_extent(page_size);
  return static_cast<std::uint32_t>((page_count + per_extent - 1) / per_extent);
}

Result<PageBits> PageBits::decode(std::uint32_t pages, ByteView bytes) {
  PageBits bits(pages);
  if (bytes.size() != bits.bytes_.size()) {
    return Error{ErrorKind::protocol,
                 "a page map of " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(bits.bytes_.size()), ""};
  }
  std::copy(bytes.begin(), bytes.end(), bits.bytes_.begin());
  const std::uint32_t used = pages % 8;
  if (used != 0 && std::to_integer<unsigned>(bits.bytes_.back()) >> used != 0) {
    return Error{ErrorKind::protocol, "a page map names pages beyond the " + std::to_string(pages) + " of its extent", ""};
  }
  return bits;
}

void PageBits::set(std::uint32_t index) {
  CCR_ASSERT(index < pages_);
  bytes_[index / 8] |= std::byte{1} << (index % 8);
}

void PageBits::set_all() {
  for (std::uint32_t index = 0; index < pages_; ++index) set(index);
}

bool PageBits::test(std::uint32_t index) const {
  CCR_ASSERT(index < pages_);
  return (bytes_[index / 8] >> (index % 8) & std::byte{1}) != std::byte{0};
}

std::uint32_t PageBits::count() const noexcept {
  int sum = 0;
  for (const std::byte byte : bytes_) sum += std::popcount(std::to_integer<unsigned>(byte));
  return static_cast<std::uint32_t>(sum);
}

std::vector<PageRun> PageBits::runs(PageNumber first, std::uint32_t gap_max) const {
  std::vector<PageRun> found;
  std::uint32_t end = 0;  // index behind the last run
  for (std::uint32_t index = 0; index < pages_; ++index) {
    if (!test(index)) continue;
    if (!found.empty() && index - end <= gap_max) {
      found.back().count += index - end + 1;
    } else {
      found.push_back({first + index, 1});
    }
    end = index + 1;
  }
  return found;
}

ExtentVerdict judge_extent(const ExtentFacts& facts) noexcept {
  if (facts.own_counts && facts.own == facts.offered) return ExtentVerdict::equal;
  if (facts.offered == facts.zeros) return ExtentVerdict::zeros;
  if (!facts.own_counts || facts.own == facts.zeros) return ExtentVerdict::whole;
  return ExtentVerdict::narrow;
}

PagePlan plan_pages(PageNumber first, std::span<const Digest64> own, std::span<const Digest64> offered,
                    const std::function<Digest64(PageNumber)>& of_zeros) {
  const std::uint32_t pages = static_cast<std::uint32_t>(own.size());
  const std::uint32_t compared = static_cast<std::uint32_t>(std::min(own.size(), offered.size()));
  PagePlan plan{PageBits(pages), PageBits(pages)};
  for (std::uint32_t i = 0; i < compared; ++i) {
    if (own[i] == offered[i]) continue;
    (offered[i] == of_zeros(first + i) ? plan.zeros : plan.ask).set(i);
  }
  return plan;
}

Digest64 sum_of(std::span<const Digest64> digests) noexcept {
  Digest64 sum = 0;
  for (const Digest64 digest : digests) sum += digest;
  return sum;
}

}  // namespace ccr::seed
