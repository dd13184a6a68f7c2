#include "engine/state_keeper.h"

#include <utility>

namespace ccr::engine {

StateKeeper::StateKeeper(const Executor& executor, storage::Disk& disk, std::string directory)
    : file_(disk, std::move(directory)), changed_(executor) {}

Task<Result<bool>> StateKeeper::load() {
  Result<storage::CopyState> loaded = co_await file_.load();
  if (!loaded.ok()) {
    if (loaded.error().kind == ErrorKind::not_found) co_return false;
    co_return loaded.error();
  }
  state_ = std::move(*loaded);
  co_return true;
}

Task<Result<void>> StateKeeper::save() {
  const std::uint64_t mine = ++wanted_;
  while (saved_ < mine) {
    if (saving_) {
      co_await changed_.wait();
      continue;
    }
    struct Saving {
      bool& flag;
      explicit Saving(bool& f) : flag(f) { flag = true; }
      ~Saving() { flag = false; }
    } saving(saving_);
    const std::uint64_t covers = wanted_;
    const storage::CopyState snapshot = state_;
    const Result<void> written = co_await file_.save(snapshot);
    if (!written.ok()) {
      changed_.notify();
      co_return written.error();
    }
    saved_ = covers;
    changed_.notify();
  }
  co_return Result<void>();
}

}  // namespace ccr::engine
