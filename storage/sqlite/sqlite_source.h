// The `sqlite` source: commits of a live SQLite database in WAL mode, captured while other processes use it as they always did.
//
// A thread of its own makes every call into SQLite (sqlite_worker.h); whole commits pass to the engine through a bounded queue
// (source_channel.h). While the database is served the engine never takes the write lock, never checkpoints and writes nothing into it; the only trace of a
// source is a reader's lock for as long as it takes to read what was committed (mark_policy.h), and, where there were none, an empty -wal
// and a -shm beside the file.
//
// How a commit is kept from vanishing, as a story:
//   1. An application commits. inotify wakes the worker at the first frame written; it takes an anchor: no writer can reset the WAL and no
//      TRUNCATE can empty it now; checkpoints copy it into the file as they like.
//   2. The commit is published in the wal-index. The worker reads the frames up to it and proves them: salts, running checksum,
//      commit frame.
//   3. The application's checkpoint completes. When everything is in the file and everything is captured, the worker moves from the
//      anchor to slot 0: the next writer resets the WAL at will, a waiting TRUNCATE goes. A commit after that cannot be copied into the
//      file, so it cannot be reset away, until the worker has a new anchor and lets slot 0 go. So nothing depends on how soon a thread runs.
//      But the next commit of a program at full speed comes before any thread: so while a checkpoint brings a long WAL into the file nothing is
//      held. A commit that comes before slot 0 is seen at the next look, and a whole filling of the WAL lies between it and its loss.
//   4. When nothing happens the anchor stays for a second, or slot 0 for good. A TRUNCATE in that second copies the WAL, which wakes the
//      worker, finds the anchor for a moment, and passes when its busy handler tries again. Later it finds nothing held. Beside that, and
//      such a checkpoint as in 3, only in the gaps of a WAL above its limit is nothing held (mark_policy.h); what was committed and reset
//      away there may still lie behind the new frames and is found. That nothing is missing is proven by iChange, which counts commits.
//   5. If that proof fails, or a restart finds no proof (sqlite_cursor.h): standing `lost`, and the file's content wins.
//   6. part() is the one time that this changes: before the copy becomes a passive one, and with no other process at the database, the write
//      lock is taken and the WAL brought into the file (parting.h).
//   7. For pages read beside the commits (seeds, scrubs, catch-ups) a real mark is taken for one answer: the file stays at the commit it names.
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
  std::uint64_t wal_budget_bytes = 0;  // behind by more while the engine takes nothing, it gives up the rest and lets the WAL go; 0: never
  std::uint64_t wal_limit_bytes = wal_limit_bytes_default;  // above it the worker holds nothing for a moment, so that a reset can happen
  std::optional<SourceCursor> cursor;  // of the last commit in the log; none: standing `lost`, first_start
};

// Never fails: what is wrong with the path is a standing. Items begin to come as soon as the engine's executor runs.
std::unique_ptr<LogSource> open_sqlite_source(Executor engine, Clock& clock, SqliteSourceOptions options);

// What to say at start about the SQLite library that is linked; empty when there is nothing. Releases before 3.51.3 have the WAL-reset bug: two
// checkpoints that follow each other at once, and a commit between them, may corrupt a database. ccr runs no checkpoint; applications do.
std::string sqlite_warning();

}  // namespace ccr::storage
