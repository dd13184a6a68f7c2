#include "tools/seed_overview.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/json_fields.h"

namespace ccr::tools {

using nlohmann::json;

std::vector<std::string> passive_databases(const json& status, const std::string& node) {
  std::vector<std::string> names;
  for (const json& database : list_field(status, "databases")) {
    const std::string name = text_field(database, "name");
    if (text_field(copy_in(status, name, node), "role") == "passive") names.push_back(name);
  }
  return names;
}

const json& copy_in(const json& status, const std::string& database, const std::string& node) {
  static const json none;
  for (const json& each : list_field(status, "databases")) {
    if (text_field(each, "name") != database) continue;
    for (const json& copy : list_field(each, "copies"))
      if (text_field(copy, "node") == node) return copy;
  }
  return none;
}

bool seed_over(const json& copy) {
  const std::string state = text_field(copy, "state");
  const bool rests = state == "suspended" || state == "failed_and_suspended";
  return !flag_field(field(copy, "seed"), "running") && (rests || state == "healthy");  // one that was just asked for may still be shown as it was
}

json seeds_progress(const std::vector<json>& copies) {
  std::uint64_t done = 0, total = 0;
  double rate = 0;
  std::size_t over = 0;
  std::string cause;
  for (const json& copy : copies) {
    const json& seed = field(copy, "seed");
    done += count_field(seed, "done_bytes").value_or(0);
    total += count_field(seed, "total_bytes").value_or(0);
    if (seed_over(copy)) {
      ++over;
      continue;
    }
    rate += number_field(seed, "rate").value_or(0);
    const std::string why = text_field(copy, "state") == "disconnected" ? text_field(copy, "cause") : "";
    if (cause.empty()) cause = why;
  }
  json eta = nullptr;
  if (rate > 0 && total >= done) eta = static_cast<double>(total - done) / rate;
  return {{"phase", fmt::format("{} of {} done, seeding", over, copies.size())},
          {"cause", rate > 0 ? "" : cause},
          {"done_bytes", done},
          {"total_bytes", total},
          {"rate", rate},
          {"eta_seconds", eta}};
}

}  // namespace ccr::tools
