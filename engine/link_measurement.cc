#include "engine/link_measurement.h"

#include <algorithm>
#include <utility>

#include "base/task_group.h"
#include "engine/measure_stream.h"

namespace ccr::engine {
namespace {

constexpr double echo_share = 0.1;  // of the time
constexpr double echo_seconds_max = 1;

}  // namespace

const LinkRun* LinkReport::best(Direction direction) const {
  const LinkRun* found = nullptr;
  for (const LinkRun& run : runs) {
    if (run.direction == direction && (found == nullptr || run.bytes_per_second > found->bytes_per_second)) found = &run;
  }
  return found;
}

const LinkRun* LinkReport::of(Direction direction, int streams) const {
  const auto found = std::find_if(runs.begin(), runs.end(),
                                  [&](const LinkRun& run) { return run.direction == direction && run.streams == streams; });
  return found == runs.end() ? nullptr : &*found;
}

Task<Result<LinkReport>> LinkMeasurement::run() {
  LinkReport report;
  const Instant begun = context_.clock.now();
  const double echo_seconds = std::min(request_.seconds * echo_share, echo_seconds_max);
  // Open to the end, so that the peer takes part in no other measurement between two runs.
  const Result<std::unique_ptr<MeasureClient>> client =
      co_await MeasureClient::connect(context_, request_.peer, run_, request_.wish);
  if (!client.ok()) co_return client.error();
  CCR_CO_TRY(co_await round_trips(**client, duration_of(echo_seconds), report));
  const double each = (request_.seconds - echo_seconds) / static_cast<double>(2 * request_.streams.size());
  for (const int streams : request_.streams) {
    for (const Direction direction : {Direction::to_peer, Direction::from_peer}) {
      Result<LinkRun> run = co_await stream(direction, streams, duration_of(each));
      if (!run.ok()) co_return run.error();
      report.runs.push_back(std::move(*run));
    }
  }
  report.seconds = std::chrono::duration<double>(context_.clock.now() - begun).count();
  co_return std::move(report);
}

Task<Result<void>> LinkMeasurement::round_trips(MeasureClient& client, Duration how_long, LinkReport& report) {
  progress_.enter("round trips to " + request_.peer, context_.clock.now());
  LatencyHistogram round_trips;
  CCR_CO_TRY(co_await client.echo(echo_bytes, how_long, round_trips));
  report.round_trip = round_trips.summary();
  report.kernel_round_trip_seconds = client.facts().rtt_seconds;
  report.path = client.peer();
  co_return Result<void>();
}

Task<Result<LinkRun>> LinkMeasurement::stream(Direction direction, int streams, Duration how_long) {
  const bool out = direction == Direction::to_peer;
  const std::string way = out ? "to " : "from ";
  progress_.enter(std::to_string(streams) + (streams == 1 ? " stream " : " streams ") + way + request_.peer, context_.clock.now());
  LinkRun run;
  run.direction = direction;
  run.streams = streams;
  std::vector<std::unique_ptr<MeasureClient>> clients;
  for (int i = 0; i < streams; ++i) {
    Result<std::unique_ptr<MeasureClient>> client = co_await MeasureClient::connect(context_, request_.peer, run_, request_.wish);
    if (!client.ok()) co_return client.error();
    clients.push_back(std::move(*client));
  }
  const Result<transport::MeasureEnd> there = co_await clients.front()->look();
  if (!there.ok()) co_return there.error();
  const std::uint64_t here = processor_nanoseconds(context_.clock);
  const Instant begun = context_.clock.now();
  progress_.begun = begun;
  StreamPlan plan;
  plan.how_long = how_long;
  plan.bytes_max = request_.bytes_max;
  TaskGroup group(context_.executor);
  for (const std::unique_ptr<MeasureClient>& client : clients) group.spawn(one_stream(*client, direction, plan, run));
  CCR_CO_TRY(co_await group.join());
  const std::uint64_t here_after = processor_nanoseconds(context_.clock);
  const Result<transport::MeasureEnd> there_after = co_await clients.front()->look();
  if (!there_after.ok()) co_return there_after.error();
  const Duration elapsed = context_.clock.now() - begun;
  run.seconds = std::chrono::duration<double>(elapsed).count();
  run.processor_here = processors_used(here, here_after, elapsed);
  run.processor_there = processors_used(there->processor_nanoseconds, there_after->processor_nanoseconds, elapsed);
  for (const std::unique_ptr<MeasureClient>& client : clients) run.connections.push_back(client->facts());
  co_return std::move(run);
}

Task<Result<void>> LinkMeasurement::one_stream(MeasureClient& client, Direction direction, StreamPlan plan, LinkRun& run) {
  Counting counting = [this](std::uint64_t bytes) { progress_.bytes += bytes; };
  Result<transport::MeasureEnd> counted(transport::MeasureEnd{});
  if (direction == Direction::to_peer) {
    counted = co_await client.send(plan, std::move(counting));
  } else {
    counted = co_await client.receive(plan, std::move(counting));
  }
  if (!counted.ok()) co_return counted.error();
  if (counted->nanoseconds > 0)
    run.bytes_per_second += static_cast<std::uint64_t>(double(counted->bytes) * 1e9 / double(counted->nanoseconds));
  run.congestion = counted->congestion;
  run.retransmits += counted->retransmits;
  const std::vector<std::uint64_t>& slots = counted->slots;
  if (run.slots.size() < slots.size()) run.slots.resize(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    run.slots[i] += slots[i];
    run.bytes += slots[i];
  }
  co_return Result<void>();
}

Task<Result<void>> LinkMeasurement::one_and_four(Direction direction, Duration each, LinkRun& one, LinkRun& four) {
  constexpr int several = 4;
  Result<LinkRun> alone = co_await stream(direction, 1, each);
  if (!alone.ok()) co_return alone.error();
  one = std::move(*alone);
  Result<LinkRun> together = co_await stream(direction, several, each);
  if (!together.ok()) co_return together.error();
  four = std::move(*together);
  co_return Result<void>();
}

}  // namespace ccr::engine
