// SeedStream is one connection of a transfer: it asks for what the transfer's work has waiting, and takes what comes.
//
// Completion of run(): ok once all is over, or once it was retired and nothing is owed to it. Failure: disconnected, timeout (it owes an
// answer for seed_silence_max, or for 10 s
// while much comes over others, or for 5 s after another was lost by the link), refused, diverged, protocol; the connection is closed then, and whatever it was asked for waits in the work
// again, as if it had never been asked: another stream takes it, or the next run. Lifetime: work and connection outlive it; run() once.
// Threads: the node's executor only. Bounds: work.in_flight_of_each() extents.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/task_group.h"
#include "seed/seed_work.h"
#include "transport/framed_connection.h"
#include "transport/page_packing.h"

namespace ccr::seed {

class SeedStream {
 public:
  SeedStream(const Executor& executor, SeedWork& work, transport::FramedConnection& connection);

  Task<Result<void>> run();
  void retire();  // asks for nothing new
  void close() { connection_.close(); }
  std::uint64_t wire_bytes() const noexcept;      // both directions, since it was made
  std::uint64_t received_bytes() const noexcept;  // of them
  void check_silence();                           // now and then
  void suspect();                                 // another was lost by the link: less patience, until something is heard
  bool pacing() const noexcept { return pacing_; }
  bool retired() const noexcept { return retired_; }

 private:
  Task<Result<void>> ask();
  Task<Result<void>> receive();
  Task<void> pace(std::uint64_t bytes);
  std::optional<transport::Message> next_ask();
  std::optional<transport::Message> ask_for_digests();
  transport::Message ask_for_extent();
  Task<Result<void>> take(transport::Message message);
  Result<void> take_extent_digests(transport::ExtentDigests message);
  Result<void> take_page_digests(const transport::PageDigestList& message);
  Task<Result<void>> take_packed(const transport::ExtentPacked& message);
  Result<void> take_pages(const transport::ExtentPages& message);
  void complete(std::uint32_t extent);
  bool leaves() const noexcept;
  Duration silence_max() const noexcept;
  void fail(Error error);
  void give_back();

  SeedWork& work_;
  transport::FramedConnection& connection_;
  TaskGroup group_;
  InlineCpuPool own_cpu_;
  transport::PageUnpacker unpacker_;
  std::optional<Error> failure_;
  bool retired_ = false, pacing_ = false, suspected_ = false;
  std::size_t owed_ = 0;                         // answers that will come
  std::vector<std::uint32_t> chunks_;            // asked for here, by their first extent
  std::map<std::uint32_t, WantedExtent> asked_;  // asked for here, not complete
  std::deque<std::uint32_t> narrowed_;           // of them: their page digests came, their pages are to be asked for
  std::uint64_t sent_before_, received_before_;
  std::uint64_t heard_bytes_ = 0, arrived_then_ = 0;
  Instant heard_at_;
};

}  // namespace ccr::seed
