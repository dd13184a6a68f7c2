#include "engine/config_log.h"

#include <algorithm>

#include <fmt/format.h>

namespace ccr::engine {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t generations_in_budget_min = 4;
constexpr std::uint64_t wal_limit_min = 64 * KiB;
constexpr DurationRange lag_range{0s, 14 * 24h};  // of replay and of truncation
constexpr DurationRange keep_range{1s, 10 * 365 * 24h};
constexpr const char* keep_word = "keep ";

void read_lags(const ConfigTable& table, const char* key, const DatabaseConfig& database, std::map<std::string, Duration>& out) {
  const std::optional<ConfigTable> lags = table.table(key);
  if (!lags) return;
  for (const std::string& copy : lags->keys()) {
    const bool known = database.has_copy(copy);
    if (!known && !database.copies.empty()) {
      const std::optional<std::string> nearest = did_you_mean(copy, database.copies);
      lags->fault(copy, fmt::format("{}: expected a node of {}, found '{}'", table.label(key), table.label("copies"), copy),
                  nearest ? fmt::format("did you mean '{}'?", *nearest) : "");
      continue;
    }
    lags->duration(copy, out[copy], lag_range);
  }
}

Result<Retention> parse_retention(const std::string& text) {
  if (text == "circular") return Retention{};
  if (text == "until-backup") return Retention{Retention::Kind::until_backup, {}};
  const Error wrong{ErrorKind::usage, fmt::format("expected circular, until-backup or a time such as \"keep 7d\", found '{}'", text), ""};
  if (!text.starts_with(keep_word)) return wrong;
  const Result<Duration> keep = parse_duration(text.substr(std::string(keep_word).size()));
  if (!keep || *keep < keep_range.low || *keep > keep_range.high) return wrong;
  return Retention{Retention::Kind::keep, *keep};
}

void read_retention(const ConfigTable& table, DatabaseConfig& database) {
  std::string text = database.retention.text();
  table.text("retention", text);
  const Result<Retention> read = parse_retention(text);
  if (read) {
    database.retention = *read;
  } else {
    const std::optional<std::string> nearest = did_you_mean(text, {"circular", "until-backup", "keep 7d"});
    table.fault("retention", fmt::format("{}: {}", table.label("retention"), read.error().message), nearest ? fmt::format("did you mean '{}'?", *nearest) : "");
  }
}

void read_budgets(const ConfigTable& table, DatabaseConfig& database) {
  table.size("log_budget", database.log_budget_bytes, {generations_in_budget_min * database.generation_bytes, size_limit});
  std::string end = database.log_budget_stops ? "stop" : "drop";
  table.word("log_budget_end", end, {"drop", "stop"});
  database.log_budget_stops = end == "stop";
  if (database.log_budget_stops && database.kind == DatabaseKind::sqlite) {
    table.fault("log_budget_end", fmt::format("{}: expected \"drop\": no program's commits can be made to wait", table.label("log_budget_end")),
                "leave it out; commits that wait are for kind = \"pages\"");
  }
  table.size("wal_limit", database.wal_limit_bytes, {wal_limit_min, size_limit});
  table.size("wal_budget", database.wal_budget_bytes, {0, size_limit});
  if (database.wal_budget_bytes != 0 && database.wal_budget_bytes < database.wal_limit_bytes) {
    table.fault(table.has("wal_budget") ? "wal_budget" : "wal_limit",
                fmt::format("{} is smaller than wal_limit: {} and {} bytes", table.label("wal_budget"), database.wal_budget_bytes, database.wal_limit_bytes),
                "below the limit a WAL is no trouble; 0 never lets one go");
  }
}

}  // namespace

std::string Retention::text() const {
  if (kind == Kind::circular) return "circular";
  if (kind == Kind::until_backup) return "until-backup";
  if (keep % 1s != Duration::zero()) return keep % 1ms == Duration::zero() ? fmt::format("keep {}ms", keep / 1ms) : fmt::format("keep {}ns", keep.count());
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(keep).count();
  constexpr std::int64_t hour = 3'600, day = 24 * hour;
  if (seconds % day == 0) return fmt::format("keep {}d", seconds / day);
  if (seconds % hour == 0) return fmt::format("keep {}h", seconds / hour);
  return fmt::format("keep {}s", seconds);
}

void read_log(const ConfigTable& table, DatabaseConfig& database) {
  read_budgets(table, database);
  read_retention(table, database);
  read_lags(table, "replay_lag", database, database.replay_lag);
  read_lags(table, "truncation_lag", database, database.truncation_lag);
}

}  // namespace ccr::engine
