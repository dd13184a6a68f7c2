// ccr bench.
#include <nlohmann/json.hpp>

#include "engine/config.h"
#include "tools/bench_text.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

// An option that is a size, put under `key` when it was given.
Result<void> put_size(json& request, const char* key, const char* option, const std::string& text) {
  if (text.empty()) return {};
  const Result<std::uint64_t> size = engine::parse_size(text);
  if (!size.ok()) return size.error().within(option);
  if (*size == 0) return Error{ErrorKind::usage, std::string(option) + ": expected a size above 0 such as 64MiB", ""};
  request[key] = *size;
  return {};
}

Result<json> request_of(const std::string& kind, const BenchOptions& options) {
  json request{{"command", "bench"}, {"kind", kind}};
  if (!options.peer.empty()) request["peer"] = options.peer;
  if (!options.database.empty()) request["database"] = options.database;
  if (!options.seconds.empty()) {
    const Result<double> seconds = parse_seconds(options.seconds);
    if (!seconds.ok()) return seconds.error().within("--seconds");
    request["seconds"] = *seconds;
  }
  CCR_TRY(put_size(request, "bytes", "--bytes", options.bytes));
  CCR_TRY(put_size(request, "window", "--window", options.window));
  if (!options.rate.empty()) {
    const Result<std::uint64_t> rate = engine::parse_rate(options.rate);
    if (!rate.ok()) return rate.error().within("--rate");
    request["rate_bytes_per_second"] = *rate;
  }
  if (options.clients > 0) request["clients"] = options.clients;
  if (options.transaction_pages > 0) request["transaction_pages"] = options.transaction_pages;
  if (options.databases > 0) request["databases"] = options.databases;
  if (options.streams > 0) request["streams"] = options.streams;
  if (!options.congestion.empty()) request["congestion"] = options.congestion;
  return request;
}

}  // namespace

ExitCode run_bench(const CommonOptions& common, const std::string& kind, const BenchOptions& options) {
  const Result<json> request = request_of(kind, options);
  if (!request.ok()) return report(request.error());
  const Result<json> result = watch(common, *request);
  if (!result) return report_watched(result.error(), "the measurement ended", "nothing of it is left on either node");
  if (common.json) {
    print_json(*result);
  } else {
    print(bench_text(*result));
  }
  return ExitCode::done;
}

}  // namespace ccr::tools
