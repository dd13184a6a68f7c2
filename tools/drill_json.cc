#include "tools/drill_json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/pair_text.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

template <class Value>
json told(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

json position_of(Position position) {
  if (!position.known()) return nullptr;
  return {{"generation", position.generation.number}, {"offset", position.offset}};
}

json root_of(const std::optional<DrillLook>& look) {
  if (!look || look->root.empty()) return nullptr;
  return {{"root", look->root}, {"equal_at", position_of(look->root_at)}};
}

json rate_of(std::uint64_t bytes, const std::optional<double>& seconds) {
  return seconds && *seconds > 0 ? json(static_cast<double>(bytes) / *seconds) : json(nullptr);
}

json amounts_of(const DrillFacts& facts) {
  const bool seeded = facts.after && facts.pages_seconds;
  const DrillLook last = facts.after.value_or(DrillLook{});
  json amounts{{"bytes", nullptr},         {"wire_bytes", nullptr},       {"page_bytes_on_the_way", nullptr}, {"bytes_per_second", nullptr},
               {"wire_bytes_per_second", nullptr}, {"extents_sent", nullptr}, {"extents_equal", nullptr},
               {"seconds_to_pages", told(facts.pages_seconds)}, {"seconds_to_healthy", told(facts.healthy_seconds)},
               {"share_of_link", nullptr}, {"lag_seconds_most", told(lag_most(facts))},
               {"log_behind_bytes_most", told(log_behind_most(facts))}, {"log_bytes_made", told(log_moved(facts))},
               {"writer", facts.writer.empty() ? json(nullptr) : json(facts.writer)}};
  if (!seeded) return amounts;
  amounts["bytes"] = last.done_bytes;
  amounts["wire_bytes"] = last.wire_bytes;
  amounts["page_bytes_on_the_way"] = last.logical_bytes;
  amounts["extents_sent"] = last.extents_sent;
  amounts["extents_equal"] = last.extents_equal;
  amounts["bytes_per_second"] = rate_of(last.done_bytes, facts.pages_seconds);
  amounts["wire_bytes_per_second"] = rate_of(last.wire_bytes, facts.pages_seconds);
  if (facts.link_bytes_per_second && *facts.link_bytes_per_second > 0 && *facts.pages_seconds > 0)
    amounts["share_of_link"] = static_cast<double>(last.wire_bytes) / *facts.pages_seconds / *facts.link_bytes_per_second;
  return amounts;
}

json series_of(const char* name, const char* unit, json values) {
  return {{"name", name}, {"unit", unit}, {"interval_seconds", 1}, {"values", std::move(values)}};
}

// Each sample is held against the one before it, at the time between them.
json series(const DrillFacts& facts) {
  json pages = json::array(), wire = json::array(), lag = json::array(), behind = json::array();
  DrillLook before;
  before.at_seconds = facts.seed_began;
  for (const DrillLook& look : facts.samples) {
    const double seconds = look.at_seconds - before.at_seconds;
    const auto rate = [seconds](std::uint64_t now, std::uint64_t then) {
      return seconds > 0 && now >= then ? json(static_cast<double>(now - then) / seconds) : json(nullptr);
    };
    pages.push_back(rate(look.done_bytes, before.done_bytes));
    wire.push_back(rate(look.wire_bytes, before.wire_bytes));
    lag.push_back(told(look.lag_seconds));
    behind.push_back(told(look.log_behind(facts.generation_bytes)));
    before = look;
  }
  return {series_of("pages", "bytes_per_second", std::move(pages)), series_of("wire", "bytes_per_second", std::move(wire)),
          series_of("log lag", "seconds", std::move(lag)), series_of("log behind", "bytes", std::move(behind))};
}

json checks_of(const DrillVerdict& verdict) {
  json checks = json::array();
  for (const DrillCheck& check : verdict.checks)
    checks.push_back({{"check", check.name}, {"holds", check.holds}, {"expected", check.expected}, {"found", check.found}});
  return checks;
}

void put_rot(json& document, const DrillFacts& facts) {
  if (!facts.rot) return;
  document["rot"] = {{"page", facts.rot->page},
                     {"bit", facts.rot->bit},
                     {"found", facts.rot->found},
                     {"found_total", facts.rot->found_total},
                     {"repaired_by", facts.rot->mended ? "verification" : "seed"},
                     {"equal_after", told(facts.rot->equal_after)}};
}

void put_restored(json& document, const DrillFacts& facts) {
  if (!facts.restored) return;
  document["restored"] = {{"backup_commit", facts.restored->backup_commit},
                          {"commit", told(facts.restored->commit)},
                          {"taken", told(facts.restored->taken)},
                          {"refusal", facts.restored->refusal},
                          {"equal_after", told(facts.restored->equal_after)}};
}

}  // namespace

json drill_json(const DrillFacts& facts, const DrillVerdict& verdict) {
  std::string kind = name_of(facts.kind);
  std::replace(kind.begin(), kind.end(), '-', '_');
  json document{{"schema", 1},
                {"kind", "drill_" + kind},
                {"when", facts.when},
                {"node", facts.node},
                {"peer", facts.active},
                {"database", facts.database},
                {"database_kind", facts.database_kind},
                {"seconds", facts.seconds},
                {"pass", verdict.pass},
                {"checks", checks_of(verdict)},
                {"warnings", verdict.warnings},
                {"amounts", amounts_of(facts)},
                {"root_before", root_of(facts.before)},
                {"root_after", root_of(facts.after)},
                {"percentiles", json::array()},
                {"series", facts.pair ? pair_series(facts) : series(facts)},
                {"limits", json::array()},
                {"shares", json::array()},
                {"verdict", {{"pass", verdict.pass}, {"text", verdict.text}}}};
  document["ended"] = facts.ended ? json{{"kind", ccr::name_of(facts.ended->kind)}, {"message", facts.ended->message}, {"hint", facts.ended->hint}} : json(nullptr);
  if (facts.kind == DrillKind::interrupted_reseed) {
    const DrillLook last = facts.after.value_or(DrillLook{});
    document["cuts"] = {{"wanted", facts.cuts_wanted}, {"made", facts.cuts_made}, {"counted", told(last.cuts)}, {"extents_again", told(last.extents_again)},
                        {"extents_in_flight_max", facts.extents_in_flight_max}};
  }
  put_rot(document, facts);
  put_restored(document, facts);
  if (facts.pair) {
    document["pair"] = pair_json(facts);
    document["amount_rows"] = pair_rows(facts);
    document["amounts"]["seconds_to_healthy"] = told(facts.pair->healthy_seconds);
    document["amounts"]["wire_bytes"] = told(facts.pair->fork ? facts.pair->fork->wire_bytes : facts.pair->wire_came);
  }
  if (facts.link_bytes_per_second) {
    const std::string link = "link, " + facts.active + " to " + facts.node;
    document["limits"].push_back({{"name", link}, {"bytes_per_second", *facts.link_bytes_per_second}});
    document["shares"].push_back({{"name", "what crossed"}, {"of", link}, {"share", document["amounts"]["share_of_link"]}});
  }
  return document;
}

std::vector<std::string> drill_plan(const DrillFacts& facts, const std::string& load) {
  const std::string copy = facts.database + "@" + facts.node;
  const std::string measured = "measure the link from " + facts.active + " to " + facts.node + " for a moment";
  const std::string seeded = "fetch every extent of " + copy + " from " + facts.active + " again; until it is healthy " + copy + " is no standby";
  const std::string compared = "wait until it is healthy, and compare the roots";
  switch (facts.kind) {
    case DrillKind::reseed:
      return {measured, seeded, compared};
    case DrillKind::reseed_under_load:
      return {measured, load, seeded, compared, "see whether log was made meanwhile"};
    case DrillKind::interrupted_reseed:
      return {measured, seeded, fmt::format("cut its connection {} times on the way, at random", facts.cuts_wanted), compared,
              "count what had to be asked for again"};
    case DrillKind::rot:
      return {"change one bit of a random page in the file of " + copy + "; until it is repaired " + copy + " is no standby",
              "verify " + copy + ", which must find that page and no other", "repair it, and compare the roots", "verify again, which must find nothing"};
    case DrillKind::restored_backup:
      return {"copy the pages of " + copy + " to a file beside its own, as ccr backup does", load,
              "suspend " + copy + ", and put the older file in the place of its own; until it is healthy again " + copy + " is no standby",
              "resume it, which must be refused", "seed it, of which only what differs crosses", "compare the roots, and verify"};
    case DrillKind::outage:
    case DrillKind::frozen_node:
    case DrillKind::disk_full:
    case DrillKind::failover:
    case DrillKind::fork: break;  // tools/pair_text.h
  }
  return {};
}

}  // namespace ccr::tools
