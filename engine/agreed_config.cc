#include "engine/agreed_config.h"

namespace ccr::engine {

std::string agreed_text(const Config& config) {
  std::string text = "cluster " + config.cluster + "\n";
  for (const auto& [name, node] : config.nodes) {
    text += "node " + name;
    for (const transport::Endpoint& address : node.addresses) text += " " + address.text();
    text += "\n";
  }
  for (const auto& [name, database] : config.databases) {
    text += "database " + name + " " + name_of(database.kind) + " " + std::to_string(database.generation_bytes) + " " + name_of(database.commit);
    for (const std::string& copy : database.copies) text += " " + copy;
    text += "\n";
  }
  return text;
}

Digest64 agreed_digest(const Config& config) {
  const std::string text = agreed_text(config);
  return digest64(as_bytes(text));
}

ClockSeen clock_seen(WallTime told, WallTime heard, Duration round_trip) noexcept {
  return {Duration(told.nanoseconds - heard.nanoseconds) + round_trip / 2, round_trip};
}

}  // namespace ccr::engine
