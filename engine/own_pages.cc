#include "engine/own_pages.h"

#include <algorithm>
#include <utility>

#include "storage/disk_verifier.h"

namespace ccr::engine {
namespace {

bool is_lost(const Error& error) noexcept { return error.kind == ErrorKind::io || error.kind == ErrorKind::gap; }

// Those of `suspects` that differ still.
Task<Result<std::vector<PageNumber>>> differing(OwnPages& pages, std::vector<PageNumber> suspects) {
  std::vector<PageNumber> left;
  for (const PageNumber page : suspects) {
    const Result<PageFound> found = co_await find_page(pages, page);
    if (!found.ok()) co_return found.error();
    if (found->exists && !found->equal) left.push_back(page);
  }
  co_return left;
}

}  // namespace

Task<Result<PageFound>> find_page(OwnPages& pages, PageNumber page) {
  storage::PageFile& file = pages.file();
  PageFound found;
  found.exists = page <= pages.digests().page_count();
  if (!found.exists) co_return found;
  found.bytes = AlignedBuffer(file.page_size(), AlignedBuffer::Content::any);
  CCR_CO_TRY(co_await file.forget(page, 1));  // read is the disk
  const Result<void> read = co_await file.read(page, 1, found.bytes.span());
  if (!read.ok() && !is_lost(read.error())) co_return read.error();
  found.readable = read.ok();
  found.exists = page <= pages.digests().page_count();  // replay went on while it was read
  if (!found.exists) co_return found;
  found.expected = pages.digests().at(page);
  found.equal = found.readable && page_digest(page, found.bytes.view()) == found.expected;
  co_return found;
}

// A page that is written all the time needs to be met at rest only once; so replay is held only where looking again did not help.
Task<Result<ExtentLook>> look_at_extent(Clock& clock, OwnPages& pages, PageNumber first) {
  constexpr int looks_beside_replay_max = 3;
  storage::DiskVerifier::Options options;
  options.from = first;
  ExtentLook look;
  std::vector<PageNumber> suspects;
  {
    storage::DiskVerifier verifier(clock, pages.file(), pages.digests(), options);
    CCR_CO_TRY(co_await verifier.step());
    look.next = verifier.position();
    suspects = verifier.progress().differing;
  }
  for (int looks = 0; looks < looks_beside_replay_max && !suspects.empty(); ++looks) {
    CCR_CO_TRY(co_await pages.catch_up());
    Result<std::vector<PageNumber>> left = co_await differing(pages, suspects);
    if (!left.ok()) co_return left.error();
    suspects = std::move(*left);
  }
  if (!suspects.empty()) {
    CCR_CO_TRY(co_await pages.hold());
    const OwnPagesHeld held(pages);
    for (int looks = 0; looks < 2; ++looks) {
      Result<std::vector<PageNumber>> left = co_await differing(pages, suspects);
      if (!left.ok()) co_return left.error();
      suspects = std::move(*left);
    }
  }
  look.page_count = pages.digests().page_count();
  look.rotten = std::move(suspects);
  co_return look;
}

Task<Result<PageGiven>> give_page(OwnPages& pages, transport::PageAsk ask) {
  using Standing = transport::PageAnswer::Standing;
  PageGiven given;
  for (int looks = 0; looks < 2; ++looks) {
    const bool held = looks > 0;  // what differs beside replay may be on its way
    if (held) CCR_CO_TRY(co_await pages.hold());
    struct Release {
      OwnPages& pages;
      bool held;
      ~Release() {
        if (held) pages.release();
      }
    } release{pages, held};
    Result<PageFound> found = co_await find_page(pages, ask.page);
    if (!found.ok()) co_return found.error();
    given.as_of = pages.position();
    // Bytes with the digest that was asked for are the page, whatever the table says by now.
    if (found->readable && page_digest(ask.page, found->bytes.view()) == ask.digest) {
      given.standing = Standing::same;
      given.image = std::move(found->bytes);
      co_return std::move(given);
    }
    given.standing = found->exists && found->expected == ask.digest ? Standing::damaged : Standing::other;
  }
  co_return std::move(given);
}

}  // namespace ccr::engine
