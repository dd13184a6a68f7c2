// LogStream writes an active copy's log: records into blocks, blocks into generations, generations into a chain.
//
// One writer: begin, pages and end of one record at a time, sync() between records. end() completes when the record's bytes are buffered
// or written; a record is durable when the sync() that began after its end() completed. Several records before one sync() are a group
// commit: they share blocks; after a sync() the next record starts a new block, so a synced block is never written again.
// A generation is sealed when the next record byte does not fit (a record's header is never cut by a seal), by roll(), or by
// roll_if_idle() when it holds a durable record and is older than asked. A seal waits for no disk: the sealed file is synced with its
// group, however many generations that fills. Until then the first of them keeps the name current.log, the others have their final names,
// and the open one lies at next.log. Order of a group with seals (FAULTS GR): all these files and their names, side by side; then
// current.log gets its final name, and the directory is synced; then next.log becomes current.log, and the directory is synced. Only then
// the group counts: a crash before the first rename leaves the others behind current.log, where recovery removes them, and none of the
// renames can be the only one that the disk kept.
// Failure: any failed write or sync makes the stream unusable (failed() is true, every call answers the first error): the owner
// dismounts and opens again, which recovers. Bounds: one buffer of 256 KiB, SealedFiles::files_max files between two syncs; a record may be of
// any length.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "storage/disk.h"
#include "storage/log_format.h"
#include "storage/log_reader.h"

namespace ccr::storage {

struct LogOptions {
  std::string directory;
  std::uint32_t page_size = 4096;
  std::uint64_t generation_bytes = 1 * MiB;
  Epoch epoch = 1;
};

// What recovery found at the end of the log.
struct LogEnd {
  Signature signature;
  Epoch epoch = 0;
  std::uint32_t page_size = 0;
  Position end;                      // where the next record starts
  CommitNumber last_commit = 0;      // 0: none yet
  PageNumber page_count = 0;         // after last_commit
  std::optional<RecordHeader> last_record;  // absent only in a log without records: generation headers carry it past truncation
  std::uint64_t cut_bytes = 0;       // torn tail that was cut off behind everything proven durable
};

class LogStream {
 public:
  // A new log at generation 1; `directory` must hold no generation (ErrorKind::exists).
  static Task<Result<std::unique_ptr<LogStream>>> create(Disk& disk, Clock& clock, LogOptions options, Signature signature);

  // Opens the log that is there and recovers its end (recovery.h). `proven`: the furthest position anybody knows durable (state
  // file, passives); an end before it is ErrorKind::gap. Damage before a proof or in a sealed generation is ErrorKind::corrupt and
  // changes nothing. A torn tail is rewritten into a new file before the stream is used. options.epoch below the log's is refused;
  // above it, the open generation is sealed and the next one carries the new epoch. A record that the crash cut off inside a seal's
  // reach stays in the sealed generations as an abandoned one (log_format.h) and its number is used again.
  static Task<Result<std::unique_ptr<LogStream>>> open(Disk& disk, Clock& clock, LogOptions options, Signature signature, Position proven);

  virtual ~LogStream() = default;

  virtual Task<Result<void>> begin(RecordHeader header) = 0;         // number must be last_commit() + 1
  virtual Task<Result<void>> pages(std::span<const Page> images) = 0;  // the next of the record's; header.images in all
  // root and page_count: of the database after this record; they go into the next seal. Returns where the next record will start
  // if it joins this group.
  virtual Task<Result<Position>> end(Digest64 root) = 0;
  virtual Task<Result<void>> sync() = 0;
  virtual Task<Result<void>> roll() = 0;                     // seals the open generation now; nothing where it holds no record
  // True when it rolled. The age is that of the first record of the generation, or of open() where it was there before.
  virtual Task<Result<bool>> roll_if_idle(Duration older_than) = 0;
  // Makes the next generation's file beforehand, full of zeros and synced, so that syncs in it write no metadata (DESIGN.md section 10);
  // not where a truncated generation's file waits to serve again.
  // To be called when nothing is urgent; may run beside the other calls; a failure leaves the stream usable.
  virtual Task<Result<void>> prepare() = 0;
  // Two generations' files that stand by for a full disk (reserve_files.h); no_space where they cannot be had: nothing should be begun then.
  virtual Task<Result<void>> fill_reserve() = 0;
  // Set once one of them is in use: the disk's error. The record under way and its sync() may come to their end; then the owner stops.
  virtual const std::optional<Error>& no_room() const = 0;
  // Takes sealed generations below `below` out of the log, lowest first; answers the lowest one that is left. May run beside the other calls.
  virtual Task<Result<Generation>> truncate_below(Generation below) = 0;
  // Nothing will come for a while: memory for what was just synced and files of truncated generations go back to the system. May run
  // beside the other calls.
  virtual Task<Result<void>> give_back() = 0;
  // After open(): the root of the database after last_commit(), once the owner knows it. A seal that comes before either this or a
  // new record's end() says last_commit 0, that is: no root to compare.
  virtual void know_root(Digest64 root) = 0;

  virtual const LogEnd& recovered() const = 0;
  virtual const Signature& signature() const = 0;
  virtual Epoch epoch() const = 0;
  virtual Position durable() const = 0;          // canonical (base/position.h): every record before it is durable
  virtual CommitNumber last_commit() const = 0;  // ended, maybe not durable yet
  virtual CommitNumber durable_commit() const = 0;
  virtual Generation open_generation() const = 0;
  virtual bool failed() const = 0;
};

}  // namespace ccr::storage
