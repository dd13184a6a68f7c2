// ccr config check, ccr config show.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/config_json.h"
#include "tools/daemon_call.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

std::string counted(std::size_t count, const char* one) { return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s"); }

Result<engine::Config> check(const CommonOptions& common) {
  // Without a name the file is checked for no node in particular: that can be done on any host.
  if (!common.node.empty()) return load_config(common.config_file, common.node);
  const Result<std::string> text = read_config_text(common.config_file);
  CCR_TRY(text);
  return engine::parse_config(*text, common.config_file, "");
}

}  // namespace

ExitCode run_config_check(const CommonOptions& common) {
  const Result<engine::Config> config = check(common);
  if (!config) {
    const Error& error = config.error();
    if (common.json)
      print_json({{"ok", false}, {"error", {{"message", error.message}, {"hint", error.hint}}}, {"warnings", json::array()}});
    return report(error);
  }
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
