// ccr tune: the window calculator, from what a link is said to be, or from what is measured with a peer.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "engine/config.h"
#include "tools/bench_text.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/json_fields.h"
#include "tools/tune_text.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

constexpr std::uint32_t mtu_min = 576, mtu_max = 65'535;
constexpr double head_room_max = 16;
constexpr std::uint64_t link_bytes_max = 1'250'000'000'000;  // 10 Tbit/s; what is calculated from these stays below 2^63
constexpr Duration round_trip_max = std::chrono::minutes(1);

// What is asked for whether the link is measured or reckoned.
Result<Tuning> asked_tuning(const TuneOptions& options) {
  Tuning tuning;
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
  return tuning;
}

// From --rate and --rtt.
Result<Tuning> reckoned_tuning(const TuneOptions& options) {
  if (options.rate.empty() || options.round_trip.empty())
    return Error{ErrorKind::usage, "a link is measured with --peer NODE, or reckoned from both --rate and --rtt",
                 "ccr tune --help"};
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
  Result<Tuning> tuning = asked_tuning(options);
  CCR_TRY(tuning);
  tuning->path = {*rate, *round_trip, options.mtu};
  tuning->plan = transport::plan_window(tuning->path, options.head_room, tuning->host.limits.timestamps);
  return tuning;
}

// From what was measured: the most that any of it carried, with the headers that the card adds, and the round trip without load.
Result<Tuning> measured_tuning(const TuneOptions& options, const json& measured) {
  Result<Tuning> tuning = asked_tuning(options);
  CCR_TRY(tuning);
  double payload = 0;
  for (const json& limit : list_field(measured, "limits"))
    payload = std::max(payload, number_field(limit, "bytes_per_second").value_or(0));
  const json& latencies = list_field(measured, "percentiles");
  const double round_trip = latencies.empty() ? 0 : number_field(latencies.front(), "p50").value_or(0);
  const Result<transport::Endpoint> path = transport::parse_endpoint(text_field(measured, "path"));
  if (path.ok()) tuning->link = read_host_link(path->host);
  const std::uint32_t mtu = tuning->link.mtu >= mtu_min ? tuning->link.mtu : options.mtu;
  const bool timestamps = tuning->host.limits.timestamps;
  const std::uint64_t wire = transport::wire_of_payload(static_cast<std::uint64_t>(payload), mtu, timestamps);
  tuning->path = {wire, std::chrono::microseconds(static_cast<std::int64_t>(round_trip)), mtu};
  tuning->plan = transport::plan_window(tuning->path, options.head_room, timestamps);
  return tuning;
}

Result<json> measure(const CommonOptions& common, const TuneOptions& options) {
  if (!options.rate.empty() || !options.round_trip.empty())
    return Error{ErrorKind::usage, "--peer measures what --rate and --rtt would say", "leave them out, or --peer"};
  CCR_TRY(asked_tuning(options));
  json request{{"command", "tune"}, {"peer", options.peer}, {"head_room", options.head_room}};
  if (!options.seconds.empty()) {
    const Result<double> seconds = parse_seconds(options.seconds);
    if (!seconds.ok()) return seconds.error().within("--seconds");
    request["seconds"] = *seconds;
  }
  return watch(common, request);
}

ExitCode run_measured(const CommonOptions& common, const TuneOptions& options) {
  const Result<json> measured = measure(common, options);
  if (!measured.ok()) return report_watched(measured.error(), "the measurement ended", "nothing of it is left on either node");
  const Result<Tuning> tuning = measured_tuning(options, *measured);
  if (!tuning.ok()) return report(tuning.error());
  if (options.sysctl) {
    print(sysctl_text(*tuning));
  } else if (common.json) {
    json result = *measured;
    result["tuning"] = tune_json(*tuning);
    print_json(std::move(result));
  } else {
    print(bench_text(*measured) + "\n" + tune_text(*tuning));
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_tune(const CommonOptions& common, const TuneOptions& options) {
  if (!options.peer.empty()) return run_measured(common, options);
  const Result<Tuning> tuning = reckoned_tuning(options);
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
