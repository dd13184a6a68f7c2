#include "engine/root_ledger.h"

namespace ccr::engine {
namespace {

template <class Map>
void bound(Map& map) {
  while (map.size() > RootLedger::commits_max) map.erase(map.begin());
}

}  // namespace

std::optional<RootVerdict> RootLedger::reached(CommitNumber commit, Position position, Digest64 root) {
  here_[commit] = {position, root};
  bound(here_);
  const auto other = there_.find(commit);
  if (other == there_.end()) return std::nullopt;
  const RootVerdict verdict{commit, position, root, other->second};
  there_.erase(there_.begin(), std::next(other));  // older ones cannot be newer proofs
  return verdict;
}

std::optional<RootVerdict> RootLedger::expected(CommitNumber commit, Digest64 root) {
  const auto other = here_.find(commit);
  if (other == here_.end()) {
    // A commit below what was reached long ago will not be reached again.
    if (here_.empty() || commit > here_.rbegin()->first) {
      there_[commit] = root;
      bound(there_);
    }
    return std::nullopt;
  }
  return RootVerdict{commit, other->second.position, other->second.root, root};
}

void RootLedger::clear() {
  here_.clear();
  there_.clear();
}

}  // namespace ccr::engine
