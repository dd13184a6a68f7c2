// SeedCommitter makes finished extents durable, in batches, and only then marks them in the map.
//
// The order is the whole point: 1. the pages are written (by others), 2. the page file is synced, and they leave the page cache, 3. the digest table gets their
// entries and is flushed, 4. the map gets their bits and is flushed. A crash between any two leaves extents that are not in the
// map, and those are digested from the disk by the next run. A batch ends at batch_bytes, at batch_extents, or at a tick; the next
// one fills while it syncs.
//
// Completion: run() returns ok after end() once everything that was added is durable; at least one commit is made, so that a resize
// of the file is durable too. Failure: the first error ends it; nothing of that batch is marked, and after a failed sync of the
// page file sync_failed() says that the page cache must not be believed (FAULTS row 11). Lifetime: everything it is given outlives
// it. Threads: the node's executor only. Bounds: the caller stops adding while full().
#pragma once

#include <vector>

#include "base/signal.h"
#include "seed/seed_map.h"
#include "storage/page_file.h"

namespace ccr::seed {

struct FinishedExtent {
  std::uint32_t extent = 0;
  std::uint64_t written_bytes = 0;
  std::vector<Digest64> digests;  // of its pages; empty: the table holds them
};

class SeedCommitter {
 public:
  static constexpr std::uint64_t batch_bytes = 16 * MiB;  // three syncs for 16 MiB cost a few percent of writing them
  static constexpr std::size_t batch_extents = 4096;  // of extents that were equal: one bit each, entries where they were doubted
  static constexpr std::uint64_t backlog_bytes_max = 64 * MiB;  // written and not durable: what a slow disk may owe

  // `changed` is shared with whoever adds: it is notified after each commit, and wakes run().
  SeedCommitter(Signal& changed, storage::PageFile& file, storage::PageDigests& digests, SeedMap& map, const SeedCounts& counts);

  void add(FinishedExtent extent);
  void tick();  // half a second went by: what is here is batch enough
  void end();   // nothing is added any more
  bool full() const noexcept;
  bool sync_failed() const noexcept { return sync_failed_; }

  Task<Result<void>> run();

 private:
  bool due() const noexcept;
  Task<Result<void>> commit();

  storage::PageFile& file_;
  storage::PageDigests& digests_;
  SeedMap& map_;
  const SeedCounts& counts_;
  Signal& changed_;
  std::vector<FinishedExtent> batch_;
  std::uint64_t batch_bytes_ = 0, committing_bytes_ = 0;
  bool ticked_ = false, ended_ = false, sync_failed_ = false;
};

}  // namespace ccr::seed
