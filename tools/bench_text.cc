#include "tools/bench_text.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

std::string count_text(const json& object, const char* key) {
  const std::optional<std::uint64_t> count = count_field(object, key);
  return count ? std::to_string(*count) : "-";
}

std::string rate_of(const json& object, const char* key) {
  const std::optional<double> rate = number_field(object, key);
  return rate ? rate_text(*rate) : "-";
}

std::string processors_text(const json& object, const char* key) {
  const std::optional<double> processors = number_field(object, key);
  return processors ? fmt::format("{:.2f}", *processors) : "-";
}

std::string share_text(const std::optional<double>& share) { return share ? fmt::format("{:.0f} %", *share * 100) : "-"; }

std::string microseconds_text(double us) {
  return us < 10'000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
}

std::string percentile_text(const json& line, const char* key) {
  const std::optional<double> us = number_field(line, key);
  return us ? microseconds_text(*us) : "-";
}

std::string latency_table(const json& result) {
  TextTable table({"LATENCY", "COUNT", "LEAST", "P50", "P90", "P99", "P99.9", "MOST"});
  const json& lines = list_field(result, "percentiles");
  for (const json& line : lines) {
    table.add({{{escaped(text_field(line, "name"))},
                {count_text(line, "count")},
                {percentile_text(line, "least")},
                {percentile_text(line, "p50")},
                {percentile_text(line, "p90")},
                {percentile_text(line, "p99")},
                {percentile_text(line, "p999")},
                {percentile_text(line, "most")}},
               "",
               {}});
  }
  return lines.empty() ? "" : "\n" + table.text(false);
}

std::string heading(const json& result, const std::string& what) {
  const std::string peer = text_field(result, "peer");
  return fmt::format("{}: {}{}, {:.1f} s, {}\n", what, escaped(text_field(result, "node")),
                     peer.empty() ? "" : " with " + escaped(peer), number_field(result, "seconds").value_or(0),
                     escaped(text_field(result, "when")));
}

double most_from(const json& runs, const std::string& from) {
  double most = 0;
  for (const json& run : runs) {
    if (text_field(run, "from") == from) most = std::max(most, number_field(run, "bytes_per_second").value_or(0));
  }
  return most;
}

// Runs that are steps of one measurement have names.
std::string runs_table(const json& result) {
  const json& runs = list_field(result, "runs");
  if (runs.empty()) return "";
  const bool steps = !text_field(runs.front(), "name").empty();
  const std::string here = text_field(result, "node");
  std::vector<std::string> headings{"DIRECTION", "STREAMS", "RATE", "SHARE",  "CPU HERE",
                                    "CPU THERE", "WINDOW",  "RTT",  "RESENT", "CONGESTION"};
  if (steps) headings.insert(headings.begin() + 1, "STEP");
  TextTable table(std::move(headings));
  for (const json& run : runs) {
    const json& connections = list_field(run, "connections");
    const json& first = connections.empty() ? json() : connections.front();
    const std::string from = text_field(run, "from");
    const double rate = number_field(run, "bytes_per_second").value_or(0), most = most_from(runs, from);
    const std::optional<std::uint64_t> window =
        count_field(first, from == here ? "peer_window" : "window_granted");  // of the end that receives
    const std::optional<double> round_trip = number_field(first, "rtt_seconds");
    const std::string congestion = text_field(run, "congestion");
    TextTable::Row row{{{escaped(from + " to " + text_field(run, "to"))},
                        {count_text(run, "streams")},
                        {rate_text(rate)},
                        {share_text(most > 0 ? std::optional<double>(rate / most) : std::nullopt)},
                        {processors_text(run, "processors_here")},
                        {processors_text(run, "processors_there")},
                        {window ? size_text(*window) : "-"},
                        {round_trip ? microseconds_text(*round_trip * 1e6) : "-"},
                        {count_text(run, "retransmits")},
                        {congestion.empty() ? "-" : escaped(congestion)}},
                       "",
                       {}};
    if (steps) row.cells.insert(row.cells.begin() + 1, {escaped(text_field(run, "name"))});
    table.add(std::move(row));
  }
  return "\n" + table.text(false);
}

std::string verdict_text(const json& result) { return "\n" + escaped(text_field(field(result, "verdict"), "text")) + "\n"; }

std::string rows_table(const json& result) {
  TextTable table({"NODE", "BLOCK", "SYNCS/S", "RATE", "SHARE"});
  const json &rows = list_field(result, "rows"), &shares = list_field(result, "shares");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const json& row = rows[i];
    const std::optional<std::uint64_t> block = count_field(row, "block_bytes");
    const std::optional<double> syncs = number_field(row, "syncs_per_second");
    table.add({{{escaped(text_field(row, "node"))},
                {block ? size_text(*block) : "-"},
                {syncs ? fmt::format("{:.0f}", *syncs) : "-"},
                {rate_of(row, "bytes_per_second")},
                {share_text(i < shares.size() ? number_field(shares[i], "share") : std::nullopt)}},
               "",
               {}});
  }
  return "\n" + table.text(false);
}

std::string measured_log_text(const json& result) {
  return heading(result, "log") + "directory " + escaped(text_field(result, "directory")) + "\n" + rows_table(result) +
         latency_table(result) + verdict_text(result);
}

std::string per_second_table(const json& result) {
  TextTable table({"SECOND", "COMMITS/S", "PAGES", "LOG", "WIRE", "P50 THERE", "P99 THERE", "ON THE WAY", "CPU HERE"});
  double at = 0;
  for (const json& row : list_field(result, "per_second")) {
    at += number_field(row, "seconds").value_or(0);
    const std::optional<double> commits = number_field(row, "commits_per_second");
    table.add({{{fmt::format("{:.1f}", at)},
                {commits ? fmt::format("{:.0f}", *commits) : "-"},
                {rate_of(row, "page_bytes_per_second")},
                {rate_of(row, "log_bytes_per_second")},
                {rate_of(row, "wire_bytes_per_second")},
                {percentile_text(row, "durable_there_p50_us")},
                {percentile_text(row, "durable_there_p99_us")},
                {count_text(row, "on_the_way")},
                {processors_text(row, "processors_here")}},
               "",
               {}});
  }
  return "\n" + table.text(false);
}

std::string bytes_text(const json& object, const char* key) {
  const std::optional<std::uint64_t> bytes = count_field(object, key);
  return bytes ? size_text(*bytes) : "-";
}

std::string amounts_line(const json& result) {
  const json& many = field(result, "many_clients");
  return fmt::format("\n{} commits: {} of pages, {} of log, {} on the wire; CPU {} here, {} there\n", count_text(many, "commits"),
                     bytes_text(many, "page_bytes"), bytes_text(many, "log_bytes"), bytes_text(many, "wire_bytes"),
                     processors_text(many, "processors_here"), processors_text(many, "processors_there"));
}

std::string stages_table(const json& result) {
  TextTable table({"STAGE", "USED", "LIMIT", "SHARE"});
  const json& stages = field(result, "stages");
  for (const json& stage : list_field(stages, "carriers"))
    table.add({{{escaped(text_field(stage, "name"))},
                {rate_of(stage, "used")},
                {rate_of(stage, "limit")},
                {share_text(number_field(stage, "share"))}},
               "",
               {}});
  for (const json& stage : list_field(stages, "processors"))
    table.add({{{escaped(text_field(stage, "name"))},
                {processors_text(stage, "used")},
                {processors_text(stage, "limit")},
                {share_text(number_field(stage, "share"))}},
               "",
               {}});
  return "\n" + table.text(false);
}

std::string databases_table(const json& result) {
  TextTable table({"DATABASE", "BYTES", "SECONDS", "RATE", "WIRE", "CPU HERE", "CPU THERE", "ROOT"});
  const auto row = [](const std::string& name, const json& seeded) {
    const std::optional<double> seconds = number_field(seeded, "seconds");
    return TextTable::Row{{{name},
                           {bytes_text(seeded, "bytes")},
                           {seconds ? fmt::format("{:.2f}", *seconds) : "-"},
                           {rate_of(seeded, "bytes_per_second")},
                           {bytes_text(seeded, "wire_bytes")},
                           {processors_text(seeded, "processors_here")},
                           {processors_text(seeded, "processors_there")},
                           {flag_field(seeded, "root_equal") ? "equal" : "DIFFERS"}},
                          "",
                          {}};
  };
  for (const json& each : list_field(result, "databases")) table.add(row(count_text(each, "database"), each));
  table.add(row("together", field(result, "together")));
  return "\n" + table.text(false);
}

std::string seed_seconds_table(const json& result) {
  TextTable table({"SECOND", "PAGES", "WIRE", "CPU HERE"});
  double at = 0;
  for (const json& row : list_field(result, "per_second")) {
    at += number_field(row, "seconds").value_or(0);
    table.add({{{fmt::format("{:.1f}", at)}, {rate_of(row, "page_bytes_per_second")}, {rate_of(row, "wire_bytes_per_second")}, {processors_text(row, "processors_here")}}, "", {}});
  }
  return "\n" + table.text(false);
}

std::string measured_seed_text(const json& result) {
  return heading(result, "seed") + "directory " + escaped(text_field(result, "directory")) + "\n" + seed_seconds_table(result) + databases_table(result) +
         stages_table(result) + verdict_text(result);
}

std::string measured_ship_text(const json& result) {
  return heading(result, "ship " + escaped(text_field(result, "database"))) + per_second_table(result) + amounts_line(result) +
         latency_table(result) + stages_table(result) + verdict_text(result);
}

std::string measured_link_text(const json& result) {
  return heading(result, text_field(result, "kind") == "tune" ? "tune" : "link") + latency_table(result) + runs_table(result) +
         verdict_text(result);
}

}  // namespace

std::string bench_text(const json& result) {
  const std::string kind = text_field(result, "kind");
  if (kind == "bench_log") return measured_log_text(result);
  if (kind == "bench_ship") return measured_ship_text(result);
  if (kind == "bench_seed") return measured_seed_text(result);
  return measured_link_text(result);
}

}  // namespace ccr::tools
