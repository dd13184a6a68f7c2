#include "engine/active_scrub.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {
namespace {

// The pages of a read that are not what the table said of them at that place.
std::vector<PageNumber> differing_in(const ActiveCopy::PagesRead& read, PageNumber first, std::uint32_t page_size) {
  std::vector<PageNumber> pages;
  for (std::uint32_t i = 0; i < read.count; ++i) {
    const ByteView image = read.images.view().subspan(std::size_t(i) * page_size, page_size);
    if (read.table[i] != page_digest(first + i, image)) pages.push_back(first + i);
  }
  return pages;
}

Error not_comparable(const std::string& path) {
  return {ErrorKind::busy, "the source of " + path + " is being compared with its log", "ccr status says why"};
}

}  // namespace

RepairPlace ActiveScrub::place() const {
  return {active_.context(), active_.database(), active_.state().signature, paths_.log_directory};
}

Task<Result<void>> ActiveScrub::catch_up() {
  const Position end = active_.tip().durable;
  active_.hurry();
  while (active_.replayed() < end) co_await active_.replay_changed().wait();
  co_return Result<void>();
}

Task<Result<ExtentLook>> ActiveScrub::look(PageNumber first) {
  if (own_file()) co_return co_await look_at_extent(active_.context().clock, *this, first);
  co_return co_await look_through_source(first);
}

Task<Result<ExtentLook>> ActiveScrub::look_through_source(PageNumber first) {
  const std::uint32_t page_size = active_.digests().page_size();
  const std::uint32_t whole = storage::pages_per_extent(page_size);
  const std::uint32_t count = whole - (first - 1) % whole;
  ExtentLook look;
  for (int looks = 0; looks < 2; ++looks) {
    const Result<ActiveCopy::PagesRead> read = co_await active_.read(first, count);
    if (!read.ok()) co_return read.error();
    if (!read->comparable) co_return not_comparable(active_.database().path);
    std::vector<PageNumber> found = differing_in(*read, first, page_size);
    const auto at_both = [&look](PageNumber page) { return std::find(look.rotten.begin(), look.rotten.end(), page) != look.rotten.end(); };
    if (looks > 0) std::erase_if(found, [&at_both](PageNumber page) { return !at_both(page); });
    look.rotten = std::move(found);
    look.next = std::uint64_t(first) + std::max<std::uint32_t>(read->count, 1);
    look.page_count = read->page_count;
    if (look.rotten.empty()) break;
  }
  co_return look;
}

Task<Result<bool>> ActiveScrub::set_aside(PageNumber page) {
  if (own_file()) co_return co_await set_aside_rotten(place(), *this, page);
  // Nothing of ours overwrites it: the evidence stays where it is.
  const Event event{"page_rotten", subject_of(active_.database(), active_.context().config.node), {{"page", std::to_string(page)}}};
  active_.context().trace.record(event);
  co_return true;
}

Task<Result<RepairOutcome>> ActiveScrub::repair(PageNumber page) {
  if (own_file()) co_return co_await repair_page(place(), *this, page);
  RepairOutcome outcome;
  outcome.what = Repair::damaged;
  outcome.cause = "only its own programs write an SQLite file";
  co_return outcome;
}

Task<Result<PageGiven>> ActiveScrub::give(transport::PageAsk ask) {
  if (!readable()) co_return not_comparable(active_.database().path);
  if (!own_file()) co_return co_await give_from_source(ask);
  Result<PageGiven> given = co_await give_page(*this, ask);
  if (given.ok() && given->standing == transport::PageAnswer::Standing::damaged) CCR_CO_TRY(co_await active_.damaged(ask.page));
  co_return std::move(given);
}

Task<Result<PageGiven>> ActiveScrub::give_from_source(transport::PageAsk ask) {
  using Standing = transport::PageAnswer::Standing;
  PageGiven given;
  Result<ActiveCopy::PagesRead> read = co_await active_.read(ask.page, 1);
  if (!read.ok()) co_return read.error();
  given.as_of = read->as_of;
  const bool there = read->count == 1;
  if (there && page_digest(ask.page, read->images.view()) == ask.digest) {
    given.standing = Standing::same;
    given.image = std::move(read->images);
    co_return std::move(given);
  }
  if (!read->comparable) co_return std::move(given);
  given.standing = there && read->table.front() == ask.digest ? Standing::damaged : Standing::other;
  if (given.standing == Standing::damaged) CCR_CO_TRY(co_await active_.damaged(ask.page));
  co_return std::move(given);
}

}  // namespace ccr::engine
