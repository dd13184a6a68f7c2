#include "engine/ship_measurement.h"

#include <algorithm>
#include <utility>

#include "engine/measure_stream.h"

namespace ccr::engine {
namespace {

// Parts of the time; together a little less than all of it.
constexpr double link_part = 0.08, disk_part = 0.08, bare_part = 0.1, one_client_part = 0.2, many_clients_part = 0.4;
constexpr int turns = 5;                             // of the bare one and of one client
constexpr std::uint32_t disk_block_bytes = 4 * MiB;  // the log's greatest group
constexpr std::uint32_t record_overhead_max = 512;   // of a commit of one page, in its blocks
constexpr Duration look_interval = std::chrono::milliseconds(50);

double rate_of(std::uint64_t bytes, double seconds) { return seconds > 0 ? static_cast<double>(bytes) / seconds : 0; }

}  // namespace

ShipStages ShipReport::stages() const {
  const double log = rate_of(many_clients.log_bytes, many_clients.seconds);
  const double wire = many_clients.wire_bytes ? rate_of(*many_clients.wire_bytes, many_clients.seconds) : log;
  const double link = static_cast<double>(std::max(link_one.bytes_per_second, link_four.bytes_per_second));
  ShipStages stages;
  stages.carriers = {{"link", wire, link},
                     {"disk of " + disk_here.node, log, disk_here.bytes_per_second()},
                     {"disk of " + disk_there.node, log, disk_there.bytes_per_second()}};
  stages.processors = {{"processor of " + disk_here.node, many_clients.processors_here, 1},
                       {"processor of " + disk_there.node, processors_there, 1}};
  return stages;
}

Duration ShipMeasurement::share(double part) const {
  return duration_of(request_.seconds * part);
}

Task<Result<ShipReport>> ShipMeasurement::run() {
  ShipReport report;
  const Instant begun = context_.clock.now();
  const Result<std::unique_ptr<MeasureClient>> client = co_await MeasureClient::connect(context_, request_.peer, run_);
  if (!client.ok()) co_return client.error();
  std::string directory = co_await probe_directory(context_, hosted_.config.name);
  const Result<std::unique_ptr<ProbeFile>> file = co_await ProbeFile::open(context_.disk, std::move(directory));
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await limits(**client, **file, report));
  CCR_CO_TRY(co_await one_client(**client, **file, report));
  const Result<transport::MeasureEnd> before = co_await (*client)->look();
  if (!before.ok()) co_return before.error();
  const Instant from = context_.clock.now();
  LoadOptions many = request_.load;
  many.seconds = request_.seconds * many_clients_part;
  Result<ShipCount> many_clients = co_await load(many, std::to_string(many.clients) + " clients");
  if (!many_clients.ok()) co_return many_clients.error();
  report.many_clients = std::move(*many_clients);
  const Result<transport::MeasureEnd> after = co_await (*client)->look();
  if (!after.ok()) co_return after.error();
  report.processors_there = processors_used(before->processor_nanoseconds, after->processor_nanoseconds, context_.clock.now() - from);
  report.seconds = seconds_of(context_.clock.now() - begun);
  co_return std::move(report);
}

Task<Result<void>> ShipMeasurement::limits(MeasureClient& client, ProbeFile& file, ShipReport& report) {
  LinkRequest link;
  link.peer = request_.peer;
  LinkMeasurement streams(context_, std::move(link), run_, progress_);
  CCR_CO_TRY(co_await streams.one_and_four(Direction::to_peer, share(link_part), report.link_one, report.link_four));
  const std::string database = hosted_.config.name;
  progress_.enter("the disk of " + context_.config.node, context_.clock.now());
  Result<transport::MeasureEnd> here = co_await probe_disk(context_.clock, file, disk_block_bytes, share(disk_part));
  if (!here.ok()) co_return here.error();
  report.disk_here = {context_.config.node, disk_block_bytes, std::move(*here)};
  progress_.enter("the disk of " + request_.peer, context_.clock.now());
  Result<transport::MeasureEnd> there = co_await client.disk(database, disk_block_bytes, share(disk_part));
  if (!there.ok()) co_return there.error();
  report.disk_there = {request_.peer, disk_block_bytes, std::move(*there)};
  co_return Result<void>();
}

Task<Result<void>> ShipMeasurement::one_client(MeasureClient& client, ProbeFile& file, ShipReport& report) {
  const std::string database = hosted_.config.name;
  const std::uint32_t page_size =
      hosted_.active && hosted_.active->ready() ? hosted_.active->digests().page_size() : hosted_.config.page_size;
  const std::uint32_t bare_bytes =
      (page_size + record_overhead_max + storage::block_bytes - 1) / storage::block_bytes * storage::block_bytes;
  LoadOptions one;
  one.pattern = LoadPattern::random;
  one.transaction_pages = one.clients = 1;
  one.seconds = request_.seconds * one_client_part / turns;
  LatencyHistogram bare;
  for (int turn = 0; turn < turns; ++turn) {
    progress_.enter("sync, round trip, sync", context_.clock.now());
    CCR_CO_TRY(co_await client.echo(bare_bytes, share(bare_part / turns), bare, &file, database));
    const Result<ShipCount> loaded = co_await load(one, "one client");
    if (!loaded.ok()) co_return loaded.error();
    report.one_client.add(*loaded);
  }
  report.bare = bare.summary();
  co_return Result<void>();
}

// In the active copy's own group: it ends with the copy, and when whoever watches it leaves.
Task<Result<ShipCount>> ShipMeasurement::load(LoadOptions options, std::string phase) {
  progress_.enter(std::move(phase), context_.clock.now());
  if (!hosted_.active || !hosted_.active->ready())
    co_return Error{ErrorKind::busy, subject_of(hosted_.config, context_.config.node) + " was dismounted", "ccr status shows why"};
  ActiveCopy& active = *hosted_.active;
  ShipLoad::WireBytes wire_bytes = [&hosted = hosted_, key = std::pair(request_.peer, static_cast<int>(transport::Purpose::log))] {
    const auto connection = hosted.connections.find(key);
    const bool none = connection == hosted.connections.end() || connection->second.empty();
    return none ? std::nullopt : connection->second.back()->facts().bytes_delivered;
  };
  const auto shipped = std::make_shared<ShipLoad>(active, request_.peer, options, std::move(wire_bytes));
  struct Leave {
    ShipLoad& load;
    ~Leave() { load.leave(); }
  } leave{*shipped};
  active.group().spawn(ShipLoad::work(shipped));
  while (!shipped->ended()) {
    co_await context_.clock.sleep(look_interval);
    progress_.bytes = shipped->page_bytes();
  }
  co_return shipped->outcome();
}

}  // namespace ccr::engine
