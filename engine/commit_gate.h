// CommitGate holds back the answers to a page store's commits until they are as safe as the database's configuration wants.
//
//   commit      a commit is answered when its group is durable here, and
//   async       -
//   received    a whole copy on another node has received it
//   durable     a whole copy on another node has it on its disk, inspected
//
// A copy counts while it follows this log and was proven equal once: what is only being made, or rests, or forked, is no second place. Where no copy answers,
// `fallback` says what happens: never (commits wait), or after a time commits are answered as async, with an event, until a copy has everything.
// Lifetime: the table of copies outlives it. Threads: the node's executor. Bounds: the page store's, which counts what is not answered.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/trace.h"
#include "engine/config.h"
#include "engine/copy_table.h"
#include "storage/log_format.h"

namespace ccr::engine {

// How far some other copy is, as the mode counts it; unknown: none counts. `end`: of the log here, which no copy of it is beyond. Pure.
Position safe_elsewhere(CommitMode mode, const CopyTable& copies, Position end);

class CommitGate {
 public:
  CommitGate(const DatabaseConfig& database, std::string subject, Clock& clock, const CopyTable& copies, Trace& trace);

  void durable_here(Position position, const storage::SourceCursor& cursor);  // everything before `position`, whose last commit has that cursor
  // The last commit that may be answered now, with all before it; nullopt: none that was not. Looks at the time too. `end`: of the log, now.
  std::optional<storage::SourceCursor> release(Position end);

  bool waits_for_others() const noexcept { return mode_ != CommitMode::async; }
  bool fallen_back() const noexcept { return fallen_back_; }
  std::optional<Duration> waiting() const;  // since the oldest group that is not answered became durable here

 private:
  struct Group {
    Position position;
    storage::SourceCursor cursor;
    Instant since;
  };

  void look_at_fallback(Position elsewhere);

  CommitMode mode_;
  Duration fallback_;  // 0: never
  std::string subject_;
  Clock& clock_;
  const CopyTable& copies_;
  Trace& trace_;
  std::deque<Group> groups_;
  Position newest_;  // durable here
  bool fallen_back_ = false;
  std::optional<Position> back_from_;  // while fallen back: the end of the log when a copy came back
};

}  // namespace ccr::engine
