#include "tools/health_checks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/certificate_dates.h"
#include "storage/file_replacement.h"
#include "tools/amounts.h"
#include "tools/copy_checks.h"
#include "tools/json_fields.h"
#include "tools/path_costs.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr double clock_warning_seconds = 2, clock_failed_seconds = 60;
constexpr double heard_seconds_max = 120;  // nodes ask each other each 30 s (engine/roles.h)
constexpr std::uint64_t free_bytes_warning = 1 * GiB, free_bytes_failed = 128 * MiB;

// Of equal weight: what is unknown stands behind what is known to be wrong.
int weight_of(Health health) {
  switch (health) {
    case Health::ok:
      return 0;
    case Health::unknown:
      return 1;
    case Health::warning:
      return 2;
    case Health::failed:
      return 3;
  }
  return 0;
}

class NodeChecks {
 public:
  NodeChecks(const json& status, const HostFacts& host, const engine::Config& config, WallTime now)
      : status_(status), host_(host), config_(config), now_(now), here_(text_field(status, "node")) {}

  std::vector<HealthCheck> all() {
    add("service", here_, Health::ok, "answers");
    disk_backend();
    tls();
    certificate();
    settings();
    in_force();
    sqlite();
    sysctl();
    peers();
    paths();
    connections();
    for (const json& database : list_field(status_, "databases")) {
      for (const json& copy : list_field(database, "copies")) {
        if (known_elsewhere(database, copy)) continue;
        const CopyLook look{database, copy, here_, host_, now_};
        add_copy_checks(checks_, look);
      }
    }
    space();
    return std::move(checks_);
  }

 private:
  void add(const char* check, std::string subject, Health verdict, std::string found, std::string hint = "") {
    checks_.push_back({check, std::move(subject), verdict, std::move(found), verdict == Health::ok ? "" : std::move(hint)});
  }

  bool known_elsewhere(const json& database, const json& copy) const {
    return text_field(copy, "role") == "passive" && text_field(copy, "node") != here_ && text_field(database, "active") != here_;
  }

  void disk_backend() {
    const std::string name = text_field(status_, "disk");
    if (name.empty())
      return add("disk_backend", here_, Health::unknown, "not told", "a daemon of an older version? start it again");
    const bool slow = name == "threads";
    add("disk_backend", here_, slow ? Health::warning : Health::ok,
        slow ? "threads: the kernel does not allow io_uring to this process" : name,
        "sysctl kernel.io_uring_disabled=0, and a container whose seccomp profile has io_uring_setup");
  }

  void tls() {
    const std::string mode = text_field(status_, "tls");
    const Health verdict = mode == "require" ? Health::ok : mode == "off" ? Health::warning : Health::unknown;
    add("tls", here_, verdict,
        mode.empty()    ? "not known"
        : mode == "off" ? "off: anybody on the network is believed, and reads all"
                        : mode,
        "ccr cert makes certificates; then mode = \"require\" in [tls] on every node");
  }

  void certificate() {
    if (text_field(status_, "tls") == "off") return;
    const json& own = field(status_, "certificate");
    const std::optional<double> days = number_field(own, "days_left");
    const std::string renew = "ccr cert renew " + here_ + " where ca.key is, copy it here, then SIGHUP";
    if (!days) return add("certificate", here_, Health::unknown, "not known", "ccr cert show");
    const std::string expires = text_field(own, "expires_at");
    if (*days < 0) return add("certificate", here_, Health::failed, "expired " + expires, renew);
    add("certificate", here_, *days < engine::certificate_warning_days ? Health::warning : Health::ok,
        fmt::format("{:.0f} days left, to {}", *days, expires), renew);
  }

  void settings() {
    if (config_.warnings.empty()) add("settings", here_, Health::ok, "nothing to say of the configuration");
    for (const std::string& warning : config_.warnings) add("settings", here_, Health::warning, warning, "ccr config show");
  }

  // By names alone: which databases this node has a copy of, and who else has one.
  void in_force() {
    std::map<std::string, std::set<std::string>> file, daemon;
    for (const auto& [name, database] : config_.databases)
      if (database.has_copy(here_)) file[name] = {database.copies.begin(), database.copies.end()};
    for (const json& database : list_field(status_, "databases"))
      for (const json& copy : list_field(database, "copies")) daemon[text_field(database, "name")].insert(text_field(copy, "node"));
    if (file == daemon) return add("in_force", here_, Health::ok, "the databases and copies of the file");
    std::string differ;
    for (const auto* names : {&file, &daemon})
      for (const auto& [name, copies] : *names)
        if (file[name] != daemon[name] && differ.find(name) == std::string::npos) differ += (differ.empty() ? "" : ", ") + name;
    add("in_force", here_, Health::warning, "what the file says of " + differ + " is not in force", "systemctl reload ccr, then ccr events shows at config_read what was refused");
  }

  void sqlite() {
    const auto of_sqlite = [](const auto& entry) { return entry.second.kind == engine::DatabaseKind::sqlite; };
    if (std::none_of(config_.databases.begin(), config_.databases.end(), of_sqlite)) return;
    const bool known = host_.sqlite_warning.empty();
    add("sqlite", here_, known ? Health::ok : Health::warning, known ? "no known fault in the library" : host_.sqlite_warning,
        "use SQLite 3.51.3 or newer");
  }

  // For connections from now on; those that are open have their own checks.
  void sysctl() {
    if (!host_.limits) return add("sysctl", here_, Health::unknown, "/proc/sys/net cannot be read", "");
    PathFacts facts;
    facts.scaling = host_.limits->scaling;
    facts.timestamps = host_.limits->timestamps;
    for_each_connection([&facts](const json& connection) {
      facts.round_trip = std::max(facts.round_trip, duration_of(number_field(connection, "rtt_seconds").value_or(0)));
    });
    const std::vector<PathCost> costs = path_costs(facts);
    if (costs.empty()) add("sysctl", here_, Health::ok, "window scaling and timestamps are on");
    for (const PathCost& cost : costs) add("sysctl", here_, Health::warning, cost.what, cost.hint);
  }

  void peers() {
    for (const json& peer : list_field(status_, "peers")) {
      const std::string node = text_field(peer, "node"), heard_at = text_field(peer, "heard_at");
      const json& equal = field(peer, "configuration_equal");
      const double age = heard_at.empty() ? 0 : seconds_since(heard_at, now_);
      if (heard_at.empty() || !equal.is_boolean() || age > heard_seconds_max) {
        const std::string found =
            heard_at.empty() ? "not heard of since this node started" : "last heard " + rough_age_text(age) + " ago";
        add("configuration", node, Health::unknown, found, "is its daemon up? ccr status there");
        add("clock", node, Health::unknown, found, "is its daemon up? ccr status there");
        continue;
      }
      const bool same = equal == true;
      add("configuration", node, same ? Health::ok : Health::failed,
          same ? "the same" : "not the same as here, as the daemons have it in force",
          "compare `ccr config show` of both: cluster, nodes, kind, copies, generation_size and commit; then start anew who is behind");
      clock(peer, node);
    }
  }

  void clock(const json& peer, const std::string& node) {
    const std::optional<double> ahead = number_field(peer, "clock_ahead_seconds");
    if (!ahead) return add("clock", node, Health::unknown, "not asked yet", "again in half a minute");
    const double off = std::abs(*ahead), round_trip = number_field(peer, "round_trip_seconds").value_or(0);
    add("clock", node, graded(off, clock_warning_seconds + round_trip, clock_failed_seconds),
        off < 0.001 ? "less than 1 ms away"
                    : fmt::format("{} {} this node's", seconds_text(off), *ahead > 0 ? "ahead of" : "behind"),
        "compare both with the time of day: timedatectl");
  }

  void paths() {
    const json& paths = list_field(status_, "paths");
    for (const json& path : paths) {
      const std::string peer = text_field(path, "peer"), state = text_field(path, "state"), cause = text_field(path, "cause");
      const bool other_up = std::any_of(paths.begin(), paths.end(), [&peer](const json& other) {
        return text_field(other, "peer") == peer && text_field(other, "state") == "up";
      });
      const std::string subject = peer + " " + text_field(path, "path");
      if (state == "up")
        add("path", subject, Health::ok, "up");
      else if (state == "down")
        add("path", subject, other_up ? Health::warning : Health::failed,
            "down for " + age_text(seconds_since(text_field(path, "since"), now_)) + (cause.empty() ? "" : ", " + cause),
            "ccr events tells when paths went up and down");
      else
        add("path", subject, Health::unknown, "not tried yet", "again in a few seconds");
    }
  }

  template <class Work>
  void for_each_connection(Work work) const {
    for (const json& database : list_field(status_, "databases")) {
      for (const json& copy : list_field(database, "copies")) {
        const json& connection = field(copy, "connection");
        if (connection.is_object()) work(connection);
      }
    }
  }

  // A thousand databases go over one path: of each path the worst is told, and once.
  void connections() {
    std::map<std::string, HealthCheck> windows, timestamps;
    const auto keep = [](std::map<std::string, HealthCheck>& kept, HealthCheck check) {
      const auto at = kept.find(check.subject);
      if (at == kept.end())
        kept.emplace(check.subject, std::move(check));
      else if (weight_of(check.verdict) > weight_of(at->second.verdict))
        at->second = std::move(check);
    };
    for_each_connection([&](const json& connection) {
      keep(windows, window_of(connection));
      keep(timestamps, timestamps_of(connection));
    });
    for (const auto* kept : {&windows, &timestamps})
      for (const auto& [path, check] : *kept) checks_.push_back(check);
  }

  static PathFacts facts_of(const json& connection) {
    PathFacts facts;
    facts.round_trip = duration_of(number_field(connection, "rtt_seconds").value_or(0));
    facts.bytes_per_second = count_field(connection, "delivery_rate").value_or(0);
    return facts;
  }

  static HealthCheck window_of(const json& connection) {
    HealthCheck check{"window", text_field(connection, "path"), Health::ok, "", ""};
    const json& scaling = field(connection, "window_scaling");
    const std::uint64_t asked = count_field(connection, "window_asked").value_or(0);
    const std::optional<std::uint64_t> granted = count_field(connection, "window_granted");
    if (scaling == false) {
      PathFacts facts = facts_of(connection);
      facts.scaling = false;
      const PathCost cost = path_costs(facts).front();
      return {"window", check.subject, Health::warning, cost.what, cost.hint};
    }
    check.found = (granted ? size_text(*granted) : "not known") + (asked > 0 ? " of " + size_text(asked) : "");
    const json& held = field(connection, "held");
    if (held.is_object()) {
      check.verdict = Health::warning;
      check.found += fmt::format(", held back by {} = {}", text_field(held, "setting"), count_field(held, "here").value_or(0));
      check.hint = "ccr tune --peer NODE says what to set";
    } else if (!scaling.is_boolean() || (asked > 0 && !granted)) {
      check.verdict = Health::unknown;
      check.hint = "ccr status --verbose";
    } else if (asked > 0 && *granted < asked) {
      check.verdict = Health::warning;
      check.hint = fmt::format("sysctl -w net.core.rmem_max={} net.core.wmem_max={}, or CAP_NET_ADMIN", asked, asked);
    }
    return check;
  }

  static HealthCheck timestamps_of(const json& connection) {
    const std::string path = text_field(connection, "path");
    const json& on = field(connection, "timestamps");
    if (!on.is_boolean()) return {"timestamps", path, Health::unknown, "not known", "ccr status --verbose"};
    if (on == true) return {"timestamps", path, Health::ok, "on", ""};
    PathFacts facts = facts_of(connection);
    facts.timestamps = false;
    const PathCost cost = path_costs(facts).front();
    return {"timestamps", path, Health::warning, cost.what, cost.hint};
  }

  void space() {
    for (const std::string& directory : directories_of(status_, config_)) {
      const auto free = host_.free_bytes.find(directory);
      if (free == host_.free_bytes.end()) {
        add("space", directory, Health::unknown, "not known", "does its disk answer? may this user look into it?");
        continue;
      }
      const std::uint64_t bytes = free->second;
      add("space", directory,
          bytes < free_bytes_failed    ? Health::failed
          : bytes < free_bytes_warning ? Health::warning
                                       : Health::ok,
          size_text(bytes) + " free", "what is in the way? ccr status; a copy that is not there keeps log");
    }
  }

  const json& status_;
  const HostFacts& host_;
  const engine::Config& config_;
  const WallTime now_;
  const std::string here_;
  std::vector<HealthCheck> checks_;
};

Style style_of(Health health) {
  return health == Health::ok ? Style::good : health == Health::failed ? Style::bad : Style::attention;
}

std::string counted(std::size_t number, const char* noun) { return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s"); }

}  // namespace

const char* name_of(Health health) noexcept {
  constexpr std::array<const char*, 4> names{"ok", "warning", "failed", "unknown"};
  return names[static_cast<std::size_t>(health)];
}

std::vector<HealthCheck> checks_of(const json& status, const HostFacts& host, const engine::Config& config, WallTime now) {
  return NodeChecks(status, host, config, now).all();
}

std::vector<HealthCheck> checks_without_daemon(const engine::Config& config, const Error& error) {
  return {{"service", config.node, Health::failed, error.message, error.hint}};
}

std::vector<std::string> directories_of(const json& status, const engine::Config& config) {
  std::set<std::string> directories{config.state_dir};
  for (const json& database : list_field(status, "databases")) {
    for (const json& copy : list_field(database, "copies")) {
      const std::string log = text_field(copy, "log_directory");
      const auto configured = config.databases.find(text_field(database, "name"));
      if (log.empty()) continue;  // no copy of this node
      directories.insert(log);
      if (configured != config.databases.end()) directories.insert(storage::directory_of(configured->second.path));
    }
  }
  return {directories.begin(), directories.end()};
}

HealthCounts count(const std::vector<HealthCheck>& checks) {
  HealthCounts counts;
  for (const HealthCheck& check : checks) {
    switch (check.verdict) {
      case Health::ok:
        ++counts.ok;
        break;
      case Health::warning:
        ++counts.warnings;
        break;
      case Health::failed:
        ++counts.failed;
        break;
      case Health::unknown:
        ++counts.unknown;
        break;
    }
  }
  return counts;
}

ExitCode HealthCounts::exit_code() const noexcept {
  if (failed > 0) return ExitCode::failed_checks;
  return warnings + unknown > 0 ? ExitCode::warnings : ExitCode::done;
}

json checks_json(const std::vector<HealthCheck>& checks) {
  const HealthCounts counts = count(checks);
  json document{{"schema", 1},
                {"checks", json::array()},
                {"ok", counts.ok},
                {"warnings", counts.warnings},
                {"failed", counts.failed},
                {"unknown", counts.unknown}};
  for (const HealthCheck& check : checks)
    document["checks"].push_back({{"check", check.name},
                                  {"subject", check.subject},
                                  {"verdict", name_of(check.verdict)},
                                  {"found", check.found},
                                  {"hint", check.hint}});
  return document;
}

std::string checks_text(const std::vector<HealthCheck>& checks, bool all, bool color) {
  TextTable table({"CHECK", "SUBJECT", "VERDICT", "FOUND"});
  const HealthCounts counts = count(checks);
  for (const HealthCheck& check : checks) {
    if (!all && check.verdict == Health::ok) continue;
    TextTable::Row row;
    row.cells = {{check.name, Style::none},
                 {escaped(check.subject), Style::none},
                 {name_of(check.verdict), style_of(check.verdict)},
                 {escaped(check.found), Style::none}};
    if (!check.hint.empty()) row.notes.push_back("hint: " + escaped(check.hint));
    table.add(std::move(row));
  }
  std::string closing = counted(checks.size(), "check");
  if (counts.failed > 0) closing += fmt::format(", {} failed", counts.failed);
  if (counts.warnings > 0) closing += ", " + counted(counts.warnings, "warning");
  if (counts.unknown > 0) closing += fmt::format(", {} unknown", counts.unknown);
  if (counts.ok == checks.size()) closing += ", all ok";
  return (all || counts.ok < checks.size() ? table.text(color) : "") + closing + "\n";
}

}  // namespace ccr::tools
