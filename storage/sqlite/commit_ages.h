// CommitAges tells how old the oldest commit is that was seen in a wal-index and is not captured yet.
//
// A commit's time is not written anywhere: it came after the look before the one that saw it, so that is what counts. An age is never told
// shorter than it is. Pure bookkeeping. Bounds: marks_max looks; when they are full, each two neighbours become one, with the later frame and
// the earlier time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "storage/sqlite/wal_format.h"

namespace ccr::storage::sqlite {

class CommitAges {
 public:
  static constexpr std::size_t marks_max = 512;

  void seen(WalSalts salts, std::uint32_t last_frame, Instant now);
  void captured(WalSalts salts, std::uint32_t frame);
  // Nothing is left to capture; `now` is when that was seen.
  void clear(Instant now);
  Instant oldest() const noexcept { return marks_.empty() ? Instant{} : marks_.front().since; }  // 0: everything is captured

 private:
  struct Mark {
    WalSalts salts;
    std::uint32_t frame = 0;  // the last one of the commits it stands for
    Instant since;            // none of them is older
  };

  void thin_out();

  std::vector<Mark> marks_;  // in the order of the looks
  Instant looked_;
};

}  // namespace ccr::storage::sqlite
