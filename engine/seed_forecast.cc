#include "engine/seed_forecast.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace ccr::engine {
namespace {

using nlohmann::json;

std::string mebibytes_text(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(MiB));
}

template <class Value>
json told(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

}  // namespace

SeedForecast forecast_of(const ForecastFacts& facts) {
  SeedForecast forecast;
  forecast.bytes = facts.whole ? facts.database_bytes : facts.differing_bytes;
  if (!forecast.bytes) forecast.bytes_most = facts.database_bytes;
  const std::optional<double> carried = facts.last_seed ? facts.last_seed : facts.link;
  const double limit = static_cast<double>(facts.rate_limit);
  if (facts.rate_limit > 0 && (!carried || limit <= *carried)) {
    forecast.bytes_per_second = limit;
    forecast.limited_by = "the limit on its rate";
    forecast.at_least = !carried;
  } else if (carried) {
    forecast.bytes_per_second = carried;
    forecast.limited_by = facts.last_seed ? "what limited the last seed" : "the link, as it was last measured";
    forecast.at_least = !facts.last_seed;  // the link is not the only stage
  }
  if (!facts.whole) forecast.compares = facts.reads_disk ? "this node's disk is read first" : "compared by digests, without reading this node's disk";
  const bool waits_for_disk = !facts.whole && facts.reads_disk;
  if (!waits_for_disk && forecast.bytes && forecast.bytes_per_second && *forecast.bytes_per_second > 0)
    forecast.seconds = static_cast<double>(*forecast.bytes) / *forecast.bytes_per_second;
  return forecast;
}

std::string forecast_text(const SeedForecast& forecast) {
  std::string text = forecast.bytes        ? mebibytes_text(*forecast.bytes) + " of pages"
                     : forecast.bytes_most ? "how many bytes differ is unknown, at most " + mebibytes_text(*forecast.bytes_most)
                                           : "bytes unknown";
  if (forecast.seconds) {
    text += fmt::format(", {}{:.1f} s", forecast.at_least ? "at least " : "", *forecast.seconds);
  } else {
    text += ", time unknown";
  }
  if (!forecast.compares.empty()) text += ", " + forecast.compares;
  if (forecast.limited_by.empty()) return text + ", limiting stage unknown";
  return text + fmt::format(", limited by {} ({:.1f} MB/s)", forecast.limited_by, *forecast.bytes_per_second / 1e6);
}

json forecast_json(const SeedForecast& forecast) {
  return {{"bytes", told(forecast.bytes)},
          {"bytes_most", told(forecast.bytes_most)},
          {"seconds", told(forecast.seconds)},
          {"at_least", forecast.at_least},
          {"compares", forecast.compares.empty() ? json(nullptr) : json(forecast.compares)},
          {"bytes_per_second", told(forecast.bytes_per_second)},
          {"limited_by", forecast.limited_by.empty() ? json(nullptr) : json(forecast.limited_by)},
          {"text", forecast_text(forecast)}};
}

}  // namespace ccr::engine
