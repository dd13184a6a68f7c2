// PageMap keeps a number for each of some pages, where many come and go together: it allocates for a table, not for each page.
//
// Pages are 1 or more, as everywhere. Open addressing, at most half full. What insert() and find() point to lives until the next insert(),
// erase_above() or clear(). No order shows: sorted() is rising. Memory: 64 bytes a page at most. clear() and sorted() cost what the table is
// long: clear() keeps no table for more than kept_pages_max, nor one that was much too large for what it held. Threads: as any container.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/position.h"

namespace ccr::storage {

class PageMap {
 public:
  static constexpr std::size_t kept_pages_max = 4096;
  using Entry = std::pair<PageNumber, std::uint64_t>;

  struct Inserted {
    std::uint64_t* value = nullptr;  // 0 where it is new
    bool is_new = false;
  };
  Inserted insert(PageNumber page);
  const std::uint64_t* find(PageNumber page) const noexcept;  // nullptr: not there
  void erase_above(PageNumber count);
  void clear();
  std::vector<Entry> sorted() const;
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  std::size_t place_of(PageNumber page) const noexcept;  // where it is, or would be
  void rebuild(const std::vector<Entry>& entries, std::size_t places);

  std::vector<Entry> table_;  // a power of two; page 0: a free place
  std::size_t size_ = 0;
};

}  // namespace ccr::storage
