// ccr version.
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <nlohmann/json.hpp>

#include "storage/log_format.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "transport/messages.h"
#include "transport/zstd_handles.h"

namespace ccr::tools {

ExitCode run_version(const CommonOptions& common) {
  using transport::protocol_version_max;
  using transport::protocol_version_min;
  if (common.json) {
    print_json({{"version", CCR_VERSION},
                {"formats",
                 {{"log", storage::log_format_version}, {"wire_min", protocol_version_min}, {"wire_max", protocol_version_max}}},
                {"parts", {{"sqlite", sqlite3_libversion()}, {"io_uring", true}, {"tls", OpenSSL_version(OPENSSL_VERSION_STRING)}, {"compression", std::string("zstd ") + transport::zstd_version()}}}});
    return ExitCode::done;
  }
  print(fmt::format("ccr {}\nlog format {}, wire protocol {} to {}\nSQLite {}, OpenSSL {}, io_uring, zstd {}\n",
                    CCR_VERSION, storage::log_format_version, protocol_version_min, protocol_version_max, sqlite3_libversion(), OpenSSL_version(OPENSSL_VERSION_STRING),
                    transport::zstd_version()));
  return ExitCode::done;
}

}  // namespace ccr::tools
