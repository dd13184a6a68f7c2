#include "engine/active_seed.h"

#include <utility>

namespace ccr::engine {

Task<Result<transport::SeedOffer>> ActiveSeed::open(std::string node, Position resume_from) {
  co_await active_.wait_until_comparable();
  std::vector<storage::Pin>& pins = active_.keeper().state().pins;
  const storage::Pin* held = find_pin(pins, node, storage::Pin::Kind::seed);
  transport::SeedOffer offer;
  offer.resumed = resume_from.known() && held != nullptr && held->from == resume_from;
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

Task<Result<transport::SeedEnd>> ActiveSeed::finish(std::string) {
  co_await active_.wait_until_comparable();
  transport::SeedEnd end;
  end.until = active_.tip().durable;
  end.commit = active_.tip().commit;
  co_return end;
}

Task<Result<void>> ActiveSeed::release(std::string node) {
  remove_pin(active_.keeper().state().pins, node, storage::Pin::Kind::seed);
  co_return co_await active_.keeper().save();
}

Task<Result<seed::SeedRead>> ActiveSeed::read(PageNumber first, std::uint32_t count) {
  Result<ActiveCopy::PagesRead> pages = co_await active_.read(first, count);
  if (!pages.ok()) co_return pages.error();
  if (pages->differs != 0) {
    co_return Error{ErrorKind::corrupt,
                    "page " + std::to_string(pages->differs) + " of " + active_.database().path + " is not what its log says",
                    "ccr verify, then find out who changed the file or whether its disk fails"};
  }
  seed::SeedRead read;
  read.first = first;
  read.count = pages->count;
  read.page_count = pages->page_count;
  read.as_of = pages->as_of;
  read.images = std::move(pages->images);
  co_return std::move(read);
}

Task<Result<seed::VerifyExtent>> ActiveSeed::verify(std::uint32_t extent) {
  co_await active_.wait_until_comparable();
  CCR_CO_TRY(co_await active_.hold());
  struct Held {
    ActiveCopy& active;
    ~Held() { active.release(); }
  } held{active_};
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
  co_return std::move(result);
}

}  // namespace ccr::engine
