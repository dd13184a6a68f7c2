#include "storage/growth_check.h"

#include <algorithm>
#include <utility>

namespace ccr::storage {

Task<Result<void>> check_growth(Disk& disk, LogDirectory log, Position from, Position until, const PageFile& pages, const PageDigests& digests,
                                std::string hint) {
  const PageNumber there = pages.page_count();
  PageNumber needed = digests.page_count();
  if (there >= needed) co_return Result<void>();
  std::vector<bool> written(needed - there);
  LogReader reader(disk, std::move(log), from);
  for (;;) {
    const Result<std::optional<RecordHeader>> record = co_await reader.next(until);
    if (!record.ok()) co_return record.error();
    if (!record->has_value() || (*record)->kind == RecordKind::base_marker) break;  // redo of pages ends there
    needed = std::min(needed, (*record)->page_count);  // dropped: what grows there later is zeros, or written
    for (;;) {
      const Result<std::span<const Page>> images = co_await reader.next_pages();
      if (!images.ok()) co_return images.error();
      if (images->empty()) break;
      for (const Page& page : *images) {
        if (page.number > there && page.number <= needed) written[page.number - there - 1] = true;
      }
    }
  }
  for (PageNumber page = there + 1; page <= needed; ++page) {
    if (written[page - there - 1] || digests.at(page) == digests.of_zeros(page)) continue;
    co_return Error{ErrorKind::corrupt,
                    pages.path() + " has " + std::to_string(there) + " pages, expected " + std::to_string(digests.page_count()) + ": page " +
                        std::to_string(page) + " is not in the log to be replayed either, somebody cut the file",
                    std::move(hint)};
  }
  co_return Result<void>();
}

}  // namespace ccr::storage
