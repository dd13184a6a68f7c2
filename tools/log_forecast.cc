#include "tools/log_forecast.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

// Nothing: not known.
std::optional<double> growth_for(const json& copy, WallTime now) {
  const std::optional<double> bytes = number_field(field(copy, "copy_queue"), "bytes");
  const std::string since = text_field(copy, "since");
  if (!bytes || since.empty()) return std::nullopt;
  return *bytes / std::max(1.0, seconds_since(since, now));  // the first second is no basis of a forecast, and nothing fills up within it
}

}  // namespace

json log_forecast(const json& database, const json& copy, std::optional<std::uint64_t> free_bytes, WallTime now) {
  static const std::set<std::string> absent{"suspended", "disconnected", "failed", "failed_and_suspended"};
  const std::optional<double> used = number_field(copy, "log_bytes"), budget = number_field(copy, "log_budget_bytes");
  if (!used || !budget) return nullptr;
  json holders = json::array();
  std::optional<double> rate = 0;
  for (const json& other : list_field(database, "copies")) {
    if (text_field(other, "role") != "passive" || !absent.contains(text_field(other, "state"))) continue;
    holders.push_back(text_field(other, "node"));
    const std::optional<double> growth = growth_for(other, now);
    rate = rate && growth ? std::optional<double>(std::max(*rate, *growth)) : std::nullopt;
  }
  if (holders.empty()) return nullptr;
  json forecast{{"holders", std::move(holders)}, {"bytes_per_second", nullptr}, {"limit", nullptr}, {"seconds", nullptr}};
  if (!rate) return forecast;
  forecast["bytes_per_second"] = *rate;
  if (*rate < 1 || !free_bytes) return forecast;
  const double room = std::max(0.0, *budget - *used), free = static_cast<double>(*free_bytes);
  forecast["limit"] = free < room ? "disk" : "log_budget";
  forecast["seconds"] = std::min(room, free) / *rate;
  return forecast;
}

std::string forecast_text(const json& forecast) {
  if (!forecast.is_object()) return "";
  std::string text = "kept for ";
  std::string between;
  for (const json& holder : list_field(forecast, "holders")) {
    text += between + (holder.is_string() ? escaped(holder.get<std::string>()) : "?");
    between = ", ";
  }
  const std::optional<double> rate = number_field(forecast, "bytes_per_second"), seconds = number_field(forecast, "seconds");
  if (!rate) return text + ", how fast it grows is not known";
  if (*rate < 1) return text + ", and does not grow";
  text += ", at " + rate_text(*rate);
  if (!seconds) return text + ", the room on its disk is not known";
  const bool disk_first = text_field(forecast, "limit") == "disk";
  return text + (disk_first ? " its disk is full" : " log_budget is reached") + " in " + age_text(*seconds);
}

}  // namespace ccr::tools
