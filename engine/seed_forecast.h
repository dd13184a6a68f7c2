// What a seed will take, from what is known before it begins: pure. What is not known stays empty, and is said so.
//
//   bytes that cross     first seed, --full: the whole database, at most (pages of zeros do not cross, others may shrink on their way)
//                        by difference: where the roots are equal, the pages that a verification found damaged; else not known
//   rate                 the lowest of the limits on the rate, and what the last whole seed carried, or where none ran since the node
//                        started, what the link carried when it was last measured; none of the last two: not known
//   own disk             read before a difference where the digest table is not believed (seed/README.md says when)
//   seconds              both known; and the own disk is not read, whose rate nobody knows. Where only a limit is known it takes at least so long
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ccr::engine {

struct ForecastFacts {
  bool whole = false;  // nothing is here, or --full
  bool reads_disk = false;  // of this node, before anything is compared
  std::optional<std::uint64_t> database_bytes;
  std::optional<std::uint64_t> differing_bytes;  // as far as anybody knows
  std::optional<double> last_seed, link;         // bytes per second
  std::uint64_t rate_limit = 0;                  // the lowest of them; 0: none
};

struct SeedForecast {
  std::optional<std::uint64_t> bytes;       // of pages
  std::optional<std::uint64_t> bytes_most;  // where `bytes` is not known
  std::optional<double> seconds;
  bool at_least = false;           // of `seconds`
  std::string compares;            // what a difference is found by; empty: nothing is compared
  std::string limited_by;          // empty: not known
  std::optional<double> bytes_per_second;
};

SeedForecast forecast_of(const ForecastFacts& facts);
std::string forecast_text(const SeedForecast& forecast);
nlohmann::json forecast_json(const SeedForecast& forecast);

}  // namespace ccr::engine
