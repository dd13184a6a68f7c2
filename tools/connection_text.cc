#include "tools/connection_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/path_costs.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

bool is_off(const json& connection, const char* key) { return field(connection, key) == false; }

std::string size_or_unknown(const json& object, const char* key) {
  const std::optional<std::uint64_t> bytes = count_field(object, key);
  return bytes ? size_text(*bytes) : "?";
}

std::string scale_text(const json& connection) {
  if (is_off(connection, "window_scaling")) return "scale off";
  const json& scales = list_field(connection, "window_scale");
  const auto one = [&](std::size_t side) {
    return side < scales.size() && scales[side].is_number_integer() ? std::to_string(scales[side].get<int>()) : "?";
  };
  return fmt::format("scale {} here, {} there", one(0), one(1));
}

std::string asked_text(const json& connection) {
  const std::optional<std::uint64_t> asked = count_field(connection, "window_asked");
  return !asked ? "?" : *asked == 0 ? "auto" : size_text(*asked);
}

std::string congestion_text(const json& connection) {
  const std::string asked = text_field(connection, "congestion_asked");
  const std::string used = text_field(connection, "congestion");
  return escaped(used.empty() ? "?" : used) + (asked.empty() || asked == used ? "" : " (" + escaped(asked) + ")");
}

std::string link_text(const json& connection) {
  const std::optional<double> round_trip = number_field(connection, "rtt_seconds");
  const std::optional<double> rate = number_field(connection, "delivery_rate");
  const std::optional<std::uint64_t> resent = count_field(connection, "retransmits");
  return fmt::format("round trip {}, delivers {}, {} retransmits", round_trip ? fmt::format("{:.3g} ms", *round_trip * 1e3) : "?",
                     rate ? rate_text(*rate) : "?", resent ? std::to_string(*resent) : "?");
}

std::string full_text(const json& connection) {
  const std::string cipher = text_field(connection, "tls");
  return fmt::format("{}: window {}, granted {}, peer's {}, {}; {}; {}{}", escaped(text_field(connection, "path")),
                     asked_text(connection), size_or_unknown(connection, "window_granted"),
                     size_or_unknown(connection, "peer_window"), scale_text(connection), link_text(connection),
                     congestion_text(connection), cipher.empty() ? "" : "; " + escaped(cipher));
}

std::string held_text(const json& held) {
  return fmt::format("{} is {} and holds this connection back, its next step is {}: ccr tune --rate … --rtt … --sysctl says what to set",
                     escaped(text_field(held, "setting")), size_or_unknown(held, "here"), size_or_unknown(held, "wanted"));
}

}  // namespace

std::vector<std::string> shipped_lines(const json& shipped, Detail detail) {
  const std::uint64_t logical = count_field(shipped, "logical_bytes").value_or(0);
  if (detail != Detail::full || logical == 0) return {};
  const std::uint64_t wire = count_field(shipped, "wire_bytes").value_or(0);
  const double percent = 100.0 * static_cast<double>(wire) / static_cast<double>(logical);
  std::string text = fmt::format("log {}, on the wire {} ({:.1f} %)", size_text(logical), size_text(wire), percent);
  const std::uint64_t level = count_field(shipped, "level").value_or(0);
  if (level > 0) text += fmt::format("; zstd {} with a history of {}", level, size_or_unknown(shipped, "history_bytes"));
  const std::string reason = text_field(shipped, "reason");
  if (!reason.empty()) text += std::string(level > 0 ? "" : "; not packed") + ": " + escaped(reason);
  return {text};
}

std::vector<std::string> connection_lines(const json& connection, Detail detail) {
  std::vector<std::string> lines;
  if (!connection.is_object()) return lines;
  if (detail == Detail::full) lines.push_back(full_text(connection));
  PathFacts facts;
  facts.scaling = !is_off(connection, "window_scaling");
  facts.timestamps = !is_off(connection, "timestamps");
  const double seconds = number_field(connection, "rtt_seconds").value_or(0);
  facts.round_trip = duration_of(seconds);
  for (const PathCost& cost : path_costs(facts)) lines.push_back("warning: " + cost.what + ": " + cost.hint);
  const json& held = field(connection, "held");
  if (held.is_object()) lines.push_back("warning: " + held_text(held));
  return lines;
}

}  // namespace ccr::tools
