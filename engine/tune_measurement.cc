#include "engine/tune_measurement.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

using transport::MeasureCongestion;

namespace {

constexpr std::array<MeasureCongestion, 3> tried_congestion{MeasureCongestion::cubic, MeasureCongestion::bbr,
                                                            MeasureCongestion::reno};
constexpr int steps_of_direction = 1 + static_cast<int>(tried_congestion.size()) + 1 + 1;  // before, each, several streams, after
constexpr double tune_echo_share = 0.05;  // of the time

bool is_better(const LinkRun& run, const LinkRun& than) {
  return static_cast<double>(run.bytes_per_second) >= advised_gain_min * static_cast<double>(than.bytes_per_second);
}

}  // namespace

std::uint64_t TuneDirection::limit() const {
  std::uint64_t most = std::max(before.bytes_per_second, after.bytes_per_second);
  for (const LinkRun& run : tried) most = std::max(most, run.bytes_per_second);
  return several ? std::max(most, several->bytes_per_second) : most;
}

bool TuneDirection::proven() const {
  return !advice.changes() ||
         static_cast<double>(after.bytes_per_second) >= proven_gain_min * static_cast<double>(before.bytes_per_second);
}

TuneAdvice decide_tuning(const TuneDirection& measured, Duration round_trip, double head_room) {
  TuneAdvice advice;
  const LinkRun* best = &measured.before;
  for (const LinkRun& run : measured.tried) {
    if (!is_better(run, measured.before) || run.bytes_per_second <= best->bytes_per_second) continue;
    best = &run;
    advice.congestion = congestion_of(run.congestion).value_or(MeasureCongestion::as_configured);
  }
  if (measured.several && is_better(*measured.several, *best)) advice.streams = measured.several->streams;
  // auto follows the path by itself; a size that was set by hand may be too small for it.
  const bool by_hand = !measured.before.connections.empty() && measured.before.connections.front().window_asked > 0;
  const double seconds = std::chrono::duration<double>(round_trip).count();
  const double wanted = static_cast<double>(measured.limit()) * seconds * head_room;
  if (by_hand && wanted > static_cast<double>(measured.before.connections.front().window_asked))
    advice.window = static_cast<std::uint64_t>(std::min(wanted, static_cast<double>(transport::measure_window_max)));
  return advice;
}

Task<Result<LinkRun>> TuneMeasurement::measure(Direction direction, int streams, MeasureWish wish) {
  LinkRequest link;
  link.peer = request_.peer;
  link.wish = wish;
  LinkMeasurement measurement(context_, std::move(link), run_, progress_);
  const double seconds = request_.seconds * (1 - tune_echo_share) / (2 * steps_of_direction);
  const Duration each = duration_of(seconds);
  co_return co_await measurement.stream(direction, streams, each);
}

Task<Result<TuneReport>> TuneMeasurement::run() {
  TuneReport report;
  const Instant begun = context_.clock.now();
  const Result<std::unique_ptr<MeasureClient>> client = co_await MeasureClient::connect(context_, request_.peer, run_);
  if (!client.ok()) co_return client.error();
  progress_.enter("round trips to " + request_.peer, begun);
  LatencyHistogram round_trips;
  const Duration echo_time = duration_of(request_.seconds * tune_echo_share);
  CCR_CO_TRY(co_await (*client)->echo(echo_bytes, echo_time, round_trips));
  report.round_trip = round_trips.summary();
  report.kernel_round_trip_seconds = (*client)->facts().rtt_seconds;
  report.path = (*client)->peer();
  const Duration round_trip = std::chrono::microseconds(report.round_trip.p50);
  CCR_CO_TRY(co_await before_and_tried(Direction::to_peer, report.to_peer));
  CCR_CO_TRY(co_await before_and_tried(Direction::from_peer, report.from_peer));
  CCR_CO_TRY(co_await after(Direction::to_peer, report.to_peer, round_trip));
  CCR_CO_TRY(co_await after(Direction::from_peer, report.from_peer, round_trip));
  report.seconds = std::chrono::duration<double>(context_.clock.now() - begun).count();
  co_return std::move(report);
}

Task<Result<void>> TuneMeasurement::before_and_tried(Direction direction, TuneDirection& measured) {
  Result<LinkRun> before = co_await measure(direction, 1, {});
  if (!before.ok()) co_return before.error();
  measured.before = std::move(*before);
  for (const MeasureCongestion congestion : tried_congestion) {
    MeasureWish wish;
    wish.congestion = congestion;
    Result<LinkRun> run = co_await measure(direction, 1, wish);
    if (!run.ok()) co_return run.error();
    if (run->congestion == name_of(congestion)) measured.tried.push_back(std::move(*run));
  }
  Result<LinkRun> several = co_await measure(direction, tuned_streams, {});
  if (!several.ok()) co_return several.error();
  measured.several = std::move(*several);
  co_return Result<void>();
}

Task<Result<void>> TuneMeasurement::after(Direction direction, TuneDirection& measured, Duration round_trip) {
  measured.advice = decide_tuning(measured, round_trip, request_.head_room);
  const MeasureWish wish{measured.advice.window, measured.advice.congestion};
  Result<LinkRun> after = co_await measure(direction, measured.advice.streams, wish);
  if (!after.ok()) co_return after.error();
  measured.after = std::move(*after);
  co_return Result<void>();
}

}  // namespace ccr::engine
