#include "tools/drill_look.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "tools/json_fields.h"
#include "tools/pair_facts.h"
#include "tools/seed_overview.h"

namespace ccr::tools {

using nlohmann::json;

Position look_position(const json& position) {
  const std::optional<std::uint64_t> generation = count_field(position, "generation"), offset = count_field(position, "offset");
  return generation && offset ? Position{{*generation}, *offset} : Position{};
}

Position position_of_text(const std::string& text) {
  Position read;
  const char* const end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, read.generation.number, 16);
  if (code != std::errc{}) return {};
  if (at == end) return Position::start_of(read.generation);
  const auto [rest, failed] = std::from_chars(at + 1, end, read.offset);
  return *at == '+' && failed == std::errc{} && rest == end ? read : Position{};
}

std::optional<std::uint64_t> DrillLook::log_behind(std::uint64_t generation_bytes) const {
  if (!generated.known() || !durable.known()) return std::nullopt;
  return distance(durable, generated, generation_bytes).value;
}

DrillLook look_of(const json& copy, double at_seconds) {
  DrillLook look;
  look.at_seconds = at_seconds;
  look.state = text_field(copy, "state");
  look.cause = text_field(copy, "cause");
  look.root = text_field(copy, "root_equal");
  look.root_at = look_position(field(copy, "root_equal_at"));
  look.generated = look_position(field(copy, "generated"));
  look.durable = look_position(field(copy, "durable"));
  look.commit = count_field(copy, "replayed_commit");
  const json& seed = field(copy, "seed");
  look.lag_seconds = number_field(copy, "lag_seconds");
  if (!look.lag_seconds) look.lag_seconds = number_field(seed, "log_lag_seconds");
  look.seeding = flag_field(seed, "running");
  look.done_bytes = count_field(seed, "done_bytes").value_or(0);
  look.total_bytes = count_field(seed, "total_bytes").value_or(0);
  look.wire_bytes = count_field(seed, "wire_bytes").value_or(0);
  look.logical_bytes = count_field(seed, "logical_bytes").value_or(0);
  look.extents_sent = count_field(seed, "extents_sent").value_or(0);
  look.extents_equal = count_field(seed, "extents_equal").value_or(0);
  look.cuts = count_field(seed, "cuts");
  look.extents_again = count_field(seed, "extents_again");
  return look;
}

PairLook pair_look_of(const json& own, const json& other, const std::string& database, const std::string& node, double at_seconds) {
  PairLook look;
  const json& copy = copy_in(own, database, node);
  look.copy = look_of(copy, at_seconds);
  look.since = text_field(copy, "since");
  look.log_bytes = count_field(field(copy, "shipped"), "logical_bytes");
  look.wire_bytes = count_field(field(copy, "shipped"), "wire_bytes");
  const json& shown = copy_in(other, database, node);
  look.other_state = text_field(shown, "state");
  look.other_cause = text_field(shown, "cause");
  look.other_since = text_field(shown, "since");
  const json& active = copy_in(other, database, text_field(other, "node"));
  look.active_state = text_field(active, "state");
  look.active_cause = text_field(active, "cause");
  look.active_since = text_field(active, "since");
  for (const json* status : {&own, &other}) {
    const std::string name = text_field(*status, "node");
    const json& there = copy_in(*status, database, name);
    if (text_field(there, "role") != "active" || text_field(there, "state") != "mounted") continue;
    look.serves = name;
    look.commit = count_field(there, "commit");
  }
  return look;
}

}  // namespace ccr::tools
