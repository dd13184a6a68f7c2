#include "engine/seed_measurement.h"

#include <algorithm>
#include <utility>

#include "engine/measure_stream.h"

namespace ccr::engine {
namespace {

// Parts of the time.
constexpr double link_part = 0.1, disk_part = 0.1, seed_part = 0.6;
constexpr std::uint32_t disk_block_bytes = 4 * MiB;
constexpr Duration sample_interval = std::chrono::seconds(1), look_interval = std::chrono::milliseconds(50);
constexpr Duration seed_time_max = std::chrono::seconds(60);  // of one that is as large as somebody wishes
static_assert(seed_time_max <= std::chrono::milliseconds(transport::measure_milliseconds_max));
static_assert(seed_time_max < MeasureService::connection_life_max);

double rate_of(std::uint64_t bytes, double seconds) { return seconds > 0 ? static_cast<double>(bytes) / seconds : -1; }

}  // namespace

std::uint64_t SeedReport::bytes() const {
  std::uint64_t sum = 0;
  for (const SeededProbe& each : databases) sum += each.bytes;
  return sum;
}

std::uint64_t SeedReport::wire_bytes() const {
  std::uint64_t sum = 0;
  for (const SeededProbe& each : databases) sum += each.wire_bytes;
  return sum;
}

bool SeedReport::roots_equal() const {
  return std::all_of(databases.begin(), databases.end(), [](const SeededProbe& each) { return each.root_equal; });
}

ShipStages SeedReport::stages(const std::string& here, const std::string& there) const {
  ShipStages stages;
  const double link = static_cast<double>(std::max(link_one.bytes_per_second, link_four.bytes_per_second));
  stages.carriers = {{"link", rate_of(wire_bytes(), seeding_seconds), link},
                     {"disk of " + there, rate_of(bytes(), seeding_seconds), disk_there.bytes_per_second()}};
  stages.processors = {{"processor of " + here, processors_here, 1}, {"processor of " + there, processors_there, 1}};
  return stages;
}

std::uint64_t probe_bytes_for(double bytes_per_second, double seconds, int databases) {
  constexpr double least = 16 * static_cast<double>(MiB);  // below it a seed is over before it has its speed
  constexpr double most = static_cast<double>(SeedProbe::probe_bytes_max);
  const double each = std::clamp(bytes_per_second * seconds / std::max(databases, 1), least, most / std::max(databases, 1));
  return static_cast<std::uint64_t>(each) / storage::extent_bytes * storage::extent_bytes;
}

Duration SeedMeasurement::share(double part) const {
  return duration_of(request_.seconds * part);
}

Task<Result<SeedReport>> SeedMeasurement::run() {
  SeedReport report;
  report.seed_rate = context_.config.transport.seed_bytes_per_second;
  const Instant begun = context_.clock.now();
  const Result<std::unique_ptr<MeasureClient>> watcher = co_await MeasureClient::connect(context_, request_.peer, run_);
  if (!watcher.ok()) co_return watcher.error();
  CCR_CO_TRY(co_await limits(**watcher, report));
  CCR_CO_TRY(co_await make(report));
  // The watcher's life goes on while pages are made; a new one sees the seeds to their end.
  const Result<std::unique_ptr<MeasureClient>> second = co_await MeasureClient::connect(context_, request_.peer, run_);
  if (!second.ok()) co_return second.error();
  CCR_CO_TRY(co_await seed_all(**second, report));
  report.seconds = seconds_of(context_.clock.now() - begun);
  co_return std::move(report);
}

Task<Result<void>> SeedMeasurement::limits(MeasureClient& client, SeedReport& report) {
  LinkRequest link;
  link.peer = request_.peer;
  LinkMeasurement streams(context_, std::move(link), run_, progress_);
  CCR_CO_TRY(co_await streams.one_and_four(Direction::to_peer, share(link_part), report.link_one, report.link_four));
  progress_.enter("the disk of " + request_.peer, context_.clock.now());
  Result<transport::MeasureEnd> there = co_await client.disk(request_.database, disk_block_bytes, share(disk_part));
  if (!there.ok()) co_return there.error();
  report.disk_there = {request_.peer, disk_block_bytes, std::move(*there)};
  co_return Result<void>();
}

Task<Result<void>> SeedMeasurement::make(SeedReport& report) {
  progress_.enter("making pages", context_.clock.now());
  const Instant begun = context_.clock.now();
  report.directory = co_await probe_directory(context_, request_.database);
  const double link = static_cast<double>(std::max(report.link_one.bytes_per_second, report.link_four.bytes_per_second));
  const double slower = std::min(link, report.disk_there.bytes_per_second());
  std::uint64_t bytes = probe_bytes_for(slower, request_.seconds * seed_part, request_.databases);
  if (request_.bytes > 0) bytes = (request_.bytes + storage::extent_bytes - 1) / storage::extent_bytes * storage::extent_bytes;
  CCR_CO_TRY(co_await check_probe_room(context_.disk, report.directory, bytes * static_cast<std::uint64_t>(request_.databases)));
  for (int i = 0; i < request_.databases; ++i) {
    std::string directory = report.directory;
    std::string name = "made-" + to_hex(run_) + "-" + std::to_string(i);
    Result<std::unique_ptr<SeedProbe>> pages = co_await SeedProbe::make(context_, std::move(directory), std::move(name), bytes);
    if (!pages.ok()) co_return pages.error();
    Database database;
    database.pages = std::move(*pages);
    databases_.push_back(std::move(database));
    progress_.bytes += bytes;
  }
  report.making_seconds = seconds_of(context_.clock.now() - begun);
  co_return Result<void>();
}

Task<Result<void>> SeedMeasurement::seed_one(Database& database) {
  const std::uint64_t before = database.client->wire_bytes();
  Result<transport::MeasureEnd> end = co_await database.client->seed(*database.pages, seed_time_max, request_.database);
  if (!end.ok()) co_return end.error();
  database.seeded.bytes = end->bytes;
  database.seeded.wire_bytes = database.client->wire_bytes() - before;
  database.seeded.seconds = static_cast<double>(end->nanoseconds) / 1e9;
  database.seeded.root_equal = end->root == database.pages->root();
  database.seeded.slots = std::move(end->slots);
  --seeding_;
  co_return Result<void>();
}

SeedSecond SeedMeasurement::now() const {
  SeedSecond sums;
  for (const Database& database : databases_) {
    sums.page_bytes += database.pages->bytes_read();
    sums.wire_bytes += database.client->wire_bytes();
  }
  return sums;
}

// Ends behind the last of them.
Task<Result<void>> SeedMeasurement::sample(SeedReport& report) {
  SeedSecond before = now();
  Instant from = context_.clock.now();
  std::uint64_t processor = processor_nanoseconds(context_.clock);
  while (seeding_ > 0) {
    co_await context_.clock.sleep(look_interval);
    const Instant at = context_.clock.now();
    const SeedSecond sums = now();
    progress_.bytes = sums.page_bytes;
    if (at - from < sample_interval && seeding_ > 0) continue;
    const std::uint64_t used = processor_nanoseconds(context_.clock);
    report.each_second.push_back({seconds_of(at - from), sums.page_bytes - before.page_bytes, sums.wire_bytes - before.wire_bytes,
                                  processors_used(processor, used, at - from)});
    before = sums;
    from = at;
    processor = used;
  }
  co_return Result<void>();
}

Task<Result<void>> SeedMeasurement::seed_group(SeedReport& report) {
  TaskGroup group(context_.executor);
  seeding_ = databases_.size();
  for (Database& database : databases_) group.spawn(seed_one(database));
  group.spawn(sample(report));
  co_return co_await group.join();
}

Task<Result<void>> SeedMeasurement::seed_all(MeasureClient& watcher, SeedReport& report) {
  for (Database& database : databases_) {
    Result<std::unique_ptr<MeasureClient>> client = co_await MeasureClient::connect(context_, request_.peer, run_);
    if (!client.ok()) co_return client.error();
    database.client = std::move(*client);
  }
  const std::string what = request_.databases == 1 ? "a seed of " : std::to_string(request_.databases) + " seeds of ";
  const Result<transport::MeasureEnd> there = co_await watcher.look();
  if (!there.ok()) co_return there.error();
  const std::uint64_t here = processor_nanoseconds(context_.clock);
  const Instant begun = context_.clock.now();
  progress_.enter(what + std::to_string(databases_.front().pages->bytes() / MiB) + " MiB", begun);
  CCR_CO_TRY(co_await seed_group(report));
  const Duration elapsed = context_.clock.now() - begun;
  const std::uint64_t here_after = processor_nanoseconds(context_.clock);
  const Result<transport::MeasureEnd> there_after = co_await watcher.look();
  if (!there_after.ok()) co_return there_after.error();
  report.processors_here = processors_used(here, here_after, elapsed);
  report.processors_there = processors_used(there->processor_nanoseconds, there_after->processor_nanoseconds, elapsed);
  for (Database& database : databases_) {
    report.seeding_seconds = std::max(report.seeding_seconds, database.seeded.seconds);
    report.databases.push_back(std::move(database.seeded));
  }
  co_return Result<void>();
}

}  // namespace ccr::engine
