#include "storage/sqlite/commit_ages.h"

#include <algorithm>

namespace ccr::storage::sqlite {

void CommitAges::seen(WalSalts salts, std::uint32_t last_frame, Instant now) {
  const Instant since = looked_.nanoseconds == 0 ? now : looked_;
  looked_ = now;
  const bool known = !marks_.empty() && marks_.back().salts == salts && marks_.back().frame >= last_frame;
  if (known || last_frame == 0) return;
  if (marks_.size() == marks_max) thin_out();
  marks_.push_back({salts, last_frame, since});
}

void CommitAges::captured(WalSalts salts, std::uint32_t frame) {
  // Fillings come one after the other: whoever is in one has left those before it behind.
  const auto here = std::find_if(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.salts == salts; });
  if (here == marks_.end()) return;
  const auto beyond = std::find_if(here, marks_.end(), [&](const Mark& mark) { return mark.salts != salts || mark.frame > frame; });
  marks_.erase(marks_.begin(), beyond);
}

void CommitAges::clear(Instant now) {
  marks_.clear();
  looked_ = now;
}

void CommitAges::thin_out() {
  std::vector<Mark> fewer;
  for (std::size_t i = 0; i < marks_.size(); i += 2) {
    const Mark& later = marks_[std::min(i + 1, marks_.size() - 1)];
    fewer.push_back({later.salts, later.frame, marks_[i].since});
  }
  marks_ = std::move(fewer);
}

}  // namespace ccr::storage::sqlite
