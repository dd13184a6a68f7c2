#include "engine/measure_json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/status_parts.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

constexpr double slot_seconds = std::chrono::duration<double>(transport::measure_slot).count();

std::string streams_text(int streams) { return std::to_string(streams) + (streams == 1 ? " stream" : " streams"); }

// Bytes per second in each slot; the last one is cut off by the end, and says too little.
json slot_rates(const std::vector<std::uint64_t>& slots) {
  json values = json::array();
  for (std::size_t i = 0; i + 1 < slots.size(); ++i) values.push_back(static_cast<double>(slots[i]) / slot_seconds);
  return values;
}

std::string link_verdict(const MeasuredBy& by, const LinkReport& report) {
  std::string text;
  for (const Direction direction : {Direction::to_peer, Direction::from_peer}) {
    const LinkRun* best = report.best(direction);
    if (best == nullptr) continue;
    text += fmt::format("{}{}: {:.1f} MB/s with {}", text.empty() ? "" : "; ", name_of(by, direction),
                        static_cast<double>(best->bytes_per_second) / 1e6, streams_text(best->streams));
    const LinkRun* one = report.of(direction, 1);
    if (one != nullptr && one != best && best->bytes_per_second > 0)
      text += fmt::format(", {:.0f} % of it with one",
                          100.0 * static_cast<double>(one->bytes_per_second) / static_cast<double>(best->bytes_per_second));
  }
  return text;
}

}  // namespace

std::string name_of(const MeasuredBy& by, Direction direction) {
  return direction == Direction::to_peer ? by.node + " to " + by.peer : by.peer + " to " + by.node;
}

json measured(const char* kind, const MeasuredBy& by, double seconds) {
  return {{"schema", 1},
          {"kind", kind},
          {"when", to_rfc3339(by.when)},
          {"node", by.node},
          {"peer", by.peer.empty() ? json(nullptr) : json(by.peer)},
          {"seconds", seconds},
          {"host", {{"disk", by.disk}}},
          {"series", json::array()},
          {"percentiles", json::array()},
          {"limits", json::array()},
          {"shares", json::array()},
          {"verdict", {{"text", ""}}}};
}

json percentiles_json(const std::string& name, const LatencySummary& latency) {
  json line{{"name", name}, {"unit", "us"}, {"count", latency.count}};
  const bool known = latency.count > 0;
  const auto put = [&](const char* key, std::uint64_t value) { line[key] = known ? json(value) : json(nullptr); };
  put("least", latency.least);
  put("p50", latency.p50);
  put("p90", latency.p90);
  put("p99", latency.p99);
  put("p999", latency.p999);
  put("most", latency.most);
  return line;
}

json series_json(const std::string& name, const char* unit, double interval_seconds, json values) {
  return {{"name", name}, {"unit", unit}, {"interval_seconds", interval_seconds}, {"values", std::move(values)}};
}

json share_json(const std::string& name, const std::string& of, double part, double whole) {
  return {{"name", name}, {"of", of}, {"share", whole > 0 ? json(part / whole) : json(nullptr)}};
}

json processors_json(double processors) { return processors < 0 ? json(nullptr) : json(processors); }

json link_run_json(const MeasuredBy& by, const LinkRun& run) {
  json connections = json::array();
  for (const transport::ConnectionFacts& facts : run.connections) {
    json holder = json::object();
    put_connection(holder, {}, facts);
    holder["connection"].erase("path");
    connections.push_back(std::move(holder["connection"]));
  }
  const bool out = run.direction == Direction::to_peer;
  return {{"from", out ? by.node : by.peer},
          {"to", out ? by.peer : by.node},
          {"streams", run.streams},
          {"bytes", run.bytes},
          {"seconds", run.seconds},
          {"bytes_per_second", run.bytes_per_second},
          {"processors_here", processors_json(run.processor_here)},
          {"processors_there", processors_json(run.processor_there)},
          {"congestion", run.congestion.empty() ? json(nullptr) : json(run.congestion)},
          {"retransmits", run.congestion.empty() ? json(nullptr) : json(run.retransmits)},
          {"connections", std::move(connections)}};
}

json link_json(const MeasuredBy& by, const LinkReport& report) {
  json document = measured("bench_link", by, report.seconds);
  document["path"] = report.path.text();
  document["percentiles"].push_back(percentiles_json("round trip", report.round_trip));
  document["kernel_rtt_seconds"] = report.kernel_round_trip_seconds > 0 ? json(report.kernel_round_trip_seconds) : json(nullptr);
  const bool none = report.runs.empty() || report.runs.front().connections.empty();
  const std::string tls = none ? "" : report.runs.front().connections.front().tls;
  document["host"]["tls"] = tls.empty() ? json(nullptr) : json(tls);
  document["runs"] = json::array();
  for (const LinkRun& run : report.runs) {
    document["runs"].push_back(link_run_json(by, run));
    document["series"].push_back(series_json(name_of(by, run.direction) + ", " + streams_text(run.streams), "bytes_per_second",
                                             slot_seconds, slot_rates(run.slots)));
  }
  for (const Direction direction : {Direction::to_peer, Direction::from_peer}) {
    const LinkRun* best = report.best(direction);
    if (best == nullptr) continue;
    const std::string name = "link, " + name_of(by, direction);
    document["limits"].push_back(
        {{"name", name}, {"bytes_per_second", best->bytes_per_second}, {"found_with", streams_text(best->streams)}});
    for (const LinkRun& run : report.runs) {
      if (run.direction != direction) continue;
      document["shares"].push_back(share_json(streams_text(run.streams) + ", " + name_of(by, direction), name,
                                              static_cast<double>(run.bytes_per_second),
                                              static_cast<double>(best->bytes_per_second)));
    }
  }
  document["verdict"]["text"] = link_verdict(by, report);
  return document;
}

json disk_json(const MeasuredBy& by, const DiskReport& report) {
  json document = measured("bench_log", by, report.seconds);
  document["directory"] = report.directory;
  document["rows"] = json::array();
  std::vector<std::string> nodes{by.node};
  if (!by.peer.empty()) nodes.push_back(by.peer);
  for (const DiskRow& row : report.rows) {
    const std::string name = fmt::format("{} KiB on {}", row.block_bytes / KiB, row.node);
    document["rows"].push_back({{"node", row.node},
                                {"block_bytes", row.block_bytes},
                                {"writes", row.counted.latency.count},
                                {"bytes", row.counted.bytes},
                                {"bytes_per_second", row.bytes_per_second()},
                                {"syncs_per_second", row.syncs_per_second()}});
    document["percentiles"].push_back(percentiles_json("write and sync " + name, row.counted.latency));
    document["series"].push_back(series_json(name, "bytes_per_second", slot_seconds, slot_rates(row.counted.slots)));
    document["shares"].push_back(share_json(name, "disk of " + row.node, row.bytes_per_second(), report.most_of(row.node)));
  }
  std::string text;
  for (const std::string& node : nodes) {
    document["limits"].push_back({{"name", "disk of " + node}, {"bytes_per_second", report.most_of(node)}});
    const auto small =
        std::find_if(report.rows.begin(), report.rows.end(), [&node](const DiskRow& row) { return row.node == node; });
    if (small == report.rows.end()) continue;
    text +=
        fmt::format("{}{}: {:.1f} MB/s at most; {:.0f} syncs/s of {} KiB, p50 {} us", text.empty() ? "" : "; ", node,
                    report.most_of(node) / 1e6, small->syncs_per_second(), small->block_bytes / KiB, small->counted.latency.p50);
  }
  document["verdict"]["text"] = text;
  return document;
}

std::string ship_verdict(const std::string& peer, const ShipReport& report) {
  const ShipStages stages = report.stages();
  std::string text;
  if (const ShipStage* slowest = stages.slowest())
    text = fmt::format("log flowed at {:.1f} MB/s, {:.0f} % of the slower limit ({}, {:.1f} MB/s)",
                       stages.carriers.back().used / 1e6, 100 * slowest->share(), slowest->name, slowest->limit / 1e6);
  if (const ShipStage* limiting = stages.limiting()) {
    text += fmt::format("; limited by the {}, used to {:.0f} %", limiting->name, 100 * limiting->share());
  } else {
    text += "; no stage was used to " + fmt::format("{:.0f} %", 100 * limiting_share_min) +
            " of what it can alone: the rest is waiting between them, or too few clients";
  }
  const std::uint64_t one = report.one_client.durable_there.percentile(0.5);
  if (one > 0 && report.bare.p50 > 0)
    text += fmt::format(". One client: durable on {} after {} us (p50), {:.2f} times a bare sync, round trip and sync ({} us)",
                        peer, one, static_cast<double>(one) / static_cast<double>(report.bare.p50), report.bare.p50);
  return text;
}

namespace {

json ship_second(const ShipSecond& second) {
  const auto per_second = [&second](std::uint64_t count) {
    return second.seconds > 0 ? json(static_cast<double>(count) / second.seconds) : json(nullptr);
  };
  const bool timed = second.durable_there.count > 0;
  return {{"seconds", second.seconds},
          {"commits_per_second", per_second(second.commits)},
          {"page_bytes_per_second", per_second(second.page_bytes)},
          {"log_bytes_per_second", per_second(second.log_bytes)},
          {"wire_bytes_per_second", second.wire_bytes ? per_second(*second.wire_bytes) : json(nullptr)},
          {"durable_there_p50_us", timed ? json(second.durable_there.p50) : json(nullptr)},
          {"durable_there_p99_us", timed ? json(second.durable_there.p99) : json(nullptr)},
          {"on_the_way", second.on_the_way},
          {"processors_here", processors_json(second.processors_here)}};
}

json ship_count(const ShipCount& count) {
  const auto per_second = [&count](std::uint64_t bytes) {
    return count.seconds > 0 ? json(static_cast<double>(bytes) / count.seconds) : json(nullptr);
  };
  return {{"seconds", count.seconds},
          {"commits", count.load.commits},
          {"unfinished", count.unfinished},
          {"page_bytes", count.load.bytes},
          {"log_bytes", count.log_bytes},
          {"wire_bytes", count.wire_bytes ? json(*count.wire_bytes) : json(nullptr)},
          {"commits_per_second", per_second(count.load.commits)},
          {"log_bytes_per_second", per_second(count.log_bytes)},
          {"processors_here", processors_json(count.processors_here)}};
}

json stages_json(const std::vector<ShipStage>& stages) {
  json list = json::array();
  for (const ShipStage& stage : stages) {
    const bool known = stage.known();
    list.push_back({{"name", stage.name},
                    {"used", known ? json(stage.used) : json(nullptr)},
                    {"limit", stage.limit},
                    {"share", known ? json(stage.share()) : json(nullptr)}});
  }
  return list;
}

}  // namespace

json ship_json(const MeasuredBy& by, const std::string& database, const ShipReport& report) {
  json document = measured("bench_ship", by, report.seconds);
  const ShipStages stages = report.stages();
  document["database"] = database;
  document["one_client"] = ship_count(report.one_client);
  document["many_clients"] = ship_count(report.many_clients);
  document["many_clients"]["processors_there"] = processors_json(report.processors_there);
  document["per_second"] = json::array();
  for (const ShipSecond& second : report.many_clients.each_second) document["per_second"].push_back(ship_second(second));
  document["percentiles"] = {percentiles_json("bare sync, round trip, sync", report.bare),
                             percentiles_json("one client, durable here", report.one_client.load.latency.summary()),
                             percentiles_json("one client, durable there", report.one_client.durable_there.summary()),
                             percentiles_json("many clients, durable here", report.many_clients.load.latency.summary()),
                             percentiles_json("many clients, durable there", report.many_clients.durable_there.summary())};
  const auto series = [&document](const char* name, const char* key, const char* unit) {
    json values = json::array();
    for (const json& second : document["per_second"]) values.push_back(second[key]);
    document["series"].push_back(series_json(name, unit, 1, std::move(values)));
  };
  series("pages", "page_bytes_per_second", "bytes_per_second");
  series("log", "log_bytes_per_second", "bytes_per_second");
  series("wire", "wire_bytes_per_second", "bytes_per_second");
  series("durable there, p50", "durable_there_p50_us", "us");
  series("durable there, p99", "durable_there_p99_us", "us");
  document["runs"] = {link_run_json(by, report.link_one), link_run_json(by, report.link_four)};
  document["stages"] = {{"carriers", stages_json(stages.carriers)}, {"processors", stages_json(stages.processors)}};
  for (const ShipStage& stage : stages.carriers) {
    document["limits"].push_back({{"name", stage.name}, {"bytes_per_second", stage.limit}});
    document["shares"].push_back(share_json("log", stage.name, stage.used, stage.limit));
  }
  for (const ShipStage& stage : stages.processors)
    document["shares"].push_back(share_json("one processor", stage.name, stage.used, stage.limit));
  const ShipStage *slowest = stages.slowest(), *limiting = stages.limiting();
  const double one = static_cast<double>(report.one_client.durable_there.percentile(0.5));
  document["verdict"] = {
      {"text", ship_verdict(by.peer, report)},
      {"slower_limit", slowest != nullptr ? json(slowest->name) : json(nullptr)},
      {"share", slowest != nullptr ? json(slowest->share()) : json(nullptr)},
      {"limiting_stage", limiting != nullptr ? json(limiting->name) : json(nullptr)},
      {"one_client_over_bare", one > 0 && report.bare.p50 > 0 ? json(one / static_cast<double>(report.bare.p50)) : json(nullptr)}};
  return document;
}

namespace {

json advice_json(const TuneAdvice& advice) {
  const std::string congestion = name_of(advice.congestion);
  return {{"congestion", congestion.empty() ? json(nullptr) : json(congestion)},
          {"streams", advice.streams},
          {"window", advice.window > 0 ? json(advice.window) : json(nullptr)},
          {"changes", advice.changes()}};
}

std::string advice_text(const TuneAdvice& advice) {
  const std::string congestion = name_of(advice.congestion);
  std::string text;
  if (!congestion.empty()) text += "congestion " + congestion;
  if (advice.window > 0)
    text += (text.empty() ? "" : ", ") +
            fmt::format("a window of {:.1f} MiB", static_cast<double>(advice.window) / static_cast<double>(MiB));
  if (advice.streams > 1) text += (text.empty() ? "" : ", ") + streams_text(advice.streams);
  return text.empty() ? "nothing to change" : text;
}

void put_direction(json& document, const MeasuredBy& by, Direction direction, const TuneDirection& measured) {
  const std::string way = name_of(by, direction);
  const std::string limit = "link, " + way;
  const auto add = [&](const std::string& name, const LinkRun& run) {
    json line = link_run_json(by, run);
    line["name"] = name;
    document["runs"].push_back(std::move(line));
    document["series"].push_back(series_json(way + ", " + name, "bytes_per_second", slot_seconds, slot_rates(run.slots)));
    document["shares"].push_back(
        share_json(name + ", " + way, limit, static_cast<double>(run.bytes_per_second), static_cast<double>(measured.limit())));
  };
  add("before", measured.before);
  for (const LinkRun& run : measured.tried) add(run.congestion, run);
  if (measured.several) add(streams_text(measured.several->streams), *measured.several);
  add("after", measured.after);
  document["limits"].push_back({{"name", limit}, {"bytes_per_second", measured.limit()}});
  json advice = advice_json(measured.advice);
  advice["name"] = way;
  advice["proven"] = measured.proven();
  advice["text"] =
      advice_text(measured.advice) + (measured.proven() ? "" : " seemed better, and was not when it was measured again");
  advice["before_bytes_per_second"] = measured.before.bytes_per_second;
  advice["after_bytes_per_second"] = measured.after.bytes_per_second;
  advice["limit_bytes_per_second"] = measured.limit();
  document["advice"].push_back(std::move(advice));
}

}  // namespace

json tune_json(const MeasuredBy& by, const TuneReport& report) {
  json document = measured("tune", by, report.seconds);
  document["path"] = report.path.text();
  document["kernel_rtt_seconds"] = report.kernel_round_trip_seconds > 0 ? json(report.kernel_round_trip_seconds) : json(nullptr);
  document["percentiles"].push_back(percentiles_json("round trip", report.round_trip));
  document["runs"] = document["advice"] = json::array();
  put_direction(document, by, Direction::to_peer, report.to_peer);
  put_direction(document, by, Direction::from_peer, report.from_peer);
  const std::vector<transport::ConnectionFacts>& ours = report.to_peer.before.connections;
  document["host"]["tls"] = ours.empty() || ours.front().tls.empty() ? json(nullptr) : json(ours.front().tls);
  std::string text;
  for (const json& advice : document["advice"]) {
    const double before = advice["before_bytes_per_second"], after = advice["after_bytes_per_second"],
                 limit = advice["limit_bytes_per_second"];
    text += fmt::format("{}{}: {}; {:.1f} MB/s before, {:.1f} after, {:.0f} % of the most that was measured",
                        text.empty() ? "" : ". ", advice["name"].get<std::string>(), advice["text"].get<std::string>(),
                        before / 1e6, after / 1e6, limit > 0 ? 100 * after / limit : 0);
  }
  document["verdict"]["text"] = text;
  return document;
}

}  // namespace ccr::engine
