#include "tools/status_text.h"

#include <cctype>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "engine/certificate_dates.h"
#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/log_forecast.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

std::string generation_text(const json& position) {
  const std::optional<std::uint64_t> number = count_field(position, "generation");
  return number ? to_hex(*number) : "?";
}

std::string queue_text(const json& queue) {
  const std::optional<std::uint64_t> generations = count_field(queue, "generations");
  return generations ? std::to_string(*generations) : "?";
}

template <class Text>
std::string number_text(const json& object, const char* key, const char* unknown, Text text) {
  const std::optional<double> value = number_field(object, key);
  return value ? text(*value) : unknown;
}

Style style_of(const std::string& state) {
  if (state == "healthy" || state == "mounted") return Style::good;
  if (state == "failed" || state == "failed_and_suspended" || state == "dismounted") return Style::bad;
  return Style::attention;
}

void append(std::string& text, const std::string& part) {
  if (part.empty()) return;
  text += (text.empty() ? "" : ", ") + part;
}

std::string seed_text(const json& seed) {
  if (!flag_field(seed, "running")) return "";
  const double done = number_field(seed, "done_bytes").value_or(0);
  const std::uint64_t total = count_field(seed, "total_bytes").value_or(0);
  std::string text =
      total == 0 ? "seed starts" : fmt::format("seed {:.1f} % of {}", 100.0 * done / static_cast<double>(total), size_text(total));
  if (const auto rate = number_field(seed, "rate")) text += " at " + rate_text(*rate);
  if (const auto limit = number_field(seed, "rate_limit")) text += " (limit " + rate_text(*limit) + ")";
  if (const auto streams = count_field(seed, "streams"); streams && *streams > 1) text += fmt::format(" over {} streams", *streams);
  if (const auto left = number_field(seed, "eta_seconds")) text += ", " + age_text(*left) + " left";
  return text;
}

// 'by root: "disk swap"', either part alone, or nothing.
std::string reason_text(const json& copy) {
  const std::string cause = escaped(text_field(copy, "cause"));
  const std::string comment = escaped(text_field(copy, "comment"));
  if (comment.empty()) return cause;
  return cause.empty() || cause == comment ? "\"" + comment + "\"" : cause + ": \"" + comment + "\"";
}

// What of the scrub a person has to know at once; scrub_lines() has the rest.
std::string scrub_text(const json& scrub) {
  std::string text;
  if (const std::string waiting = text_field(scrub, "waiting"); !waiting.empty()) append(text, "rotten " + escaped(waiting));
  if (const std::uint64_t repaired = count_field(scrub, "repaired_pages").value_or(0); repaired > 0)
    append(text, fmt::format("{} page{} repaired", repaired, repaired == 1 ? "" : "s"));
  if (flag_field(scrub, "overdue")) append(text, "scrub overdue");
  return text;
}

std::vector<std::string> scrub_lines(const json& scrub, WallTime now, Detail detail) {
  if (!scrub.is_object() || detail != Detail::full) return {};
  std::string text = "scrub: ";
  const std::optional<double> done = number_field(scrub, "done_bytes"), total = number_field(scrub, "total_bytes");
  if (!number_field(scrub, "every_seconds") && !flag_field(scrub, "asked")) text += "off";
  else if (done && total && *total > 0) text += fmt::format("{:.1f} % of this pass", 100.0 * *done / *total);
  else if (done) text += "in a pass";
  else text += "rests";
  const std::string finished = text_field(scrub, "finished_at");
  text += finished.empty() ? ", no pass is finished yet" : ", last pass ended " + rough_age_text(seconds_since(finished, now)) + " ago";
  text += fmt::format(", {} rotten, {} repaired", count_field(scrub, "rotten_pages").value_or(0), count_field(scrub, "repaired_pages").value_or(0));
  return {text};
}

// Of a log that is kept beside what copies need.
std::vector<std::string> retention_lines(const json& copy, WallTime now, Detail detail) {
  const json& kept = field(copy, "retention");
  const std::string policy = text_field(kept, "policy"), taken = text_field(field(copy, "last_backup"), "taken_at");
  const bool circular = policy.empty() || policy == "circular";
  if (detail != Detail::full || (circular && taken.empty())) return {};
  std::string text = "log: " + (circular ? "circular" : escaped(policy));
  if (!circular) text += ", from " + generation_text(field(kept, "keeps_from")) + " on";
  if (flag_field(kept, "broken")) text += ", log_budget took what was before";
  text += taken.empty() ? ", no backup is known" : ", last backup " + rough_age_text(seconds_since(taken, now)) + " ago";
  return {text};
}

// What a commit's answer is worth: of SQLite, and where nothing else is configured, nothing on another host.
std::vector<std::string> commit_lines(const json& commits, Detail detail) {
  const std::string mode = text_field(commits, "mode");
  if (detail != Detail::full || mode.empty()) return {};
  const bool fallen_back = flag_field(commits, "fallen_back");
  const std::string text = "commits: " + (mode == "async" ? "asynchronous" : escaped(mode)) + (fallen_back ? ", fallen back to asynchronous" : "");
  return {text + (mode == "async" || fallen_back ? ": what no copy has yet is lost with this host" : ": answered when a copy has them")};
}

// "delayed 1h, holds 12m 03s, next in 0.4s"
std::string delay_text(const json& delay) {
  const std::optional<double> lag = number_field(delay, "seconds"), behind = number_field(delay, "behind_seconds");
  if (!lag || *lag <= 0) return "";
  std::string text = "delayed " + age_text(*lag);
  if (behind) text += ", holds " + (*behind > 0 ? age_text(*behind) : "nothing");
  if (flag_field(delay, "rests")) return text + ", replay rests: an activation --until may follow";
  if (const std::optional<double> due = number_field(delay, "due_in_seconds")) text += ", next in " + age_text(*due);
  return text;
}

std::string remark_text(const json& copy, WallTime now) {
  std::string text = seed_text(field(copy, "seed"));
  append(text, reason_text(copy));
  if (!text_field(copy, "queues_as_of").empty()) append(text, "queues as last heard");
  append(text, delay_text(field(copy, "replay_lag")));
  const json& equal_at = field(copy, "root_equal_at");
  if (equal_at.is_object()) append(text, "root equal at " + generation_text(equal_at));
  const std::string verified = text_field(copy, "disk_verified_at");
  if (!verified.empty()) append(text, "disk verified " + rough_age_text(seconds_since(verified, now)) + " ago");
  append(text, scrub_text(field(copy, "scrub")));
  const std::string kept = forecast_text(field(copy, "log_forecast"));
  if (!kept.empty()) append(text, "log " + kept);
  return text;
}

TextTable::Row row_of(const std::string& database, const json& copy, WallTime now, Detail detail) {
  const std::string role = text_field(copy, "role");
  const std::string state = text_field(copy, "state");
  const std::string since = text_field(copy, "since");
  const bool active = role == "active";
  TextTable::Row row;
  row.cells.push_back({escaped(database), Style::none});
  row.cells.push_back({escaped(text_field(copy, "node")), Style::none});
  row.cells.push_back({role.empty() ? "?" : escaped(role), Style::none});
  row.cells.push_back({state.empty() ? "?" : escaped(state_title(state)), style_of(state)});
  row.cells.push_back({active ? "-" : queue_text(field(copy, "copy_queue")), Style::none});
  row.cells.push_back({active ? "-" : queue_text(field(copy, "replay_queue")), Style::none});
  row.cells.push_back({number_text(copy, "ship_bytes_per_second", active ? "-" : "?", rate_text), Style::none});
  row.cells.push_back({active ? "-" : number_text(copy, "lag_seconds", "?", seconds_text), Style::none});
  row.cells.push_back({generation_text(field(copy, active ? "generated" : "inspected")), Style::none});
  row.cells.push_back({since.empty() ? "?" : age_text(seconds_since(since, now)), Style::none});
  row.remark = remark_text(copy, now);
  const std::string hint = escaped(text_field(copy, "hint"));
  if (!hint.empty()) row.notes.push_back("hint: " + hint);
  for (std::string& line : connection_lines(field(copy, "connection"), detail)) row.notes.push_back(std::move(line));
  for (std::string& line : scrub_lines(field(copy, "scrub"), now, detail)) row.notes.push_back(std::move(line));
  for (std::string& line : commit_lines(field(copy, "commits"), detail)) row.notes.push_back(std::move(line));
  for (std::string& line : retention_lines(copy, now, detail)) row.notes.push_back(std::move(line));
  for (std::string& line : shipped_lines(field(copy, "shipped"), detail)) row.notes.push_back(std::move(line));
  return row;
}

// One number where all databases agree, else each with its name.
std::string epochs_text(const json& databases) {
  std::string each;
  bool same = true;
  for (const json& database : databases) {
    same = same && field(database, "epoch") == field(databases.front(), "epoch");
    const std::optional<std::uint64_t> epoch = count_field(database, "epoch");
    append(each, escaped(text_field(database, "name")) + " " + (epoch ? std::to_string(*epoch) : "?"));
  }
  if (databases.empty()) return "";
  const std::optional<std::uint64_t> first = count_field(databases.front(), "epoch");
  if (same) return "   epoch " + (first ? std::to_string(*first) : "?");
  return "   epochs " + each;
}

bool tls_off(const json& status) {
  if (text_field(status, "tls") == "off") return true;
  for (const json& database : list_field(status, "databases")) {
    for (const json& copy : list_field(database, "copies")) {
      if (text_field(field(copy, "connection"), "tls") == "off") return true;
    }
  }
  return false;
}

std::string heading_text(const json& status, bool color) {
  std::string text =
      fmt::format("cluster {}   this node {}", escaped(text_field(status, "cluster")), escaped(text_field(status, "node")));
  text += epochs_text(list_field(status, "databases"));
  if (tls_off(status)) text += "   " + styled("TLS off", Style::attention, color);
  if (const std::optional<double> days = number_field(field(status, "certificate"), "days_left"); days && *days < engine::certificate_warning_days) {
    const std::string words = *days < 0 ? "certificate expired" : fmt::format("certificate expires in {:.0f} days", *days);
    text += "   " + styled(words, *days < 0 ? Style::bad : Style::attention, color);
  }
  if (field(status, "daemon") == false)
    text += "   " + styled("(from the state file, daemon not running)", Style::attention, color);
  return text + "\n";
}

// A line for each node with a choice: "paths to alpha: 10.77.0.1:64327 down for 12s (…), 10.78.0.1:64327 up 0.2 ms".
std::string paths_text(const json& paths, WallTime now, Detail detail) {
  std::map<std::string, std::string> lines;
  std::set<std::string> shown;
  for (const json& path : paths) {
    const std::string peer = escaped(text_field(path, "peer")), state = text_field(path, "state");
    std::string text = escaped(text_field(path, "path")) + " " + escaped(state);
    if (const std::optional<double> rtt = number_field(path, "rtt_seconds")) text += fmt::format(" {:.1f} ms", *rtt * 1000);
    if (state == "down") {
      text += " for " + age_text(seconds_since(text_field(path, "since"), now));
      if (const std::string cause = text_field(path, "cause"); !cause.empty()) text += " (" + escaped(cause) + ")";
    }
    if (state == "down" || detail == Detail::full) shown.insert(peer);
    std::string& line = lines[peer];
    line += (line.empty() ? "" : ", ") + text;
  }
  std::string text;
  for (const std::string& peer : shown) text += "paths to " + peer + ": " + lines[peer] + "\n";
  return text;
}

}  // namespace

std::string state_title(const std::string& name) {
  std::string title;
  bool capital = true;
  for (const char c : name) {
    if (c != '_') title += capital ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    capital = c == '_';
  }
  return title;
}

std::string state_name(const std::string& typed) {
  std::string name;
  for (const char c : typed) {
    const bool capital = c >= 'A' && c <= 'Z';
    if (capital && !name.empty() && name.back() != '_') name += '_';
    name += c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

std::string status_text(const json& status, WallTime now, bool color, Detail detail) {
  const json& databases = list_field(status, "databases");
  if (databases.empty()) return heading_text(status, color) + "no databases\n";
  TextTable table({"DATABASE", "NODE", "ROLE", "STATE", "COPY QUEUE", "REPLAY QUEUE", "RATE", "LAG", "GENERATION", "SINCE"});
  for (const json& database : databases) {
    const std::string name = text_field(database, "name");
    for (const json& copy : list_field(database, "copies")) table.add(row_of(name, copy, now, detail));
  }
  return heading_text(status, color) + paths_text(list_field(status, "paths"), now, detail) + table.text(color);
}

}  // namespace ccr::tools
