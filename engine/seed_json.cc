// What a measured seed says in JSON.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/measure_json.h"
#include "engine/status_parts.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

json per_second(std::uint64_t bytes, double seconds) {
  return seconds > 0 ? json(static_cast<double>(bytes) / seconds) : json(nullptr);
}

json database_of(const SeededProbe& seeded, int number) {
  return {{"database", number},
          {"bytes", seeded.bytes},
          {"wire_bytes", seeded.wire_bytes},
          {"seconds", seeded.seconds},
          {"bytes_per_second", per_second(seeded.bytes, seeded.seconds)},
          {"root_equal", seeded.root_equal}};
}

// Whole slots of a tenth of a second, of all databases together, as they became part of the peer's file.
json arrived(const std::vector<SeededProbe>& databases) {
  constexpr double slot_seconds = std::chrono::duration<double>(transport::measure_slot).count();
  std::vector<std::uint64_t> slots;
  for (const SeededProbe& each : databases) {
    if (slots.size() < each.slots.size()) slots.resize(each.slots.size());
    for (std::size_t i = 0; i < each.slots.size(); ++i) slots[i] += each.slots[i];
  }
  json values = json::array();
  for (const std::uint64_t bytes : slots) values.push_back(static_cast<double>(bytes) / slot_seconds);
  return values;
}

void put_stages(json& document, const ShipStages& stages) {
  for (const auto& [key, list] : {std::pair("carriers", &stages.carriers), std::pair("processors", &stages.processors)}) {
    json& told = document["stages"][key] = json::array();
    for (const ShipStage& stage : *list) {
      const bool known = stage.known();
      told.push_back({{"name", stage.name},
                      {"used", known ? json(stage.used) : json(nullptr)},
                      {"limit", stage.limit > 0 ? json(stage.limit) : json(nullptr)},
                      {"share", known ? json(stage.share()) : json(nullptr)}});
    }
  }
  for (const ShipStage& stage : stages.carriers) {
    document["limits"].push_back({{"name", stage.name}, {"bytes_per_second", stage.limit}});
    document["shares"].push_back(share_json("seed", stage.name, stage.used, stage.limit));
  }
  for (const ShipStage& stage : stages.processors) {
    if (stage.known()) document["shares"].push_back(share_json("one processor", stage.name, stage.used, stage.limit));
  }
}

}  // namespace

std::string seed_verdict(const MeasuredBy& by, const SeedReport& report) {
  const ShipStages stages = report.stages(by.node, by.peer);
  const double rate = report.seeding_seconds > 0 ? static_cast<double>(report.bytes()) / report.seeding_seconds : 0;
  std::string text = fmt::format("{}, {:.0f} MiB: {:.1f} MB/s", report.databases.size() == 1 ? "one database" : fmt::format("{} databases", report.databases.size()),
                                 static_cast<double>(report.bytes()) / static_cast<double>(MiB), rate / 1e6);
  if (report.databases.size() > 1) text += " together";
  if (const ShipStage* slowest = stages.slowest())
    text += fmt::format(", {:.0f} % of the slower limit ({}, {:.1f} MB/s)", 100 * slowest->share(), slowest->name, slowest->limit / 1e6);
  if (const ShipStage* limiting = stages.limiting()) {
    text += fmt::format("; limited by the {}, used to {:.0f} %", limiting->name, 100 * limiting->share());
  } else {
    text += fmt::format("; no stage was used to {:.0f} % of what it can alone", 100 * limiting_share_min);
  }
  if (report.seed_rate > 0) text += fmt::format("; measured without the limit seed_rate of {:.1f} MB/s", static_cast<double>(report.seed_rate) / 1e6);
  return text + (report.roots_equal() ? "; roots equal" : "; ROOTS DIFFER");
}

json seed_json(const MeasuredBy& by, const SeedReport& report) {
  json document = measured("bench_seed", by, report.seconds);
  document["directory"] = report.directory;
  document["making_seconds"] = report.making_seconds;
  document["seed_rate"] = rate_limit_json(report.seed_rate);
  document["databases"] = document["per_second"] = json::array();
  int number = 0;
  for (const SeededProbe& each : report.databases) document["databases"].push_back(database_of(each, ++number));
  document["together"] = {{"bytes", report.bytes()},
                          {"wire_bytes", report.wire_bytes()},
                          {"seconds", report.seeding_seconds},
                          {"bytes_per_second", per_second(report.bytes(), report.seeding_seconds)},
                          {"wire_bytes_per_second", per_second(report.wire_bytes(), report.seeding_seconds)},
                          {"processors_here", processors_json(report.processors_here)},
                          {"processors_there", processors_json(report.processors_there)},
                          {"root_equal", report.roots_equal()}};
  json pages = json::array(), wire = json::array();
  for (const SeedSecond& second : report.each_second) {
    document["per_second"].push_back({{"seconds", second.seconds},
                                      {"page_bytes_per_second", per_second(second.page_bytes, second.seconds)},
                                      {"wire_bytes_per_second", per_second(second.wire_bytes, second.seconds)},
                                      {"processors_here", processors_json(second.processors_here)}});
    pages.push_back(document["per_second"].back()["page_bytes_per_second"]);
    wire.push_back(document["per_second"].back()["wire_bytes_per_second"]);
  }
  constexpr double slot_seconds = std::chrono::duration<double>(transport::measure_slot).count();
  document["series"] = {series_json("pages sent", "bytes_per_second", 1, std::move(pages)), series_json("wire", "bytes_per_second", 1, std::move(wire)),
                        series_json("pages in the peer's file", "bytes_per_second", slot_seconds, arrived(report.databases))};
  document["runs"] = {link_run_json(by, report.link_one), link_run_json(by, report.link_four)};
  const ShipStages stages = report.stages(by.node, by.peer);
  put_stages(document, stages);
  const ShipStage *slowest = stages.slowest(), *limiting = stages.limiting();
  document["verdict"] = {{"text", seed_verdict(by, report)},
                         {"slower_limit", slowest != nullptr ? json(slowest->name) : json(nullptr)},
                         {"share", slowest != nullptr ? json(slowest->share()) : json(nullptr)},
                         {"limiting_stage", limiting != nullptr ? json(limiting->name) : json(nullptr)}};
  return document;
}

}  // namespace ccr::engine
