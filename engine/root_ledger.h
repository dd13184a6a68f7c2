// RootLedger brings together what a copy's root was at a commit and what the active copy's root was at the same commit, whichever comes first.
//
// Pure bookkeeping. Bounds: commits_max entries on each side, the oldest go first; what is forgotten is simply not compared.
#pragma once

#include <map>
#include <optional>

#include "base/digest.h"

namespace ccr::engine {

struct RootVerdict {
  CommitNumber commit = 0;
  Position position;
  Digest64 here = 0, there = 0;
  bool equal() const noexcept { return here == there; }
};

class RootLedger {
 public:
  static constexpr std::size_t commits_max = 4096;

  std::optional<RootVerdict> reached(CommitNumber commit, Position position, Digest64 root);  // here
  std::optional<RootVerdict> expected(CommitNumber commit, Digest64 root);                    // there
  void clear();

 private:
  struct Reached {
    Position position;
    Digest64 root = 0;
  };
  std::map<CommitNumber, Reached> here_;
  std::map<CommitNumber, Digest64> there_;
};

}  // namespace ccr::engine
