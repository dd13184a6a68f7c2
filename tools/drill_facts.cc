#include "tools/drill_facts.h"

namespace ccr::tools {
namespace {

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
    case DrillKind::restored_backup:
      return "restored-backup";
    case DrillKind::outage:
      return "outage";
    case DrillKind::frozen_node:
      return "frozen-node";
    case DrillKind::disk_full:
      return "disk-full";
    case DrillKind::failover:
      return "failover";
    case DrillKind::fork:
      return "fork";
  }
  return "";
}

std::optional<DrillKind> drill_of(const std::string& name) {
  for (const DrillKind kind : drill_kinds) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
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
