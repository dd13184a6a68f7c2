#include "tools/drill_facts.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tools/json_fields.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

Position position_of(const json& position) {
  const std::optional<std::uint64_t> generation = count_field(position, "generation"), offset = count_field(position, "offset");
  return generation && offset ? Position{{*generation}, *offset} : Position{};
}

template <class Value>
void keep_most(std::optional<Value>& most, const std::optional<Value>& value) {
  if (value && (!most || *value > *most)) most = value;
}

}  // namespace

const char* name_of(DrillKind kind) noexcept {
  switch (kind) {
    case DrillKind::reseed:
      return "reseed";
    case DrillKind::reseed_under_load:
      return "reseed-under-load";
    case DrillKind::interrupted_reseed:
      return "interrupted-reseed";
    case DrillKind::rot:
      return "rot";
  }
  return "";
}

std::optional<DrillKind> drill_of(const std::string& name) {
  for (const DrillKind kind : drill_kinds) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
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
  look.root_at = position_of(field(copy, "root_equal_at"));
  look.generated = position_of(field(copy, "generated"));
  look.durable = position_of(field(copy, "durable"));
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

std::optional<double> lag_most(const DrillFacts& facts) {
  std::optional<double> most;
  for (const DrillLook& look : facts.samples) keep_most(most, look.lag_seconds);
  return most;
}

std::optional<std::uint64_t> log_behind_most(const DrillFacts& facts) {
  std::optional<std::uint64_t> most;
  for (const DrillLook& look : facts.samples) keep_most(most, look.log_behind(facts.generation_bytes));
  return most;
}

std::optional<std::uint64_t> log_moved(const DrillFacts& facts) {
  if (!facts.before || !facts.after || !facts.before->generated.known() || !facts.after->generated.known()) return std::nullopt;
  return distance(facts.before->generated, facts.after->generated, facts.generation_bytes).value;
}

}  // namespace ccr::tools
