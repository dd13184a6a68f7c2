#include "tools/drill_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

std::string size_of(const json& object, const char* key) {
  const std::optional<std::uint64_t> bytes = count_field(object, key);
  return bytes ? size_text(*bytes) : "unknown";
}

std::string rate_or_unknown(const json& object, const char* key) {
  const std::optional<double> rate = number_field(object, key);
  return rate ? rate_text(*rate) : "unknown";
}

std::string seconds_field(const json& object, const char* key) {
  const std::optional<double> seconds = number_field(object, key);
  return seconds ? seconds_text(*seconds) : "unknown";
}

std::string root_of(const json& result, const char* key) {
  const json& root = field(result, key);
  const std::string text = text_field(root, "root");
  const json& at = field(root, "equal_at");
  const std::optional<std::uint64_t> generation = count_field(at, "generation"), offset = count_field(at, "offset");
  if (text.empty()) return "unknown";
  return escaped(text) + (generation && offset ? fmt::format(", equal on both nodes at {}+{}", to_hex(*generation), *offset) : "");
}

void add(TextTable& table, std::string name, std::string value) { table.add({{{std::move(name)}, {std::move(value)}}, "", {}}); }

std::string amounts_table(const json& result) {
  const json& amounts = field(result, "amounts");
  TextTable table({"AMOUNT", "VALUE"});
  const std::optional<double> share = number_field(amounts, "share_of_link");
  const json& limits = list_field(result, "limits");
  for (const json& row : list_field(result, "amount_rows")) add(table, escaped(text_field(row, "name")), escaped(text_field(row, "value")));
  if (!list_field(result, "amount_rows").empty()) return table.text(false);
  if (field(amounts, "seconds_to_pages").is_null() && text_field(result, "kind") == "drill_rot") {
    add(table, "repaired by", escaped(text_field(field(result, "rot"), "repaired_by")));
    add(table, "root before", root_of(result, "root_before"));
    add(table, "root after", root_of(result, "root_after"));
    return table.text(false);
  }
  add(table, "database", size_of(amounts, "bytes"));
  add(table, "pages that crossed", size_of(amounts, "page_bytes_on_the_way"));
  add(table, "on the wire", size_of(amounts, "wire_bytes"));
  add(table, "until its pages were here", seconds_field(amounts, "seconds_to_pages"));
  add(table, "until it was healthy", seconds_field(amounts, "seconds_to_healthy"));
  add(table, "rate of pages", rate_or_unknown(amounts, "bytes_per_second"));
  add(table, "rate on the wire", rate_or_unknown(amounts, "wire_bytes_per_second"));
  add(table, "share of the link",
      share ? fmt::format("{:.0f} % of {}", *share * 100, limits.empty() ? "-" : rate_or_unknown(limits.front(), "bytes_per_second")) : "unknown");
  add(table, "log made meanwhile", size_of(amounts, "log_bytes_made"));
  add(table, "log behind at most", size_of(amounts, "log_behind_bytes_most"));
  add(table, "log lag at most", seconds_field(amounts, "lag_seconds_most"));
  const json& restored = field(result, "restored");
  if (restored.is_object()) {
    add(table, "the older file, commit", std::to_string(count_field(restored, "backup_commit").value_or(0)));
    add(table, "the copy then, commit", count_field(restored, "commit") ? std::to_string(*count_field(restored, "commit")) : "unknown");
  }
  const json& cuts = field(result, "cuts");
  if (cuts.is_object()) {
    add(table, "cuts", fmt::format("{}, extents asked for again {}", count_field(cuts, "made").value_or(0),
                                   count_field(cuts, "extents_again") ? std::to_string(*count_field(cuts, "extents_again")) : "unknown"));
  }
  add(table, "root before", root_of(result, "root_before"));
  add(table, "root after", root_of(result, "root_after"));
  return table.text(false);
}

std::string checks_table(const json& result, bool color) {
  TextTable table({"VERDICT", "CHECK", "EXPECTED", "FOUND"});
  for (const json& check : list_field(result, "checks")) {
    const bool holds = flag_field(check, "holds");
    table.add({{{holds ? "PASS" : "FAIL", holds ? Style::good : Style::bad},
                {escaped(text_field(check, "check"))},
                {escaped(text_field(check, "expected"))},
                {escaped(text_field(check, "found"))}},
               "",
               {}});
  }
  return table.text(color);
}

}  // namespace

std::string drill_text(const json& result, bool color) {
  std::string text = fmt::format("{}@{} {} {}, {:.1f} s, {}\n\n", escaped(text_field(result, "database")), escaped(text_field(result, "node")),
                                 field(result, "pair").is_object() ? "with" : "from", escaped(text_field(result, "peer")), number_field(result, "seconds").value_or(0), escaped(text_field(result, "when")));
  if (!field(result, "root_before").is_null()) text += amounts_table(result) + "\n";
  text += checks_table(result, color) + "\n";
  for (const json& warning : list_field(result, "warnings")) {
    if (warning.is_string()) text += styled("WARNING", Style::attention, color) + " " + escaped(warning.get<std::string>()) + "\n";
  }
  const bool pass = flag_field(result, "pass");
  return text + styled(escaped(text_field(field(result, "verdict"), "text")), pass ? Style::good : Style::bad, color) + "\n";
}

}  // namespace ccr::tools
