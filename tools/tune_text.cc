#include "tools/tune_text.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/amounts.h"
#include "tools/path_costs.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

// Part of a link that a reseed gets beside everything else.
constexpr double reseed_share = 0.97;
// An idle neighbour is asked again after this long; at a lossy link the question itself may be lost, and log waits for the answer.
constexpr std::uint64_t neighbour_ms_min = 30'000;

struct Setting {
  std::string key, here, wanted;
  bool enough = true;
};

// tcp_rmem and tcp_wmem keep their first two words.
std::string with_most(const std::string& words, std::uint64_t most) {
  std::istringstream in(words);
  std::string least, first;
  in >> least >> first;
  return least + " " + first + " " + std::to_string(most);
}

Setting automatic(const std::string& key, const std::string& here, std::uint64_t limit, std::uint64_t wanted) {
  return {key, here, with_most(here, std::max(limit, wanted)), limit >= wanted};
}

Setting asked(const std::string& key, std::uint64_t here, std::uint64_t wanted) {
  return {key, here == 0 ? "not shown here" : std::to_string(here), std::to_string(std::max(here, wanted)),
          here == 0 || here >= wanted};
}

std::vector<Setting> settings_of(const Tuning& tuning) {
  const transport::HostLimits& limits = tuning.host.limits;
  const transport::WindowPlan& plan = tuning.plan;
  return {{"net.ipv4.tcp_window_scaling", limits.scaling ? "1" : "0", "1", limits.scaling || plan.scale == 0},
          {"net.ipv4.tcp_timestamps", limits.timestamps ? "1" : "0", "1", limits.timestamps},
          automatic("net.ipv4.tcp_rmem", tuning.host.receive_words, limits.receive_auto_max, plan.buffer),
          automatic("net.ipv4.tcp_wmem", tuning.host.send_words, limits.send_auto_max, plan.buffer),
          asked("net.core.rmem_max", limits.receive_asked_max, plan.window),
          asked("net.core.wmem_max", limits.send_asked_max, plan.window),
          asked("net.ipv4.neigh.default.base_reachable_time_ms", tuning.host.neighbour_reachable_ms, neighbour_ms_min)};
}

std::string bits_text(double bytes_per_second) {
  const double bits = bytes_per_second * 8;
  if (bits >= 1e9) return fmt::format("{:.5g} Gbit/s", bits / 1e9);
  if (bits >= 1e6) return fmt::format("{:.3g} Mbit/s", bits / 1e6);
  return fmt::format("{:.3g} kbit/s", bits / 1e3);
}

std::string milliseconds_text(Duration duration) {
  return fmt::format("{:g} ms", std::chrono::duration<double, std::milli>(duration).count());
}

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

std::string reach_text(const Tuning& tuning) {
  const std::optional<transport::Reach> reach = transport::reach_of(tuning.path, tuning.host.limits);
  if (!reach) return "fills the link with one connection: there is no round trip to wait for";
  const double part = share(double(reach->payload), double(tuning.plan.payload));
  std::string text = fmt::format("one connection by itself: window {} at most, {}, {:.0f} % of the link", size_text(reach->window),
                                 rate_text(double(reach->payload)), part * 100);
  if (reach->connections > 1) text += fmt::format("; {} connections fill it", reach->connections);
  return text;
}

std::vector<PathCost> costs_of(const Tuning& tuning) {
  const transport::HostLimits& limits = tuning.host.limits;
  return path_costs({limits.scaling, limits.timestamps, tuning.path.round_trip, tuning.plan.payload});
}

std::string offloads_text(const HostLink& link) {
  std::string on, off, unknown;
  const auto append = [](std::string& words, const std::string& word) { words += (words.empty() ? "" : ", ") + word; };
  for (const Offload& offload : link.offloads) append(!offload.on ? unknown : *offload.on ? on : off, offload.name);
  std::string text = fmt::format("interface   {}, MTU {}", link.interface, link.mtu);
  if (!on.empty()) text += "; on: " + on;
  if (!off.empty()) text += "; off: " + off;
  if (!unknown.empty()) text += "; not told: " + unknown;
  text += "\n";
  for (const Offload& offload : link.offloads) {
    if (offload.on == false)
      text += fmt::format("warning     {} is off on {}: each packet costs the processor more\n            ethtool -K {} {} on\n", offload.name, link.interface, link.interface,
                          offload.short_name);
  }
  return text;
}

json link_of_host(const HostLink& link) {
  if (link.interface.empty()) return nullptr;
  json offloads = json::object();
  for (const Offload& offload : link.offloads) offloads[offload.name] = offload.on ? json(*offload.on) : json(nullptr);
  return {{"interface", link.interface}, {"mtu", link.mtu > 0 ? json(link.mtu) : json(nullptr)}, {"offloads", std::move(offloads)}};
}

}  // namespace

std::string tune_text(const Tuning& tuning) {
  const transport::WindowPlan& plan = tuning.plan;
  std::string text =
      fmt::format("link        {}, round trip {}, MTU {}: {} of payload at most\n", bits_text(double(tuning.path.bytes_per_second)),
                  milliseconds_text(tuning.path.round_trip), tuning.path.mtu, rate_text(double(plan.payload)));
  text += fmt::format("in flight   {} (bandwidth x round trip)\n", size_text(plan.product));
  text += plan.scale < 0 ? fmt::format("window      {}: no window scale tells that much; more than one connection is needed\n",
                                       size_text(plan.window))
                         : fmt::format("window      {}, window scale {}, buffers of {}\n", size_text(plan.window), plan.scale,
                                       size_text(plan.buffer));
  text += fmt::format("this host   {}\n", reach_text(tuning));
  text +=
      fmt::format("            congestion control {}; here too: {}\n", tuning.host.congestion, tuning.host.congestion_available);
  text += fmt::format("unscaled    {} where either end does not scale its window\n", rate_text(double(plan.unscaled)));
  if (tuning.log_bytes_per_second > 0) {
    const double wire = double(transport::wire_for_log(tuning.log_bytes_per_second));
    text += fmt::format("log         {} want {} of the link, {:.1f} % of it\n", rate_text(double(tuning.log_bytes_per_second)),
                        bits_text(wire), share(wire, double(tuning.path.bytes_per_second)) * 100);
  }
  if (!tuning.link.interface.empty()) text += offloads_text(tuning.link);
  for (const PathCost& cost : costs_of(tuning)) text += fmt::format("warning     {}\n            {}\n", cost.what, cost.hint);
  const double reseed = double(plan.payload) * reseed_share;
  text += fmt::format("reseeding   {} in 1 h, {} in 8 h, at {:.0f} % of the payload\n\n",
                      size_text(static_cast<std::uint64_t>(reseed * 3600)),
                      size_text(static_cast<std::uint64_t>(reseed * 8 * 3600)), reseed_share * 100);
  TextTable table({"SETTING", "HERE", "WANTED"});
  bool all = true;
  for (const Setting& setting : settings_of(tuning)) {
    all = all && setting.enough;
    table.add({{{setting.key}, {setting.here}, {setting.enough ? "enough" : setting.wanted}}, "", {}});
  }
  text += table.text(false);
  text += all ? "\nNothing has to be changed here. The other host decides as much: ask it too.\n"
              : "\n`ccr tune … --sysctl` prints these for /etc/sysctl.d. The other host decides as much: ask it too.\n";
  return text;
}

json tune_json(const Tuning& tuning) {
  const transport::WindowPlan& plan = tuning.plan;
  json settings = json::array();
  for (const Setting& setting : settings_of(tuning))
    settings.push_back({{"key", setting.key}, {"here", setting.here}, {"wanted", setting.wanted}, {"enough", setting.enough}});
  json warnings = json::array();
  for (const PathCost& cost : costs_of(tuning)) warnings.push_back({{"what", cost.what}, {"hint", cost.hint}});
  json result{{"rate_bytes_per_second", tuning.path.bytes_per_second},
              {"rtt_seconds", std::chrono::duration<double>(tuning.path.round_trip).count()},
              {"mtu", tuning.path.mtu},
              {"bandwidth_delay_product", plan.product},
              {"window", plan.window},
              {"window_scale", plan.scale < 0 ? json(nullptr) : json(plan.scale)},
              {"buffer", plan.buffer},
              {"payload_bytes_per_second", plan.payload},
              {"unscaled_bytes_per_second", plan.unscaled},
              {"congestion", tuning.host.congestion},
              {"settings", std::move(settings)},
              {"warnings", std::move(warnings)},
              {"here", nullptr},
              {"interface", link_of_host(tuning.link)},
              {"log_wire_bytes_per_second", nullptr}};
  if (const std::optional<transport::Reach> reach = transport::reach_of(tuning.path, tuning.host.limits))
    result["here"] = {{"window", reach->window}, {"payload_bytes_per_second", reach->payload}, {"connections", reach->connections}};
  if (tuning.log_bytes_per_second > 0) result["log_wire_bytes_per_second"] = transport::wire_for_log(tuning.log_bytes_per_second);
  return result;
}

std::string sysctl_text(const Tuning& tuning) {
  std::string text = fmt::format("# {}, round trip {}: a window of {}\n", bits_text(double(tuning.path.bytes_per_second)),
                                 milliseconds_text(tuning.path.round_trip), size_text(tuning.plan.window));
  std::string lines;
  for (const Setting& setting : settings_of(tuning)) {
    if (!setting.enough) lines += fmt::format("{} = {}\n", setting.key, setting.wanted);
  }
  return text + (lines.empty() ? "# everything here is enough\n" : lines);
}

}  // namespace ccr::tools
