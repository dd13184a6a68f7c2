#include "engine/disk_measurement.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {
namespace {

double per_second(double count, std::uint64_t nanoseconds) {
  return nanoseconds > 0 ? count * 1e9 / static_cast<double>(nanoseconds) : 0;
}

}  // namespace

double DiskRow::bytes_per_second() const { return per_second(static_cast<double>(counted.bytes), counted.nanoseconds); }
double DiskRow::syncs_per_second() const { return per_second(static_cast<double>(counted.latency.count), counted.nanoseconds); }

double DiskReport::most_of(const std::string& node) const {
  double most = 0;
  for (const DiskRow& row : rows) {
    if (row.node == node) most = std::max(most, row.bytes_per_second());
  }
  return most;
}

Task<Result<DiskReport>> DiskMeasurement::run() {
  DiskReport report;
  const Instant begun = context_.clock.now();
  std::unique_ptr<MeasureClient> client;
  if (!request_.peer.empty()) {
    Result<std::unique_ptr<MeasureClient>> connected = co_await MeasureClient::connect(context_, request_.peer, run_);
    if (!connected.ok()) co_return connected.error();
    client = std::move(*connected);
  }
  report.directory = co_await probe_directory(context_, request_.database);
  Result<std::unique_ptr<ProbeFile>> file = co_await ProbeFile::open(context_.disk, report.directory);
  if (!file.ok()) co_return file.error();
  const double steps = static_cast<double>(std::size(probed_block_bytes)) * (client ? 2 : 1);
  const Duration each = duration_of(request_.seconds / steps);
  for (const std::uint32_t block_bytes : probed_block_bytes) {
    Result<DiskRow> row = co_await here(**file, block_bytes, each);
    if (!row.ok()) co_return row.error();
    report.rows.push_back(std::move(*row));
    if (!client) continue;
    Result<DiskRow> theirs = co_await there(*client, block_bytes, each);
    if (!theirs.ok()) co_return theirs.error();
    report.rows.push_back(std::move(*theirs));
  }
  report.seconds = std::chrono::duration<double>(context_.clock.now() - begun).count();
  co_return std::move(report);
}

void DiskMeasurement::enter(const std::string& node, std::uint32_t block_bytes) {
  progress_.enter(std::to_string(block_bytes / KiB) + " KiB and a sync on " + node, context_.clock.now());
}

Task<Result<DiskRow>> DiskMeasurement::here(ProbeFile& file, std::uint32_t block_bytes, Duration how_long) {
  enter(context_.config.node, block_bytes);
  Result<transport::MeasureEnd> counted = co_await probe_disk(context_.clock, file, block_bytes, how_long);
  if (!counted.ok()) co_return counted.error();
  co_return DiskRow{context_.config.node, block_bytes, std::move(*counted)};
}

Task<Result<DiskRow>> DiskMeasurement::there(MeasureClient& client, std::uint32_t block_bytes, Duration how_long) {
  enter(request_.peer, block_bytes);
  Result<transport::MeasureEnd> counted = co_await client.disk(request_.database, block_bytes, how_long);
  if (!counted.ok()) co_return counted.error();
  co_return DiskRow{request_.peer, block_bytes, std::move(*counted)};
}

}  // namespace ccr::engine
