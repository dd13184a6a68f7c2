// Replayer applies whole commits of a log to a copy's pages, read back from disk.
//
// A batch: max_required durable, pages and digest table durable, then min_required durable (DESIGN section 4). Only what lies below the
// limit (inspected and durable here) is read. hold() completes at a commit boundary with everything applied so far durable; until
// release() nothing is written. run() ends with an error (corrupt, gap, io, diverged) or when it is stopped; after a stop in the middle
// of a batch the next run starts at min_required again, which is harmless: images are whole pages.
// Lifetime: everything passed in outlives run(). Bounds: batch_bytes_max between two syncs, except for one larger record.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.h"
#include "engine/state_keeper.h"
#include "storage/log_reader.h"
#include "storage/replay_target.h"

namespace ccr::engine {

class ReplayObserver {
 public:
  virtual ~ReplayObserver() = default;
  // The content in memory and on its way to disk is now that of `position`; called at every commit boundary.
  virtual void commit_applied(Position position, CommitNumber commit) = 0;
  virtual void seal_passed(const storage::SealFacts& seal, CommitNumber commit) = 0;
};

class Replayer {
 public:
  static constexpr std::size_t batch_bytes_max = 32 * MiB;
  // A batch costs some syncs however small it is: between two of them log is left to gather, but for one that is large, or wanted.
  static constexpr Duration gathering_max = std::chrono::milliseconds(250);
  static constexpr std::uint64_t generations_gathered_max = 16;

  // `through`: the required range is kept in this state. Starts at state.min_required.
  Replayer(const Executor& executor, storage::Disk& disk, Clock& clock, storage::LogDirectory log, storage::ReplayTarget& target,
           StateKeeper& keeper, ReplayObserver& observer);

  Task<Result<void>> run();
  // One shot: applies everything up to `limit` and returns.
  Task<Result<void>> replay_to(Position limit);

  void set_limit(Position limit);  // a lower one holds back what no batch has begun with
  Position limit() const noexcept { return limit_; }
  void hurry();  // somebody waits for what is below the limit now
  void give_back();  // nothing will come for a while: memory goes back to the system
  Task<void> hold();
  void release();

  Position position() const noexcept { return position_; }  // durable: min_required
  Position applied() const noexcept { return applied_position_; }       // what is on its way to the disk too
  CommitNumber commit() const noexcept { return commit_; }
  bool exact() const noexcept { return !busy_ && position_ >= doubtful_; }  // the pages are those of position(), and nowhere ahead of it
  Position doubtful() const noexcept { return doubtful_; }  // while held: a batch that a crash cut short may have brought pages as far as this
  // A base marker was met: pages cannot be brought further by log, the difference must be taken.
  bool base_marker_met() const noexcept { return base_marker_; }
  Signal& changed() noexcept { return changed_; }

 private:
  Task<void> gather(Instant since);
  Task<Result<bool>> batch();  // false: no whole record below the limit
  Task<Result<void>> apply(const storage::RecordHeader& header);
  void pass_seals();

  storage::Disk& disk_;
  Clock& clock_;
  storage::LogDirectory log_;
  storage::ReplayTarget& target_;
  StateKeeper& keeper_;
  ReplayObserver& observer_;
  storage::LogReader reader_;
  Signal changed_;
  Position limit_, position_, applied_position_;
  Position doubtful_;  // a batch that did not end may have brought pages as far as this
  Position hurried_;  // the limit when somebody was in a hurry
  CommitNumber commit_ = 0, applied_commit_ = 0;
  int holds_ = 0;
  bool busy_ = false, base_marker_ = false;
};

}  // namespace ccr::engine
