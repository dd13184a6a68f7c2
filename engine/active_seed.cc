#include "engine/active_seed.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

Task<Result<transport::SeedOffer>> ActiveSeed::open(std::string node, Position resume_from) {
  co_await active_.wait_until_comparable();
  std::vector<storage::Pin>& pins = active_.keeper().state().pins;
  const storage::Pin* held = find_pin(pins, node, storage::Pin::Kind::seed);
  transport::SeedOffer offer;
  offer.resumed = resume_from.known() && held != nullptr && held->from == resume_from;
  if (!offer.resumed && part_ == Part::joins) {
    co_return Error{ErrorKind::refused, "no pass of " + node + " stands at " + to_text(resume_from), "its first connection opens it"};
  }
  const ActiveCopy::Tip tip = active_.tip();
  offer.from = offer.resumed ? resume_from : tip.durable;
  offer.from_commit = offer.resumed ? 0 : tip.commit;
  if (!offer.resumed) {
    set_seed_pin(pins, node, offer.from);
    CCR_CO_TRY(co_await active_.keeper().save());
    // The page store's file trails its log; an extent read from now on must hold everything before P.
    active_.hurry();
    while (active_.replayed() < offer.from) co_await active_.replay_changed().wait();
  }
  offer.page_count = page_count();
  offer.page_size = page_size();
  co_return offer;
}

namespace {

Error not_joined() { return {ErrorKind::protocol, "a pass is ended and verified over its first connection", ""}; }

}  // namespace

Task<Result<transport::SeedEnd>> ActiveSeed::finish(std::string) {
  if (part_ == Part::joins) co_return not_joined();
  co_await active_.wait_until_comparable();
  transport::SeedEnd end;
  end.until = active_.tip().durable;
  end.commit = active_.tip().commit;
  co_return end;
}

Task<Result<void>> ActiveSeed::release(std::string node) {
  if (part_ == Part::joins) co_return not_joined();
  remove_pin(active_.keeper().state().pins, node, storage::Pin::Kind::seed);
  co_return co_await active_.keeper().save();
}

namespace {

// The first page of the read that is not what the table says; 0: none.
PageNumber unproven(const ActiveCopy::PagesRead& pages, PageNumber first, std::uint32_t page_size) {
  for (std::uint32_t i = 0; i < pages.count; ++i) {
    if (pages.table[i] != page_digest(first + i, pages.images.view().subspan(std::size_t(i) * page_size, page_size))) return first + i;
  }
  return 0;
}

// Commits held by hold(), until the end of the scope.
struct Held {
  ActiveCopy& active;
  ~Held() { active.release(); }
};

}  // namespace

// What agreed stays, so that of pages that are written all the time each needs to be met at rest only once.
Task<Result<void>> ActiveSeed::read_again(PageNumber first, std::uint32_t count, ActiveCopy::PagesRead& pages) {
  Result<ActiveCopy::PagesRead> again = co_await active_.read(first, count);
  if (!again.ok()) co_return again.error();
  const std::size_t bytes = page_size();
  for (std::uint32_t i = 0; i < std::min(pages.count, again->count); ++i) {
    const ByteView kept = pages.images.view().subspan(i * bytes, bytes);
    if (pages.table[i] != ccr::page_digest(first + i, kept)) continue;
    std::copy(kept.begin(), kept.end(), again->images.span().begin() + static_cast<std::ptrdiff_t>(i * bytes));
    again->table[i] = pages.table[i];
  }
  again->as_of = pages.as_of;  // of the oldest
  pages = std::move(*again);
  co_return Result<void>();
}

// A page store's file trails its log: a page that differs may only be on its way. What differs still when the file stands at the log's end
// and nobody writes, twice, is damage.
Task<Result<ActiveCopy::PagesRead>> ActiveSeed::read_proven(PageNumber first, std::uint32_t count) {
  constexpr int proof_reads_max = 4;
  Result<ActiveCopy::PagesRead> pages = co_await active_.read(first, count);
  if (!pages.ok() || active_.store() == nullptr) co_return pages;
  PageNumber bad = unproven(*pages, first, page_size());
  for (int reads = 1; reads < proof_reads_max && bad != 0; ++reads) {
    const Position end = active_.tip().durable;
    active_.hurry();
    while (active_.replayed() < end) co_await active_.replay_changed().wait();
    CCR_CO_TRY(co_await read_again(first, count, *pages));
    bad = unproven(*pages, first, page_size());
  }
  if (bad != 0) {
    CCR_CO_TRY(co_await active_.hold());
    const Held held{active_};
    CCR_CO_TRY(co_await read_again(first, count, *pages));
    bad = unproven(*pages, first, page_size());
    if (bad != 0) {
      CCR_CO_TRY(co_await read_again(first, count, *pages));
      bad = unproven(*pages, first, page_size());
    }
    pages->differs = bad;
  }
  co_return pages;
}

Task<Result<seed::SeedRead>> ActiveSeed::read(PageNumber first, std::uint32_t count) {
  Result<ActiveCopy::PagesRead> pages = co_await read_proven(first, count);
  if (!pages.ok()) co_return pages.error();
  if (pages->differs != 0) {
    CCR_CO_TRY(co_await active_.damaged(pages->differs));
    co_return Error{ErrorKind::corrupt,
                    "page " + std::to_string(pages->differs) + " of " + active_.database().path + " is not what its log says",
                    "ccr verify names all such pages; find out who changed the file or whether its disk fails, then ccr resume goes on"};
  }
  seed::SeedRead read;
  read.first = first;
  read.count = pages->count;
  read.page_count = pages->page_count;
  read.as_of = pages->as_of;
  read.images = std::move(pages->images);
  co_return std::move(read);
}

// A verification asks for every extent once, in any order.
Task<Result<void>> ActiveSeed::count_verified(const seed::VerifyExtent& extent, PageNumber first) {
  const auto differs = std::mismatch(extent.disk.begin(), extent.disk.end(), extent.table.begin(), extent.table.end()).first;
  if (differs != extent.disk.end()) co_return co_await active_.damaged(first + static_cast<PageNumber>(differs - extent.disk.begin()));
  const std::uint32_t per_extent = storage::pages_per_extent(page_size());
  if (++extents_verified_ >= (page_count() + per_extent - 1) / per_extent) co_return co_await active_.undamaged();
  co_return Result<void>();
}

Task<Result<seed::VerifyExtent>> ActiveSeed::verify(std::uint32_t extent) {
  if (part_ == Part::joins) co_return not_joined();
  co_await active_.wait_until_comparable();
  CCR_CO_TRY(co_await active_.hold());
  const Held held{active_};
  const std::uint32_t per_extent = storage::pages_per_extent(page_size());
  const PageNumber first = extent * per_extent + 1;
  // The source may lose continuity while a read waits in its queue: the file is then ahead of the table, which is no damage.
  constexpr int reads_max = 20;
  Result<ActiveCopy::PagesRead> pages = co_await active_.read(first, per_extent);
  for (int reads = 1; pages.ok() && !pages->comparable && reads < reads_max; ++reads) {
    co_await active_.wait_until_comparable();
    pages = co_await active_.read(first, per_extent);
  }
  if (!pages.ok()) co_return pages.error();
  if (!pages->comparable) {
    co_return Error{ErrorKind::busy, "the source of " + active_.database().path + " loses continuity again and again",
                    "ccr status " + active_.database().name + " says why; then verify again"};
  }
  seed::VerifyExtent result;
  result.as_of = pages->as_of;
  result.commit = active_.tip().commit;
  result.page_count = pages->page_count;
  result.table = pages->table;
  for (std::uint32_t i = 0; i < pages->count; ++i) {
    const ByteView image = pages->images.view().subspan(std::size_t(i) * page_size(), page_size());
    result.disk.push_back(ccr::page_digest(first + i, image));
  }
  CCR_CO_TRY(co_await count_verified(result, first));
  co_return std::move(result);
}

}  // namespace ccr::engine
