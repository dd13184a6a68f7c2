// LogKeeper takes generations out of an active copy's log: those that nobody holds, and at the end of the log budget what may be given up for it.
//
// look() decides (storage/truncation.h), makes durable what it gives up, tells it, and then truncates; it fails with the errors of state and log.
// Lifetime: keeper and log outlive it. Threads: the node's executor; one look at a time. Bounds: those of ReplayDelay.
#pragma once

#include <optional>
#include <string>

#include "engine/node_context.h"
#include "engine/replay_delay.h"
#include "engine/state_keeper.h"
#include "storage/log_stream.h"
#include "storage/truncation.h"

namespace ccr::engine {

// The budget takes log that the retention policy would have kept, of either kind of copy: durable before it is told and before anything goes;
// told once, until a backup or time makes the policy whole again. `came`: as in engine/retention.h.
Task<Result<void>> give_up_log(NodeContext& context, const DatabaseConfig& database, StateKeeper& keeper, Generation below, Position came, std::uint64_t log_bytes);

class LogKeeper {
 public:
  LogKeeper(NodeContext& context, const DatabaseConfig& database, StateKeeper& keeper) : context_(context), database_(database), keeper_(keeper) {}

  // The log is open, and what there is of it is counted.
  Task<Result<void>> open(std::string directory, const storage::LogStream& log);
  Task<Result<void>> look(storage::LogStream& log);

  storage::TruncationFacts facts() const;
  Generation first() const noexcept { return first_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  // Nothing more may be written: the budget is used up, and is not to be made room in. Who holds it; nullopt: commits go on.
  const std::optional<std::string>& full() const noexcept { return full_; }
  Position came() const;  // the last that was here when log that is kept for a time begins
  // Holds the log from a position on, for a copy of the pages that is being made of it. One at a time.
  void hold_for_backup(std::optional<Position> from) { backup_from_ = from; }

 private:
  void note_ages();
  storage::TruncationVerdict judge();
  Task<Result<void>> drop_pins(std::vector<std::string> owners);

  NodeContext& context_;
  const DatabaseConfig& database_;
  StateKeeper& keeper_;
  Generation first_, open_;
  Position durable_;
  std::uint64_t bytes_ = 0;
  ReplayDelay ages_;  // when the log was written
  Instant ages_saved_;
  std::optional<Position> backup_from_;
  std::optional<std::string> full_;
};

}  // namespace ccr::engine
