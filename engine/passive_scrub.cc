#include "engine/passive_scrub.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

TaskGroup* PassiveCopy::page_service() const { return scrubbed_->proven() && !leaving_ ? phase_ : nullptr; }
PageGiver& PassiveCopy::page_giver() { return *scrubbed_; }

bool PassiveCopy::Scrubbed::proven() const {
  const storage::CopyState& state = copy_.keeper_.state();
  return copy_.files_ && copy_.files_->replayer && state.seeded && !state.suspended && !state.failed;
}

Error PassiveCopy::Scrubbed::not_proven() const {
  return {ErrorKind::busy, subject_of(copy_.database_, copy_.context_.config.node) + " has no proven pages now", "ccr status shows why"};
}

Task<Result<void>> PassiveCopy::Scrubbed::hold() {
  if (!proven()) co_return not_proven();
  Result<PagesHeld> held = co_await copy_.hold_pages();
  if (!held.ok()) co_return held.error();
  held_.push_back(std::move(*held));
  co_return Result<void>();
}

Task<Result<PageGiven>> PassiveCopy::Scrubbed::give(transport::PageAsk ask) {
  if (!proven()) co_return not_proven();
  co_return co_await give_page(*this, ask);
}

// As where a verification finds it: replay would go on upon it, and whoever opened the copy would not know.
Task<Result<void>> PassiveCopy::Scrubbed::lost(PageNumber page, std::string cause) {
  storage::CopyState& state = copy_.keeper_.state();
  ++state.damaged_pages;
  state.disk_verified_at = WallTime{};
  if (state.failed) co_return Result<void>();  // the first one is told
  std::string text = "PAGE: page " + std::to_string(page) + " of " + copy_.paths_.page_file + " is not what the log says, and cannot be repaired: " + cause;
  co_return co_await copy_.fail_for_good(std::move(text), copy_.seed_hint());
}

// Each page was read behind the pass's begin, and no sooner.
Task<Result<void>> PassiveCopy::Scrubbed::passed(WallTime began) {
  storage::CopyState& state = copy_.keeper_.state();
  state.disk_verified_at = std::max(state.disk_verified_at, began);
  copy_.standing_.told_more();
  copy_.changed_.notify();
  co_return Result<void>();  // saved with the pass
}

}  // namespace ccr::engine
