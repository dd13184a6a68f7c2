// ccr config check, ccr config show.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/config_json.h"
#include "tools/daemon_call.h"
#include "tools/tcp_setup.h"
#include "tools/tls_setup.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

std::string counted(std::size_t count, const char* one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

// Without a name, on a host that is none of the nodes, the file is checked for no node in particular.
Result<engine::Config> check(const CommonOptions& common) {
  if (!common.node.empty()) return load_config(common.config_file, common.node);
  const Result<std::string> text = read_config_text(common.config_file);
  if (!text.ok()) return text.error();
  Result<engine::Config> config = engine::parse_config(*text, common.config_file, "");
  if (!config.ok() || !config->nodes.contains(host_name())) return config;
  return engine::parse_config(*text, common.config_file, host_name());
}

// The files of [tls], where this is about one node; what is not there yet is a warning.
Result<void> check_files(engine::Config& config) {
  if (config.node.empty()) return {};
  const std::vector<std::string> missing = missing_tls_files(config);
  for (const std::string& path : missing) {
    config.warnings.push_back(fmt::format("'{}' of [tls] is not there, ccr serve needs it: ccr cert issue {} --out DIR", path, config.node));
  }
  return missing.empty() ? check_tls_files(config, SystemClock().wall_now()) : Result<void>();
}

// Where this is about one node: what its host makes of [transport].
Result<void> check_tcp(engine::Config& config) {
  if (config.node.empty()) return {};
  const Result<TcpSetup> setup = tcp_setup(config.transport);
  if (!setup.ok()) return setup.error();
  if (!setup->warning.empty()) config.warnings.push_back(setup->warning);
  return {};
}

ExitCode report_unusable(const CommonOptions& common, const Error& error) {
  if (common.json)
    print_json({{"ok", false}, {"error", {{"message", error.message}, {"hint", error.hint}}}, {"warnings", json::array()}});
  return report(error);
}

}  // namespace

ExitCode run_config_check(const CommonOptions& common) {
  Result<engine::Config> config = check(common);
  if (!config) return report_unusable(common, config.error());
  const Result<void> tls = check_files(*config);
  if (!tls.ok()) return report_unusable(common, tls.error());
  const Result<void> tcp = check_tcp(*config);
  if (!tcp.ok()) return report_unusable(common, tcp.error());
  if (common.json) {
    print_json({{"ok", true}, {"warnings", config->warnings}});
  } else {
    print(fmt::format("{}: good: cluster {}, {}, {}\n", common.config_file, config->cluster, counted(config->nodes.size(), "node"),
                      counted(config->databases.size(), "database")));
  }
  for (const std::string& warning : config->warnings) note("warning: " + warning);
  return config->warnings.empty() ? ExitCode::done : ExitCode::warnings;
}

ExitCode run_config_show(const CommonOptions& common) {
  const Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  if (common.json) {
    print_json(config_json(*config));
  } else {
    print(fmt::format("# {} as node {} has it, defaults included\n", common.config_file, config->node) + show_config(*config));
  }
  return ExitCode::done;
}

}  // namespace ccr::tools
