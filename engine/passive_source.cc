#include "engine/passive_source.h"

#include <algorithm>
#include <utility>

#include "engine/passive_files.h"

namespace ccr::engine {
namespace {

constexpr Duration patience = std::chrono::seconds(10);  // with a copy that is behind P; its log is on its way

Error not_here(const PassiveCopy& copy) {
  return {ErrorKind::refused, "the copy is " + std::string(title_of(copy.standing().state())) + ", and no source of pages", "ccr status shows why"};
}

Error others_part() { return {ErrorKind::protocol, "a pass is opened, ended and verified on the active node", ""}; }

}  // namespace

void put_source_facts(const PassiveCopy& copy, transport::ActiveFacts& facts) {
  const storage::CopyState& state = copy.state();
  facts.ready = copy.is_source();
  facts.signature = state.signature;
  facts.epoch = state.epoch;
  facts.page_size = state.page_size;
  facts.durable = state.min_required;
  facts.durable_commit = state.replayed_commit;
}

Task<Result<transport::SeedOffer>> PassiveSource::open(std::string, Position resume_from) {
  if (!resume_from.known()) co_return others_part();
  const Instant end = clock_.now() + patience;
  while (copy_.is_source() && copy_.state().min_required < resume_from) {
    if (clock_.now() >= end || copy_.held()) {
      co_return Error{ErrorKind::refused, "the copy stands at " + to_text(copy_.state().min_required) + ", before the pass's " + to_text(resume_from),
                      copy_.held() ? "it is delayed by replay_lag: seed from another copy" : "seed from a copy that has replayed further"};
    }
    constexpr Duration look_again = std::chrono::milliseconds(20);
    copy_.hurry();
    co_await clock_.sleep(look_again);
  }
  if (!copy_.is_source()) co_return not_here(copy_);
  transport::SeedOffer offer;
  offer.from = resume_from;
  offer.resumed = true;
  offer.page_count = page_count();
  offer.page_size = page_size();
  co_return offer;
}

Task<Result<transport::SeedEnd>> PassiveSource::finish(std::string) { co_return others_part(); }

Task<Result<void>> PassiveSource::release(std::string) { co_return others_part(); }

Task<Result<seed::VerifyExtent>> PassiveSource::verify(std::uint32_t) { co_return others_part(); }

Result<void> PassiveSource::check() const {
  const storage::CopyState& state = copy_.state();
  if (!state.seeded || !copy_.files() || state.signature != signature_ || state.page_size != page_size_) return not_here(copy_);
  return {};
}

PageNumber PassiveSource::page_count() const { return copy_.files() ? copy_.files()->digests->page_count() : 0; }

Digest64 PassiveSource::extent_digest(std::uint32_t extent) const { return copy_.files() ? copy_.files()->digests->extent(extent) : 0; }

Digest64 PassiveSource::page_digest(PageNumber page) const { return copy_.files() ? copy_.files()->digests->at(page) : 0; }

// As of where replay stood before: what is read then is of that commit or a later one.
Task<Result<seed::SeedRead>> PassiveSource::read_now(PageNumber first, std::uint32_t count, PageNumber& differs) {
  CCR_CO_TRY(check());
  const std::shared_ptr<PassiveFiles> files = copy_.files();
  seed::SeedRead read;
  read.first = first;
  read.as_of = copy_.state().min_required;
  read.page_count = files->pages->page_count();
  read.count = first > read.page_count ? 0 : std::min(count, read.page_count - first + 1);
  const std::size_t bytes = page_size();
  read.images = AlignedBuffer(read.count * bytes, AlignedBuffer::Content::any);
  const ByteSpan into = read.images.span().first(read.count * bytes);
  if (read.count > 0) CCR_CO_TRY(co_await files->pages->read_what_is_there(first, read.count, into));
  differs = 0;
  for (std::uint32_t i = 0; i < read.count && differs == 0; ++i) {
    const bool known = first + i <= files->digests->page_count();
    if (!known || files->digests->at(first + i) != ccr::page_digest(first + i, into.subspan(i * bytes, bytes))) differs = first + i;
  }
  co_return std::move(read);
}

Task<Result<seed::SeedRead>> PassiveSource::read(PageNumber first, std::uint32_t count) {
  PageNumber differs = 0;
  Result<seed::SeedRead> read = co_await read_now(first, count, differs);
  if (!read.ok() || differs == 0) co_return read;
  const Result<PagesHeld> held = co_await copy_.hold_pages();
  if (!held.ok()) co_return held.error();
  read = co_await read_now(first, count, differs);
  if (!read.ok() || differs == 0) co_return read;
  co_return Error{ErrorKind::corrupt, "page " + std::to_string(differs) + " of " + copy_.page_file() + " is not what its log says",
                  "ccr verify names all such pages"};
}

}  // namespace ccr::engine
