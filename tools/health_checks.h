// The health checks of a node, from what its daemon and its host say: pure.
//
// What a check cannot know is `unknown`, which counts as a warning: nothing is healthy for want of a look. A copy of another passive
// node is checked where it is known, so it is left out. A thing that is well has its check too.
//
//   check          | of                | warning                                  | failed
//   ---------------+-------------------+------------------------------------------+--------------------------------
//   service        | this node         |                                          | its daemon does not answer
//   disk_backend   | this node         | no io_uring                              |
//   tls            | this node         | off                                      |
//   certificate    | this node         | its last 30 days                         | outside its dates
//   settings       | this node         | what the configuration's reader warns of |
//   in_force       | this node         | the file has other databases or copies   |
//   sqlite         | this node         | a library with a known fault             |
//   sysctl         | this node         | window scaling or timestamps off         |
//   configuration  | each other node   | not heard of for two minutes (unknown)   | not the same there
//   clock          | each other node   | 2 s and a round trip away                | a minute away
//   path           | each path         | down, beside one that is up              | down, and no other one is up
//   window         | each connection   | cut by a sysctl, less than asked, no scale |
//   timestamps     | each connection   | off                                      |
//   state          | each copy         | suspended, seeding, needs a seed, ...    | disconnected, dismounted, failed
//   copy_queue     | each passive copy | what the dial `good` would refuse        | what `best` would refuse
//   lag            | each whole copy   | 10 s                                     | a minute
//   proof          | each whole copy   | no root equal yet                        |
//   disk_verified  | each whole copy   | never, or too long ago                   |
//   scrub          | copies here       | overdue                                  | a rotten page without repair
//   quarantine     | passive copies here | something is in it                     | full
//   capture        | active SQLite here | 10 s of commits are not in the log      | a minute
//   commits        | active copies here, not async | fallen back; 10 s of waiting  | a minute of waiting
//   log            | active copies here | log_budget or disk full within a day    | within an hour
//   retention      | copies here, not circular | no backup; log_budget took what was to be kept |
//   space          | directories here  | 1 GiB free                               | 128 MiB free
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "engine/config.h"
#include "tools/exit_code.h"
#include "transport/window_plan.h"

namespace ccr::tools {

enum class Health { ok, warning, failed, unknown };
const char* name_of(Health health) noexcept;

struct HealthCheck {
  std::string name, subject;
  Health verdict = Health::ok;
  std::string found, hint;
};

// Free bytes on the disk of a directory, for an unprivileged process.
using FreeBytes = std::map<std::string, std::uint64_t>;

struct HostFacts {
  std::optional<transport::HostLimits> limits;  // none: the sysctls could not be read
  FreeBytes free_bytes;                         // by directory; absent: it could not be asked
  std::string sqlite_warning;                   // of the library in use; empty: none
};

// `status`: the whole of it, from the daemon. `config`: as the file has it now.
std::vector<HealthCheck> checks_of(const nlohmann::json& status, const HostFacts& host, const engine::Config& config, WallTime now);
// Of a daemon that does not answer.
std::vector<HealthCheck> checks_without_daemon(const engine::Config& config, const Error& error);
// Directories of the node whose room is of interest: those of the logs, the page files and the state.
std::vector<std::string> directories_of(const nlohmann::json& status, const engine::Config& config);

struct HealthCounts {
  std::size_t ok = 0, warnings = 0, failed = 0, unknown = 0;
  ExitCode exit_code() const noexcept;
};
HealthCounts count(const std::vector<HealthCheck>& checks);

nlohmann::json checks_json(const std::vector<HealthCheck>& checks);
// Only what is not ok, or all of it, and a line that counts.
std::string checks_text(const std::vector<HealthCheck>& checks, bool all, bool color);

}  // namespace ccr::tools
