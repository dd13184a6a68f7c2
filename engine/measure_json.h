// What measurements say in JSON, all in one shape, so that one page can draw any of them (`ccr report`). Pure.
//
// schema, kind, when, node, peer, seconds, host; series: names, unit, interval_seconds, values; percentiles: name, unit, count,
// least, p50, p90, p99, p999, most; limits: name, bytes_per_second; shares: name, of, share; verdict: text. Beside these what is a
// kind's own.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/seed_measurement.h"
#include "engine/ship_measurement.h"
#include "engine/tune_measurement.h"

namespace ccr::engine {

struct MeasuredBy {
  std::string node, peer;
  WallTime when;
  std::string disk;  // the Disk's name
};

nlohmann::json measured(const char* kind, const MeasuredBy& by, double seconds);  // with empty lists
nlohmann::json percentiles_json(const std::string& name, const LatencySummary& latency);
nlohmann::json series_json(const std::string& name, const char* unit, double interval_seconds, nlohmann::json values);
nlohmann::json share_json(const std::string& name, const std::string& of, double part, double whole);
nlohmann::json processors_json(double processors);  // null where not known

nlohmann::json link_json(const MeasuredBy& by, const LinkReport& report);
nlohmann::json link_run_json(const MeasuredBy& by, const LinkRun& run);
std::string name_of(const MeasuredBy& by, Direction direction);  // alpha to beta
nlohmann::json tune_json(const MeasuredBy& by, const TuneReport& report);
nlohmann::json disk_json(const MeasuredBy& by, const DiskReport& report);
nlohmann::json ship_json(const MeasuredBy& by, const std::string& database, const ShipReport& report);
nlohmann::json seed_json(const MeasuredBy& by, const SeedReport& report);  // engine/seed_json.cc
std::string seed_verdict(const MeasuredBy& by, const SeedReport& report);
std::string ship_verdict(const std::string& peer, const ShipReport& report);

}  // namespace ccr::engine
