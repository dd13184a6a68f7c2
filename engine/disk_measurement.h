// DiskMeasurement finds what the disk of a log takes: blocks of several sizes, each written and synced before the next, on this
// node, and on a peer's where one is named; one after the other, as two nodes may share a disk.
//
// run() completes with the report, or with the first error. Nothing is left on a disk (engine/probe_file.h). Lifetime: the context
// outlives run(). Threads: the node's executor. Bounds: measure_seconds_max in all.
#pragma once

#include <string>
#include <vector>

#include "engine/link_measurement.h"

namespace ccr::engine {

// From what a small commit makes of the log up to the most that it syncs at once.
inline constexpr std::uint32_t probed_block_bytes[] = {4 * KiB, 64 * KiB, 1 * MiB, 4 * MiB};

struct DiskRequest {
  std::string database;  // empty: the state directory's disk
  std::string peer;      // empty: this node only
  double seconds = 8;
};

struct DiskRow {
  std::string node;
  std::uint32_t block_bytes = 0;
  transport::MeasureEnd counted;
  double bytes_per_second() const;
  double syncs_per_second() const;
};

struct DiskReport {
  double seconds = 0;
  std::string directory;  // of this node
  std::vector<DiskRow> rows;
  double most_of(const std::string& node) const;  // bytes per second, of the size that gave most
};

class DiskMeasurement {
 public:
  DiskMeasurement(NodeContext& context, DiskRequest request, std::uint64_t run, MeasureProgress& progress)
      : context_(context), request_(std::move(request)), run_(run), progress_(progress) {}

  Task<Result<DiskReport>> run();

 private:
  Task<Result<DiskRow>> here(ProbeFile& file, std::uint32_t block_bytes, Duration how_long);
  Task<Result<DiskRow>> there(MeasureClient& client, std::uint32_t block_bytes, Duration how_long);
  void enter(const std::string& node, std::uint32_t block_bytes);

  NodeContext& context_;
  DiskRequest request_;
  std::uint64_t run_;
  MeasureProgress& progress_;
};

}  // namespace ccr::engine
