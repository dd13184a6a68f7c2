#include "storage/page_map.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace ccr::storage {
namespace {

constexpr std::size_t places_min = 64;
constexpr std::size_t places_a_page_max = 16;  // for a cleared table to be kept

}  // namespace

std::size_t PageMap::place_of(PageNumber page) const noexcept {
  const std::size_t mask = table_.size() - 1;
  // Fibonacci hashing: neighbours, which come together, lie far apart.
  std::size_t place = static_cast<std::size_t>((page * 0x9e3779b97f4a7c15ULL) >> 32) & mask;
  while (table_[place].first != 0 && table_[place].first != page) place = (place + 1) & mask;
  return place;
}

void PageMap::rebuild(const std::vector<Entry>& entries, std::size_t places) {
  table_.assign(places, Entry{});
  size_ = entries.size();
  for (const Entry& entry : entries) table_[place_of(entry.first)] = entry;
}

PageMap::Inserted PageMap::insert(PageNumber page) {
  CCR_ASSERT(page != 0);
  if (2 * (size_ + 1) > table_.size()) rebuild(sorted(), std::max(places_min, 2 * table_.size()));
  Entry& entry = table_[place_of(page)];
  const bool is_new = entry.first == 0;
  if (is_new) {
    entry = {page, 0};
    ++size_;
  }
  return {&entry.second, is_new};
}

const std::uint64_t* PageMap::find(PageNumber page) const noexcept {
  if (size_ == 0) return nullptr;
  const Entry& entry = table_[place_of(page)];
  return entry.first == page && page != 0 ? &entry.second : nullptr;
}

void PageMap::erase_above(PageNumber count) {
  std::vector<Entry> left = sorted();
  const auto above = [count](const Entry& entry) { return entry.first > count; };
  std::erase_if(left, above);
  if (left.size() != size_) rebuild(left, table_.size());
}

void PageMap::clear() {
  const bool too_large = table_.size() > 2 * kept_pages_max || table_.size() > std::max(places_min, places_a_page_max * size_);
  size_ = 0;
  if (too_large) table_ = {};
  else std::fill(table_.begin(), table_.end(), Entry{});
}

std::vector<PageMap::Entry> PageMap::sorted() const {
  std::vector<Entry> entries;
  entries.reserve(size_);
  const auto taken = [](const Entry& entry) { return entry.first != 0; };
  std::copy_if(table_.begin(), table_.end(), std::back_inserter(entries), taken);
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace ccr::storage
