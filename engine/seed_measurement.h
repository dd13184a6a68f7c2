// SeedMeasurement measures what a seed to a peer carries: of one database, or of several side by side, that are made for it and gone
// behind it (engine/seed_probe.h), so that no database of a user's is touched; and in the same run the link and the peer's disk alone.
//
// In order: the link, the peer's disk, making the pages, the seeds. run() completes with the report, or with the first error; stopping it
// ends all its connections, and with them the peer's part. Each seed has one connection, as with `--streams 1`; limits of seed_rate do not hold. Pages that were just written may be
// read from memory: the disk of the source is not measured. Lifetime: the context outlives run(). Threads: the node's executor. Bounds:
// databases_max, SeedProbe::probe_bytes_max, measure_seconds_max of what crosses.
#pragma once

#include <string>
#include <vector>

#include "engine/disk_measurement.h"
#include "engine/seed_probe.h"
#include "engine/ship_verdict.h"

namespace ccr::engine {

struct SeedBenchRequest {
  std::string peer, database;  // whose log's disk is used on both nodes; empty: the state directories'
  double seconds = 20;
  std::uint64_t bytes = 0;  // of each database; 0: as many as the limits carry in its part of the time
  int databases = 1;
};

struct SeededProbe {
  std::uint64_t bytes = 0, wire_bytes = 0;
  double seconds = 0;  // as the target counted them
  std::vector<std::uint64_t> slots;
  bool root_equal = false;
};

struct SeedSecond {
  double seconds = 0;
  std::uint64_t page_bytes = 0, wire_bytes = 0;  // read at the source, and on the wire
  double processors_here = -1;
};

struct SeedReport {
  double seconds = 0;
  std::uint64_t seed_rate = 0;  // what real seeds of this node are held to, and these are not; 0: nothing
  std::string directory;
  LinkRun link_one, link_four;
  DiskRow disk_there;
  double making_seconds = 0;
  std::vector<SeededProbe> databases;
  std::vector<SeedSecond> each_second;
  double seeding_seconds = 0;  // of all of them
  double processors_here = -1, processors_there = -1;
  std::uint64_t bytes() const;
  std::uint64_t wire_bytes() const;
  bool roots_equal() const;
  ShipStages stages(const std::string& here, const std::string& there) const;
};

// What each database should have so that the seeds take about `seconds`, in whole extents; pure.
std::uint64_t probe_bytes_for(double bytes_per_second, double seconds, int databases);

class SeedMeasurement {
 public:
  static constexpr int databases_max = 8;

  SeedMeasurement(NodeContext& context, SeedBenchRequest request, std::uint64_t run, MeasureProgress& progress)
      : context_(context), request_(std::move(request)), run_(run), progress_(progress) {}

  Task<Result<SeedReport>> run();

 private:
  struct Database {
    std::unique_ptr<SeedProbe> pages;
    std::unique_ptr<MeasureClient> client;
    SeededProbe seeded;
  };

  Task<Result<void>> limits(MeasureClient& client, SeedReport& report);
  Task<Result<void>> make(SeedReport& report);
  Task<Result<void>> seed_all(MeasureClient& watcher, SeedReport& report);
  Task<Result<void>> seed_one(Database& database);
  Task<Result<void>> sample(SeedReport& report);
  Task<Result<void>> seed_group(SeedReport& report);
  SeedSecond now() const;  // sums since the seeds began
  Duration share(double part) const;

  NodeContext& context_;
  SeedBenchRequest request_;
  std::uint64_t run_;
  MeasureProgress& progress_;
  std::vector<Database> databases_;
  std::size_t seeding_ = 0;
};

}  // namespace ccr::engine
