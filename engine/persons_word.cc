#include "engine/persons_word.h"

#include <utility>

namespace ccr::engine {

void PersonsWord::take_back(storage::CopyState& state) const {
  state.suspended = suspended_;
  state.failed = failed_;
  state.deposed = deposed_;
  state.prepared = prepared_;
  state.prepared_whole = prepared_whole_;
  state.cut = cut_;
  state.comment = comment_;
  state.suspended_by = by_;
  state.cause = cause_;
  state.since = since_;
  state.pages_at_rest = pages_at_rest_;
  state.seed = seed_;
}

Task<Result<void>> save_word(StateKeeper& keeper, PersonsWord before) {
  Result<void> saved = co_await keeper.save();
  if (saved.ok() || saved.error().kind == ErrorKind::stopped) co_return std::move(saved);
  before.take_back(keeper.state());
  co_return Error{saved.error().kind, saved.error().message, "nothing was changed: once more when its disk can be written"};
}

}  // namespace ccr::engine
