// StateKeeper holds what a copy must remember and makes changes durable, one save at a time.
//
// Change state(), then save(): it completes when a state that holds the change is durable. Saves asked for while one is being written share
// the next. Failure: the error of the write; the state in memory stays changed, the caller stops. load() reads the disk once: what is
// in memory afterwards is at least as new, and a request may have changed it.
#pragma once

#include <string>

#include "base/signal.h"
#include "storage/state_file.h"

namespace ccr::engine {

class StateKeeper {
 public:
  StateKeeper(const Executor& executor, storage::Disk& disk, std::string directory);

  Task<Result<bool>> load();  // false: there is no state yet
  storage::CopyState& state() noexcept { return state_; }
  const storage::CopyState& state() const noexcept { return state_; }
  Task<Result<void>> save();
  // Somebody else keeps the state from completion on: saves are refused (stopped) until the next load(), which reads the disk.
  Task<void> close();
  bool closed() const noexcept { return closed_; }

 private:
  storage::StateFile file_;
  storage::CopyState state_;
  Signal changed_;
  std::uint64_t wanted_ = 0, saved_ = 0;
  bool saving_ = false, loaded_ = false, closed_ = false;
};

}  // namespace ccr::engine
