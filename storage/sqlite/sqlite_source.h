// The `sqlite` source: commits of a live SQLite database in WAL mode, captured while other processes use it as they always did.
//
// A thread of its own makes every call into SQLite (sqlite_worker.h); whole commits pass to the engine through a bounded queue
// (source_channel.h). The engine never takes the write lock, never checkpoints and writes nothing into the database; the only trace of a
// source is a read mark for as long as it takes to read what was committed (mark_policy.h), and, where there were none, an empty -wal and a
// -shm beside the file.
//
// How a commit is kept from vanishing, as a story:
//   1. An application commits. inotify wakes the worker at the first frame written; it takes a mark at the last commit. No checkpoint can
//      bring later frames into the file now, so no reset and no TRUNCATE can take them away.
//   2. The commit is published in the wal-index. The worker takes a new mark there, drops the old one, reads the frames between the two, and
//      proves them: salts, running checksum, commit frame.
//   3. The application's checkpoint copies the WAL into the file up to the mark. When that is all of it, the worker's next mark is in
//      slot 0: the next writer resets the WAL at will, a TRUNCATE passes. Commits after it are safe as in 1.
//   4. A writer that never pauses is always one commit ahead of our mark, and its checkpoint never completes. So after it was held back once the
//      worker drops its mark just before the place, for one checkpoint. What was committed in that gap is read without a mark, or found
//      behind the new frames after the reset; that all of it was found is proven by iChange, which counts commits.
//   5. If that proof fails, or a restart finds no proof (sqlite_cursor.h): standing `lost`, and the file's content wins.
// Lifetime: the clock outlives the source. close() before destruction, or the destructor waits for the thread (at most a second or two, when
// another process holds a lock that the thread is waiting for).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "storage/log_source.h"

namespace ccr::storage {

struct SqliteSourceOptions {
  static constexpr std::uint64_t wal_limit_bytes_default = 16 * MiB;

  std::string path;
  std::uint64_t wal_limit_bytes = wal_limit_bytes_default;  // above it the worker makes way for a reset, whoever wants one
  std::optional<SourceCursor> cursor;  // of the last commit in the log; none: standing `lost`, first_start
};

// Never fails: what is wrong with the path is a standing. Items begin to come as soon as the engine's executor runs.
std::unique_ptr<LogSource> open_sqlite_source(Executor engine, Clock& clock, SqliteSourceOptions options);

// What to say at start about the SQLite library that is linked; empty when there is nothing. Releases before 3.51.3 have the WAL-reset bug: two
// checkpoints that follow each other at once, and a commit between them, may corrupt a database. ccr runs no checkpoint; applications do.
std::string sqlite_warning();

}  // namespace ccr::storage
