// SeedTarget makes a copy's pages equal to its source's, as of some position at or after P: one pass, over one connection
// and as many further ones as its options say.
//
// run(): opens or resumes a pass, moves what differs, names Q. What follows is the caller's: replay the log from P to Q, compare
// roots, and when they differ run another pass, with the own table doubted. Completion: ok when every page and its digest are
// durable here and the source named Q. Failure: what arrived stays, durable and in the map; the next run() with the same state
// directory goes on with what is left (seed/README.md says why at every point). Kinds: refused (the source, or the observer),
// protocol (a source that breaks the rules), no_space, io, disconnected, timeout. disk_doubtful() after a failure says that a sync
// of the page file failed: what is in the page cache may not be on the disk, and the next run must be `full`, which asks again for
// whatever is not in the map. The caller guarantees that nobody else writes pages or digests from the start of run() to its end.
// Lifetime: everything it is given outlives it; one run() per object. Threads: the node's executor only. Memory: SeedWork's
// extents in flight, one bit an extent.
#pragma once

#include <memory>
#include <string>

#include "seed/seed_transfer.h"

namespace ccr::seed {

// The engine's part in a pass. Both complete durably, or the pass ends with their error before a page was written.
class SeedObserver {
 public:
  virtual ~SeedObserver() = default;
  // A new pass: record P as the open pass, forget the replayed position, restart the incoming log at P's generation.
  virtual Task<Result<void>> pass_opened(const transport::SeedOffer& offer) = 0;
  // The pass of the state file goes on: the incoming log from P on is still needed.
  virtual Task<Result<void>> pass_resumed(const transport::SeedOffer& offer) = 0;
};

struct SeedOptions {
  Position open_pass;  // P of the pass that the copy's state file has open; generation 0: none, a new pass begins
  bool full = false;   // ignore what is here; zeros still cost no bytes
  OwnTable own_table = OwnTable::believed;
  storage::TokenBucket* rate = nullptr;  // of what this target receives; its limit may change while it runs; null: none
  CpuPool* cpu = nullptr;                // unpacks; null: the node's own thread does
  ExtentBudget* budget = nullptr;        // shared by the seeds of a node; null: this is the only one
  StreamsWanted streams{};
};

struct SeedOutcome {
  SeedPassId pass;
  bool resumed = false;
  Position until;  // Q
  CommitNumber until_commit = 0;
};

class SeedTarget {
 public:
  // directory: the copy's state directory, where seed.map lies. file and digests: the copy's, of one page size.
  SeedTarget(Clock& clock, storage::Disk& disk, std::string directory, storage::PageFile& file, storage::PageDigests& digests,
             SeedObserver& observer, SeedOptions options);

  Task<Result<SeedOutcome>> run(transport::FramedConnection& connection);
  const SeedCounters& counters() const noexcept { return counters_; }  // live while run() runs; of the pass, over its runs
  bool disk_doubtful() const noexcept { return disk_doubtful_; }
  void change_streams(std::size_t least, std::size_t most);  // from now on, as StreamsWanted's; where options.streams has further ones
  bool cut();  // as SeedTransfer's; false too where none runs

 private:
  Task<Result<transport::SeedOffer>> open(transport::FramedConnection& connection);
  Result<void> check_offer(const transport::SeedOffer& offer, Position asked) const;
  Task<Result<void>> check_space(const transport::SeedOffer& offer);
  Task<Result<void>> begin(const transport::SeedOffer& offer);
  Task<Result<void>> transfer(transport::FramedConnection& connection, OwnContent& own);
  Task<Result<transport::SeedEnd>> finish(transport::FramedConnection& connection);

  Clock& clock_;
  storage::Disk& disk_;
  storage::PageFile& file_;
  storage::PageDigests& digests_;
  SeedObserver& observer_;
  SeedOptions options_;
  SeedMap map_;
  SeedCounters counters_;
  bool disk_doubtful_ = false;
  SeedTransfer* transfer_ = nullptr;  // while it runs
};

// Tells the source that its pin is not needed any more: the copy is equal, or its pass was given up.
Task<Result<void>> release_seed(transport::FramedConnection& connection);

}  // namespace ccr::seed
