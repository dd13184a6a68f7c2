// SeedTransfer moves what a pass still has to move, over one connection, once the pass is open here.
//
// Five kinds of tasks: one goes through the extents in order, compares, and asks; one receives; writers_max write what is complete;
// one makes it durable (seed/seed_commit.h); one ticks. At most seed_asks_in_flight_max extents are on the wire, and buffers_max in
// memory.
//
// Completion: ok when every extent is in the map and the map is settled. Failure: the first error; before it is returned everything
// that arrived whole is written, made durable and marked, and the map is settled when table and disk are known to agree, so the
// next run asks only for what never came. A failed write or sync leaves the map unsettled. A stopped task does none of this: it is
// a crash to the next run. Lifetime: the parts outlive it. Threads: the node's executor only.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/cpu_pool.h"
#include "base/task_group.h"
#include "seed/extent_arrival.h"
#include "seed/own_content.h"
#include "seed/seed_commit.h"
#include "storage/token_bucket.h"
#include "transport/framed_connection.h"
#include "transport/page_packing.h"

namespace ccr::seed {

struct SeedCounters {
  SeedCounts counts;             // of the pass
  std::uint64_t done_bytes = 0;  // of the database: written or equal
  std::uint64_t total_bytes = 0;
  std::uint64_t rate = 0;  // done bytes a second, over the last seconds
};

// A peer that owes an answer and sends nothing for so long is gone.
inline constexpr Duration seed_silence_max = std::chrono::seconds(60);

// What a source's word against a seed means: ErrorKind::diverged when its own pages are not what its log says, which no other try will
// mend; else refused.
Error refusal_of(const transport::Refuse& refuse);

class SeedTransfer {
 public:
  struct Parts {
    Clock& clock;
    transport::FramedConnection& connection;
    SeedMap& map;
    OwnContent& own;
    storage::PageFile& file;
    storage::PageDigests& digests;
    SeedCounters& counters;
    bool full = false;  // believe nothing that was here before the pass
    storage::TokenBucket* rate = nullptr;  // of what is received; null: no limit
    CpuPool* cpu = nullptr;                // null: inline
  };

  SeedTransfer(const Executor& executor, Parts parts);
  Task<Result<void>> run();
  bool sync_failed() const noexcept { return committer_.sync_failed(); }

 private:
  struct DigestChunk {
    std::uint32_t first = 0, count = 0;
    std::vector<Digest64> digests;  // empty until they came
  };

  Task<Result<void>> plan();
  Task<Result<void>> receive();
  Task<void> pace(std::uint64_t bytes);
  Task<Result<void>> write();
  Task<Result<void>> commit();
  Task<Result<void>> tick();

  Task<void> ask_for_digests();
  Task<std::optional<Digest64>> offered_digest(std::uint32_t extent);
  Task<Result<void>> plan_extent(std::uint32_t extent, Digest64 offered);
  Task<Result<void>> fetch(ExtentArrival arrival, ExtentVerdict verdict);
  Task<Result<void>> take(transport::Message message);
  Result<void> take_extent_digests(transport::ExtentDigests message);
  Task<Result<void>> take_page_digests(transport::PageDigestList message);
  Task<Result<void>> take_packed(const transport::ExtentPacked& message);
  Result<void> take_pages(const transport::ExtentPages& message);
  void complete(std::uint32_t extent);
  Task<Result<void>> write_extent(const ExtentArrival& arrival);
  void finish(const ExtentArrival& arrival);
  void finish(FinishedExtent extent, bool sent);

  bool room() const noexcept;
  AlignedBuffer take_buffer();
  void fail(Error error);
  void count_wire() noexcept;
  void sample_rate();
  void check_silence();
  bool all_believed() const;

  Parts parts_;
  InlineCpuPool own_cpu_;
  transport::PageUnpacker unpacker_;
  TaskGroup group_;
  Signal changed_;  // anything below
  SeedCommitter committer_;
  std::optional<Error> failure_;
  bool planning_ = true, receiving_ = true, pacing_ = false, write_failed_ = false, commit_failed_ = false;
  int writers_;
  std::size_t owed_ = 0;     // answers that will come
  std::size_t on_wire_ = 0;  // extents among them
  std::uint32_t next_chunk_ = 0;
  std::deque<DigestChunk> chunks_;
  std::map<std::uint32_t, ExtentArrival> arrivals_;  // asked for, not complete
  std::deque<ExtentArrival> complete_;               // to be written
  std::vector<AlignedBuffer> buffers_;               // free ones
  std::size_t buffers_out_ = 0;
  std::uint64_t wire_before_;
  std::deque<std::pair<Instant, std::uint64_t>> samples_;  // of done_bytes
  std::uint64_t heard_bytes_ = 0;
  Instant heard_at_;
};

}  // namespace ccr::seed
