// ccr load.
#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "engine/config.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/json_fields.h"
#include "tools/result_text.h"

namespace ccr::tools {

using nlohmann::json;

ExitCode run_load(const CommonOptions& common, const LoadOptions& options) {
  const Result<std::uint64_t> rate = engine::parse_rate(options.rate);
  if (!rate) return report(rate.error().within("--rate"));
  const std::vector<std::string> patterns{"seq", "random", "oltp"};
  if (std::find(patterns.begin(), patterns.end(), options.pattern) == patterns.end()) {
    const std::optional<std::string> near = engine::did_you_mean(options.pattern, patterns);
    return report({ErrorKind::usage, "--pattern: expected seq, random or oltp, found '" + options.pattern + "'",
                   near ? "did you mean '" + *near + "'?" : ""});
  }
  if (!std::isfinite(options.seconds) || options.seconds <= 0)
    return report({ErrorKind::usage, "--seconds: expected more than 0", ""});
  json request{{"command", "load"},
               {"database", options.database},
               {"rate_bytes_per_second", *rate},
               {"seconds", options.seconds},
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
