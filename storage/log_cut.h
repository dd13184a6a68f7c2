// A received log that is to end earlier than it came: where a point in time lies in it, and how what is behind that is kept aside.
//
// The cut is behind the last commit before the first one, in the log's order, whose wall time is later than that point. Wall clocks jump, also
// backwards: so every record is read, and none is skipped because a later one is older again.
// What lies behind a cut goes to quarantine/: later generations as they are, and the generation of the cut as it was, whole; what is kept of that
// one takes its place under incoming/. Each step may be repeated after a crash in the middle of it. Nothing may have the directory open.
#pragma once

#include <optional>

#include "storage/log_reader.h"

namespace ccr::storage {

// The last record that ended at or before `at`, a canonical position of a log; nullopt: none, or it ended before all log that is here.
Task<Result<std::optional<RecordHeader>>> record_before(Disk& disk, LogDirectory directory, Position at);

struct TimeCut {
  Position at;                       // behind `kept`, where `next` begins
  std::optional<RecordHeader> kept;  // nullopt: not known
  std::optional<RecordHeader> next;  // the first that is later; nullopt: none is, and `at` is the end
  bool marker = false;               // `next` is a base marker that is not later: no log leads over it
};
struct CutSearch {
  LogDirectory directory;
  Position from, end;  // of what is looked through; canonical
  WallTime until;
};
// `seen` grows as it reads, and lives until completion.
Task<Result<TimeCut>> find_cut(Disk& disk, CutSearch search, Position& seen);

// What a passive copy received behind a cut.
struct BehindCut {
  Generation first, last;     // first 0: nothing
  std::uint64_t commits = 0;  // whole ones
};
Task<Result<BehindCut>> look_behind_cut(Disk& disk, LogDirectory directory, Position cut);
// Sets it aside, whatever lies in quarantine/ already; answers the canonical end of the log then.
Task<Result<Position>> cut_received_log(Disk& disk, LogDirectory directory, Position cut, BehindCut behind);

}  // namespace ccr::storage
