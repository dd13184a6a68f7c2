// LinkMeasurement finds what the link to a peer carries: round trips first, then one and several streams in each direction.
//
// run() completes with the report, or with the first error; stopping it ends all its connections, and with them the peer's part.
// What is known so far is in progress(). Lifetime: the context outlives run(). Threads: the node's executor. Bounds:
// measure_seconds_max in all, streams_max at a time.
#pragma once

#include <string>
#include <vector>

#include "engine/measure_client.h"
#include "engine/measure_service.h"

namespace ccr::engine {

inline constexpr double measure_seconds_min = 1, measure_seconds_max = 60;
inline constexpr std::uint32_t echo_bytes = 64;  // of a round trip

struct LinkRequest {
  std::string peer;
  double seconds = 10;
  std::vector<int> streams = {1, 2, 4};
  std::uint64_t bytes_max = 0;  // of each stream; 0: no limit
  MeasureWish wish;
};

enum class Direction { to_peer, from_peer };

// Of several streams side by side in one direction.
struct LinkRun {
  Direction direction = Direction::to_peer;
  int streams = 0;
  std::uint64_t bytes = 0;             // that arrived
  std::uint64_t bytes_per_second = 0;  // behind the warm-up, of all streams together
  double seconds = 0;
  std::vector<std::uint64_t> slots;                     // bytes of each transport::measure_slot, of all streams together
  double processor_here = 0, processor_there = 0;       // processors that each node used; below 0: not known
  std::string congestion;                               // of the first stream's sender; empty: not known
  std::uint64_t retransmits = 0;                        // segments that the senders sent again
  std::vector<transport::ConnectionFacts> connections;  // this node's ends, at the end
};

struct LinkReport {
  double seconds = 0;
  transport::Endpoint path;
  LatencySummary round_trip;
  double kernel_round_trip_seconds = 0;  // 0: not known
  std::vector<LinkRun> runs;
  const LinkRun* best(Direction direction) const;             // nullptr: none ran
  const LinkRun* of(Direction direction, int streams) const;  // nullptr: none ran
};

// What a measurement tells while it runs.
struct MeasureProgress {
  std::string phase;
  Instant begun;
  std::uint64_t bytes = 0;  // of the phase
  void enter(std::string next, Instant now) { phase = std::move(next), begun = now, bytes = 0; }
};

class LinkMeasurement {
 public:
  static constexpr int streams_max = 8;

  // `run`: of the whole measurement; whoever calls holds its turn.
  LinkMeasurement(NodeContext& context, LinkRequest request, std::uint64_t run, MeasureProgress& progress)
      : context_(context), request_(std::move(request)), run_(run), progress_(progress) {}

  Task<Result<LinkReport>> run();
  Task<Result<LinkRun>> stream(Direction direction, int streams, Duration how_long);
  // What a link is said to carry where that is not the question itself: with one stream, then with four.
  Task<Result<void>> one_and_four(Direction direction, Duration each, LinkRun& one, LinkRun& four);

 private:
  Task<Result<void>> round_trips(MeasureClient& client, Duration how_long, LinkReport& report);
  Task<Result<void>> one_stream(MeasureClient& client, Direction direction, StreamPlan plan, LinkRun& run);

  NodeContext& context_;
  LinkRequest request_;
  std::uint64_t run_;
  MeasureProgress& progress_;
};

}  // namespace ccr::engine
