// ccr version.
#include <fmt/format.h>
#include <sqlite3.h>
#include <nlohmann/json.hpp>

#include "storage/log_format.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "transport/messages.h"

namespace ccr::tools {

ExitCode run_version(const CommonOptions& common) {
  using transport::protocol_version_max;
  using transport::protocol_version_min;
  if (common.json) {
    print_json({{"version", CCR_VERSION},
                {"formats",
                 {{"log", storage::log_format_version}, {"wire_min", protocol_version_min}, {"wire_max", protocol_version_max}}},
                {"parts", {{"sqlite", sqlite3_libversion()}, {"io_uring", true}, {"tls", false}, {"compression", false}}}});
    return ExitCode::done;
  }
  print(fmt::format("ccr {}\nlog format {}, wire protocol {} to {}\nSQLite {}, io_uring; no TLS and no compression in this build\n",
                    CCR_VERSION, storage::log_format_version, protocol_version_min, protocol_version_max, sqlite3_libversion()));
  return ExitCode::done;
}

}  // namespace ccr::tools
