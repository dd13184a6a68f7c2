// ccr load.
#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "engine/config.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/json_fields.h"
#include "tools/result_text.h"

namespace ccr::tools {

using nlohmann::json;

Result<double> parse_seconds(const std::string& text) {
  const bool bare = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  const Result<Duration> duration = engine::parse_duration(bare ? text + "s" : text);
  if (!duration || *duration <= Duration::zero()) return Error{ErrorKind::usage, "expected a time above 0 such as 10, 10s or 5m, found '" + text + "'", ""};
  return std::chrono::duration<double>(*duration).count();
}

ExitCode run_load(const CommonOptions& common, const LoadOptions& options) {
  const Result<std::uint64_t> rate = engine::parse_rate(options.rate);
  if (!rate) return report(rate.error().within("--rate"));
  const std::vector<std::string> patterns{"seq", "random", "oltp"};
  if (std::find(patterns.begin(), patterns.end(), options.pattern) == patterns.end()) {
    const std::optional<std::string> near = engine::did_you_mean(options.pattern, patterns);
    return report({ErrorKind::usage, "--pattern: expected seq, random or oltp, found '" + options.pattern + "'",
                   near ? "did you mean '" + *near + "'?" : ""});
  }
  const Result<double> seconds = parse_seconds(options.seconds);
  if (!seconds) return report(seconds.error().within("--seconds"));
  json request{{"command", "load"},
               {"database", options.database},
               {"rate_bytes_per_second", *rate},
               {"seconds", *seconds},
               {"pattern", options.pattern},
               {"dry_run", options.dry_run}};
  if (options.transaction_pages != 0) request["transaction_pages"] = options.transaction_pages;
  const Result<json> result = watch(common, request);
  if (!result) return report_watched(result.error(), "the load ended", "what it committed stays");
  if (common.json) {
    print_json(*result);
  } else {
    print(load_text(options.database, *result));
  }
  return field(*result, "allowed") == false ? ExitCode::refused : ExitCode::done;
}

}  // namespace ccr::tools
