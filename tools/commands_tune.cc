// ccr tune: the window calculator.
#include <cmath>

#include <nlohmann/json.hpp>

#include "engine/config.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/tune_text.h"

namespace ccr::tools {
namespace {

constexpr std::uint32_t mtu_min = 576, mtu_max = 65'535;
constexpr double head_room_max = 16;
constexpr std::uint64_t link_bytes_max = 1'250'000'000'000;  // 10 Tbit/s; what is calculated from these stays below 2^63
constexpr Duration round_trip_max = std::chrono::minutes(1);

Result<Tuning> tuning_of(const TuneOptions& options) {
  Tuning tuning;
  const Result<std::uint64_t> rate = engine::parse_rate(options.rate);
  if (!rate) return rate.error().within("--rate");
  if (*rate == 0)
    return Error{ErrorKind::usage, "--rate: expected the rate of a link, found '" + options.rate + "'", "such as 1Gbit"};
  if (*rate > link_bytes_max)
    return Error{ErrorKind::usage, "--rate: expected at most 10000Gbit, found '" + options.rate + "'", ""};
  const Result<Duration> round_trip = engine::parse_duration(options.round_trip);
  if (!round_trip) return round_trip.error().within("--rtt");
  if (*round_trip > round_trip_max)
    return Error{ErrorKind::usage, "--rtt: expected at most 1m, found '" + options.round_trip + "'", ""};
  if (options.mtu < mtu_min || options.mtu > mtu_max)
    return Error{
        ErrorKind::usage,
        "--mtu: expected " + std::to_string(mtu_min) + " to " + std::to_string(mtu_max) + ", found " + std::to_string(options.mtu),
        ""};
  if (!std::isfinite(options.head_room) || options.head_room < 1 || options.head_room > head_room_max)
    return Error{ErrorKind::usage, "--head-room: expected 1 to 16", ""};
  if (!options.log_rate.empty()) {
    const Result<std::uint64_t> log_rate = engine::parse_rate(options.log_rate);
    if (!log_rate) return log_rate.error().within("--log-rate");
    tuning.log_bytes_per_second = *log_rate;
  }
  Result<HostNetwork> host = read_host_network();
  if (!host) return host.error();
  tuning.host = std::move(*host);
  tuning.path = {*rate, *round_trip, options.mtu};
  tuning.plan = transport::plan_window(tuning.path, options.head_room, tuning.host.limits.timestamps);
  return tuning;
}

}  // namespace

ExitCode run_tune(const CommonOptions& common, const TuneOptions& options) {
  const Result<Tuning> tuning = tuning_of(options);
  if (!tuning) return report(tuning.error());
  if (options.sysctl) {
    print(sysctl_text(*tuning));
  } else if (common.json) {
    print_json(tune_json(*tuning));
  } else {
    print(tune_text(*tuning));
  }
  return ExitCode::done;
}

}  // namespace ccr::tools
