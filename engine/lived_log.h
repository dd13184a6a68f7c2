// LivedLog is what an earlier life of an active copy, in this process, had durable. A mount that finds less of the same history serves nothing: somebody
// took a file of the log away while it was open, and its state may know of no commit behind the last checkpoint. After a restart the state alone knows.
#pragma once

#include <algorithm>

#include "base/digest.h"
#include "base/position.h"
#include "engine/role.h"
#include "storage/state_file.h"

namespace ccr::engine {

struct LivedLog {
  Signature signature;
  Epoch epoch = 0;
  Position durable;

  // The end that the log of this state must reach; unknown: it may begin.
  Position proven(const storage::CopyState& state) const {
    return signature == state.signature && epoch == state.epoch ? std::max(state.durable, durable) : state.durable;
  }
};

}  // namespace ccr::engine
