// SeedTransfer moves what a pass still has to move, over one connection or several, once the pass is open here.
//
// Tasks: one goes through the extents in order and compares; each stream asks for what differs and receives it (seed/seed_stream.h);
// writers_max write what is complete; one makes it durable (seed/seed_commit.h); one ticks. Streams come and go as seed/stream_growth.h
// says. A further stream that ends leaves what it was asked for to the others, and where that was the link's fault it comes back after a
// pause; only the end of the last one, or of the first by anything but the link's fault, ends the transfer.
//
// Completion: ok when every extent is in the map and the map is settled. Failure: the first error; before it is returned everything
// that arrived whole is written, made durable and marked, and the map is settled when table and disk are known to agree, so the
// next run asks only for what never came. A failed write or sync leaves the map unsettled. A stopped task does none of this: it is
// a crash to the next run. Lifetime: the parts outlive it. Threads: the node's executor only. Bounds: SeedWork's extents in flight, and
// writers_max more in memory; fewer where the budget of the node's seeds is taken.
#pragma once

#include <list>
#include <memory>
#include <optional>

#include "base/task_group.h"
#include "seed/own_content.h"
#include "seed/seed_commit.h"
#include "seed/seed_stream.h"
#include "seed/stream_growth.h"

namespace ccr::seed {

// Where the streams besides a pass's first connection come from: the same source, or other copies.
class FurtherStreams {
 public:
  virtual ~FurtherStreams() = default;
  // One more connection, over which no pass is open yet. `number` counts them from 0: with several sources each gets its share. One that
  // was lost has its number again.
  virtual Task<Result<std::unique_ptr<transport::FramedConnection>>> connect(std::size_t number) = 0;
  // It could not be had, or ended before its time; the pass goes on.
  virtual void lost(const Error& error) = 0;
};

struct StreamsWanted {
  static constexpr std::size_t automatic_max = 8;

  FurtherStreams* further = nullptr;  // none: the first connection carries everything
  std::size_t least = 1, most = 1;
  bool first_carries = true;  // false: the pass is opened over it, its pages come over the others
};

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
    ExtentBudget* budget = nullptr;        // shared by the seeds of a node; null: this is the only one
    StreamsWanted streams;
  };

  SeedTransfer(const Executor& executor, Parts parts);
  ~SeedTransfer();
  Task<Result<void>> run();
  void change_streams(std::size_t least, std::size_t most);  // while it runs; such as StreamsWanted's
  bool cut();  // closes all its connections, as a link would; false: nothing is on its way, and nothing was closed
  bool sync_failed() const noexcept { return committer_.sync_failed(); }

 private:
  struct Stream {
    std::unique_ptr<transport::FramedConnection> own;  // none: the pass's first
    std::unique_ptr<SeedStream> carrier;
    std::size_t number = 0;  // of its own connection
    bool live = true;
  };

  Task<Result<void>> plan();
  Task<Result<void>> write();
  Task<Result<void>> commit();
  Task<Result<void>> tick();
  Task<Result<void>> carry(Stream& stream);

  void declare_chunks();
  Task<std::optional<Digest64>> offered_digest(std::uint32_t extent);
  Task<Result<void>> plan_extent(std::uint32_t extent, Digest64 offered);
  void want(ExtentArrival arrival, ExtentVerdict verdict);
  Task<Result<void>> write_extent(const ExtentArrival& arrival);
  void finish(const ExtentArrival& arrival);
  void finish(FinishedExtent extent, bool sent);

  Task<Result<void>> begin_streams();
  void add_stream(std::unique_ptr<transport::FramedConnection> own, std::size_t number);
  Task<Result<void>> open_stream();
  Task<void> open_one(std::size_t number);
  void stream_lost(std::optional<std::size_t> vacant);
  Task<Result<std::unique_ptr<transport::FramedConnection>>> join_pass(std::size_t number);
  void stream_ended(const Stream& stream, Error error);
  void tell_lost(Error error);
  void go_on_or_fail();
  void follow_growth();
  bool streams_limit() const noexcept;
  bool drained() const noexcept;

  bool room() const noexcept;
  AlignedBuffer take_buffer();
  void give_buffer_back();
  void fail(Error error);
  void close_all();
  void count_wire() noexcept;
  void sample_rate();
  bool all_believed() const;

  Parts parts_;
  Executor executor_;
  SeedWork work_;
  TaskGroup group_;
  SeedCommitter committer_;
  StreamGrowth growth_;
  std::list<Stream> streams_;  // also those that ended: their bytes count
  std::size_t opened_ = 0;     // further ones, or tried
  std::deque<std::size_t> vacant_;  // of them: what was lost and is to come back
  bool opening_ = false;
  std::optional<Error> lost_;  // the stream that ended last
  bool write_failed_ = false, commit_failed_ = false;
  int writers_;
  std::uint32_t next_chunk_ = 0;
  std::size_t buffers_out_ = 0;
  std::uint64_t wire_before_;
  std::uint64_t first_before_;  // bytes of the pass's first connection when this began
  std::deque<std::pair<Instant, std::uint64_t>> samples_;  // of done_bytes
};

}  // namespace ccr::seed
