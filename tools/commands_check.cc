// ccr check: what is not well with this node, its host and its copies.
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "storage/sqlite/sqlite_source.h"
#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/health_checks.h"
#include "tools/host_network.h"
#include "tools/space_look.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

HostFacts host_facts(const std::vector<std::string>& directories) {
  HostFacts facts;
  const Result<HostNetwork> network = read_host_network();
  if (network.ok()) facts.limits = network->limits;
  facts.free_bytes = free_bytes_of(directories);
  facts.sqlite_warning = storage::sqlite_warning();
  return facts;
}

void show(const CommonOptions& common, const std::vector<HealthCheck>& checks, bool all) {
  if (common.json)
    print_json(checks_json(checks));
  else
    print(checks_text(checks, all, stdout_color(common.color)));
}

}  // namespace

ExitCode run_check(const CommonOptions& common, const CheckOptions& options) {
  const Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  const json request{{"command", "status"}};
  const Result<json> status = ask(common, request);
  if (!status.ok()) {
    show(common, checks_without_daemon(*config, status.error()), true);
    return ExitCode::unreachable;  // also where it is there and does not answer
  }
  const SystemClock clock;
  const std::vector<HealthCheck> checks =
      checks_of(*status, host_facts(directories_of(*status, *config)), *config, clock.wall_now());
  show(common, checks, options.all);
  return count(checks).exit_code();
}

}  // namespace ccr::tools
