#include "engine/state_keeper.h"

#include <utility>

namespace ccr::engine {

StateKeeper::StateKeeper(const Executor& executor, storage::Disk& disk, std::string directory)
    : file_(disk, std::move(directory)), changed_(executor) {}

Task<Result<bool>> StateKeeper::load() {
  if (loaded_) co_return true;
  closed_ = false;
  Result<storage::CopyState> loaded = co_await file_.load();
  if (!loaded.ok()) {
    if (loaded.error().kind == ErrorKind::not_found) co_return false;
    co_return loaded.error();
  }
  state_ = std::move(*loaded);
  loaded_ = true;
  co_return true;
}

Task<void> StateKeeper::close() {
  closed_ = true;
  while (saving_) co_await changed_.wait();
  state_ = {};
  loaded_ = false;
}

Task<Result<void>> StateKeeper::save() {
  const std::uint64_t mine = ++wanted_;
  while (saved_ < mine) {
    if (closed_) co_return Error{ErrorKind::stopped, "the role of the copy changes", "try again in a moment; ccr status shows its state"};
    if (saving_) {
      co_await changed_.wait();
      continue;
    }
    struct Saving {
      StateKeeper& keeper;
      explicit Saving(StateKeeper& k) : keeper(k) { keeper.saving_ = true; }
      ~Saving() {
        keeper.saving_ = false;
        keeper.changed_.notify();  // also when the save was stopped: somebody else's waits for its turn
      }
    } saving(*this);
    const std::uint64_t covers = wanted_;
    const storage::CopyState snapshot = state_;
    const Result<void> written = co_await file_.save(snapshot);
    if (!written.ok()) co_return written.error();
    saved_ = covers;
    loaded_ = true;
  }
  co_return Result<void>();
}

}  // namespace ccr::engine
