// TuneMeasurement finds what the connections to a peer should be given: it measures them as they are configured, tries other
// congestion controls and several streams, applies the best of it to connections of its own, and measures again.
//
// run() completes with the report, or with the first error. Nothing but its own connections is changed. decide_tuning() is pure: a
// change is advised where it carries advised_gain_min times as much, as less is noise; and what does
// not carry proven_gain_min times as much when it is measured again was noise too, and is told as such. Lifetime: the context
// outlives run(). Threads: the node's executor. Bounds: measure_seconds_max in all.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "engine/link_measurement.h"

namespace ccr::engine {

inline constexpr double advised_gain_min = 1.15;
inline constexpr double proven_gain_min = 1.05;  // of what was advised, measured again
inline constexpr int tuned_streams = 4;

struct TuneRequest {
  std::string peer;
  double seconds = 20;
  double head_room = 2;  // the window as a multiple of rate x round trip
};

// What is advised for one direction; it is in force at the end that sends, but for the window, which is the receiver's.
struct TuneAdvice {
  transport::MeasureCongestion congestion = transport::MeasureCongestion::as_configured;
  int streams = 1;
  std::uint64_t window = 0;  // 0: as configured
  bool changes() const noexcept { return congestion != transport::MeasureCongestion::as_configured || streams > 1 || window > 0; }
};

// One direction: as configured, each congestion control that was tried, several streams, and after the advice.
struct TuneDirection {
  LinkRun before;
  std::vector<LinkRun> tried;  // one stream each; a congestion control that its sender does not have is not among them
  std::optional<LinkRun> several;
  TuneAdvice advice;
  LinkRun after;
  std::uint64_t limit() const;  // the most that any run carried
  bool proven() const;          // nothing was advised, or it carried more when it was measured again
};

struct TuneReport {
  double seconds = 0;
  transport::Endpoint path;
  LatencySummary round_trip;
  double kernel_round_trip_seconds = 0;
  TuneDirection to_peer, from_peer;
};

// Of what was measured but `after`. `round_trip`: without load.
TuneAdvice decide_tuning(const TuneDirection& measured, Duration round_trip, double head_room);

class TuneMeasurement {
 public:
  TuneMeasurement(NodeContext& context, TuneRequest request, std::uint64_t run, MeasureProgress& progress)
      : context_(context), request_(std::move(request)), run_(run), progress_(progress) {}

  Task<Result<TuneReport>> run();

 private:
  Task<Result<LinkRun>> measure(Direction direction, int streams, MeasureWish wish);
  Task<Result<void>> before_and_tried(Direction direction, TuneDirection& measured);
  Task<Result<void>> after(Direction direction, TuneDirection& measured, Duration round_trip);

  NodeContext& context_;
  TuneRequest request_;
  std::uint64_t run_;
  MeasureProgress& progress_;
};

}  // namespace ccr::engine
