// SeedWork is what the tasks of one transfer share: what waits to be asked for, what came, and how it ended.
//
// The planner adds to `chunks` and `wanted`, streams take from there and add to `complete`, writers take from there. Everything is touched by
// the node's executor only; whoever changes it notifies `changed`. Bounds: extents_in_flight() extents wanted and asked for together.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/cpu_pool.h"
#include "base/signal.h"
#include "seed/extent_arrival.h"
#include "storage/page_digests.h"
#include "storage/token_bucket.h"

namespace ccr::seed {

struct SeedCounters {
  SeedCounts counts;             // of the pass
  std::uint64_t done_bytes = 0;  // of the database: written or equal
  std::uint64_t total_bytes = 0;
  std::uint64_t rate = 0;     // done bytes a second, over the last seconds
  std::size_t streams = 0;    // connections that carry pages now
  // Of this run: connections that ended before their time, and extents that they had been asked for, which are asked for again.
  std::uint64_t streams_lost = 0, extents_again = 0;
};

// Extents in memory, of all seeds into one node: each has extents_min, beyond that who comes first.
struct ExtentBudget {
  static constexpr std::size_t extents_min = 6;

  std::size_t most = 192;
  std::size_t taken = 0;
};

// An extent that differs, before anybody was asked.
struct WantedExtent {
  ExtentArrival arrival;
  ExtentVerdict verdict;  // whole or narrow
};

// Digests of `count` extents.
struct DigestChunk {
  std::uint32_t first = 0, count = 0;
  bool asked = false;
  std::vector<Digest64> digests;  // empty until they came
};

struct SeedWork {
  static constexpr std::size_t in_flight_each = 8;  // where there are several streams

  SeedWork(const Executor& executor, Clock& c, const SeedPassId& p, const storage::PageDigests& d, SeedCounters& n)
      : clock(c), pass(p), own_digests(d), counters(n), changed(executor) {}

  Clock& clock;
  const SeedPassId& pass;
  const storage::PageDigests& own_digests;
  SeedCounters& counters;
  storage::TokenBucket* rate = nullptr;  // of what is received, by all streams together; null: no limit
  CpuPool* cpu = nullptr;                // unpacks; null: the node's own thread does

  std::deque<DigestChunk> chunks;
  std::deque<WantedExtent> wanted;
  std::deque<ExtentArrival> complete;  // to be written
  std::size_t asked = 0;               // extents that a stream has asked for
  std::uint64_t arrived = 0;           // extents that came whole
  std::size_t streams = 0;             // that carry
  bool planning = true;                // more may come to be wanted
  std::optional<Error> failure;        // nothing is asked for any more
  Signal changed;

  bool over() const noexcept { return failure || (!planning && wanted.empty() && asked == 0); }
  // A gigabit of 130 ms with one stream; with several each needs its own share of the way.
  std::size_t extents_in_flight() const noexcept { return std::max(seed_asks_in_flight_max, streams * in_flight_each); }
  std::size_t in_flight_of_each() const noexcept { return streams <= 1 ? seed_asks_in_flight_max : in_flight_each; }
};

}  // namespace ccr::seed
