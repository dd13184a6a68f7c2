// ShipMeasurement measures the whole pipe of one page store: append, sync, ship, sync on a passive copy, acknowledge; and in the
// same run each of its limits alone, so that the rate is a share of something.
//
// In order: the link to the peer, the disk here, the disk there, then in turns a bare 'sync, round trip, sync' without any engine and one
// client, since a disk is not as fast a second later as it was, and many clients. run() completes with the report, or with the first
// error; stopping it ends the load at its next turn. Lifetime: the context and the hosted copy outlive run(); its load lives in the active copy's group. Threads: the node's executor. Bounds:
// measure_seconds_max in all but for ShipLoad::answer_max after each load.
#pragma once

#include <memory>
#include <string>

#include "engine/disk_measurement.h"
#include "engine/node.h"
#include "engine/ship_load.h"
#include "engine/ship_verdict.h"

namespace ccr::engine {

struct ShipRequest {
  std::string peer;
  double seconds = 20;
  LoadOptions load;  // of many clients; its seconds are not used
};

struct ShipReport {
  double seconds = 0;
  LinkRun link_one, link_four;
  DiskRow disk_here, disk_there;
  LatencySummary bare;  // sync here, round trip, sync there
  ShipCount one_client, many_clients;
  double processors_there = -1;  // of many_clients
  ShipStages stages() const;     // of many_clients
};

class ShipMeasurement {
 public:
  ShipMeasurement(NodeContext& context, Hosted& hosted, ShipRequest request, std::uint64_t run, MeasureProgress& progress)
      : context_(context), hosted_(hosted), request_(std::move(request)), run_(run), progress_(progress) {}

  Task<Result<ShipReport>> run();

 private:
  Task<Result<void>> limits(MeasureClient& client, ProbeFile& file, ShipReport& report);
  Task<Result<void>> one_client(MeasureClient& client, ProbeFile& file, ShipReport& report);
  Task<Result<ShipCount>> load(LoadOptions options, std::string phase);
  Duration share(double part) const;

  NodeContext& context_;
  Hosted& hosted_;
  ShipRequest request_;
  std::uint64_t run_;
  MeasureProgress& progress_;
};

}  // namespace ccr::engine
