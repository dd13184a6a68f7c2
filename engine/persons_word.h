// PersonsWord is what a person's word (suspend, resume, seed) changes of a copy's state, as it was before.
//
// save_word() completes when the changed state is durable, or with the disk's error and the state as it was: what could not be saved was not said.
// Else the same word once more would find it done, and whoever is told of the error would later find it in force. Threads: the node's executor.
#pragma once

#include <string>

#include "engine/state_keeper.h"

namespace ccr::engine {

class PersonsWord {
 public:
  explicit PersonsWord(const storage::CopyState& state)
      : suspended_(state.suspended), failed_(state.failed), deposed_(state.deposed), prepared_(state.prepared), prepared_whole_(state.prepared_whole), cut_(state.cut), comment_(state.comment), by_(state.suspended_by), cause_(state.cause),
        since_(state.since), pages_at_rest_(state.pages_at_rest), seed_(state.seed) {}
  void take_back(storage::CopyState& state) const;

 private:
  bool suspended_, failed_;
  storage::Deposed deposed_;
  Epoch prepared_;
  bool prepared_whole_;
  Position cut_;
  std::string comment_, by_, cause_;
  WallTime since_;
  storage::FileFacts pages_at_rest_;
  storage::SeedProgress seed_;
};

Task<Result<void>> save_word(StateKeeper& keeper, PersonsWord before);

}  // namespace ccr::engine
