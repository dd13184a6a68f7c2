// IncomingLog is the passive side's log: bytes arrive, are verified block by block, written under incoming/, synced, and at the seal
// inspected as a whole and given their final name (write, sync, rename, sync directory).
//
// accept() verifies and writes; nothing unverified reaches a file. sync() makes what was accepted durable; durable() and inspected() grow
// only there. The seal is proven in accept() order: digest of the whole, number, signature, epoch not falling, chain to the
// generation before. Failure: corrupt or diverged data changes nothing on disk and names what was expected; the caller fetches again.
// A failed write or sync drops the open file: the next open() starts it again under a new inode.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/disk.h"
#include "storage/log_reader.h"

namespace ccr::storage {

class IncomingLog {
 public:
  // Where a log starts when the directory is empty: a copy that was seeded begins at the pinned generation, not at 1.
  struct Start {
    Generation generation{1};
  };

  // Opens the directory: sealed generations, then the valid prefix of the open one under incoming/ (cut at the first bad block: those
  // bytes were never reported durable beyond `proven`; a shorter prefix than `proven` is ErrorKind::gap).
  static Task<Result<std::unique_ptr<IncomingLog>>> open(Disk& disk, LogDirectory directory, Start start, Position proven);
  virtual ~IncomingLog() = default;

  // `bytes`: whole blocks that follow at exactly wanted(). Returns what was inside.
  virtual Task<Result<void>> accept(Generation generation, std::uint64_t offset, ByteView bytes) = 0;
  virtual Task<Result<void>> sync() = 0;

  // The next byte this log needs: (g, 0) where the header block of g is not here yet.
  virtual Position wanted() const = 0;
  virtual Position received() const = 0;    // canonical, of accepted blocks
  virtual Position durable() const = 0;     // canonical, synced
  virtual Position inspected() const = 0;   // = durable for the open generation's verified blocks; behind a seal only when the seal held
  virtual ChainLink open_prefix() const = 0;  // digest of the open generation's durable prefix, for the handshake
  virtual bool failed() const = 0;            // a call that writes did: what is on disk is not known, and nothing is taken before it is opened anew
  virtual Generation first() const = 0;       // lowest generation held; 0 when none
  virtual Epoch epoch() const = 0;            // of the newest header; 0 when none

  // Moves every generation from `from` on, and the open one, into quarantine/ (never deletes), syncs, and wants (from, 0) next.
  virtual Task<Result<void>> set_aside(Generation from) = 0;
  // Forgets everything and starts at another generation (a new seed pass). Generations from `keep_from` on go to quarantine/, the others are
  // removed: they must be known to be part of the history that follows, or no longer of any. nullopt: all are.
  virtual Task<Result<void>> restart_at(Generation start, std::optional<Generation> keep_from) = 0;
  // Takes sealed generations below `below` out of the log, lowest first; first() tells what is left. May run beside the other calls.
  virtual Task<Result<void>> truncate_below(Generation below) = 0;
  // Nothing will come for a while: files of truncated generations go back to the system.
  virtual Task<Result<void>> give_back() = 0;
};

}  // namespace ccr::storage
