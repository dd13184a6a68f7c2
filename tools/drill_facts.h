// What a drill saw, for its verdict (tools/drill_verdict.h) and its report. Filled by DrillRun; nothing here asks anybody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/position.h"
#include "base/result.h"

namespace ccr::tools {

enum class DrillKind { reseed, reseed_under_load, interrupted_reseed, rot };
inline constexpr DrillKind drill_kinds[] = {DrillKind::reseed, DrillKind::reseed_under_load, DrillKind::interrupted_reseed, DrillKind::rot};

const char* name_of(DrillKind kind) noexcept;  // as it is typed
std::optional<DrillKind> drill_of(const std::string& name);

// A passive copy at one moment, as its node's status tells it; what is not known is empty.
struct DrillLook {
  double at_seconds = 0;  // since the drill began
  std::string state, cause;
  std::string root;  // that both nodes had at root_at
  Position root_at, generated, durable;
  std::optional<CommitNumber> commit;  // replayed
  std::optional<double> lag_seconds;   // of the log, also while pages come
  bool seeding = false;
  std::uint64_t done_bytes = 0, total_bytes = 0, wire_bytes = 0, logical_bytes = 0, extents_sent = 0, extents_equal = 0;
  std::optional<std::uint64_t> cuts, extents_again;
  bool healthy() const { return state == "healthy"; }
  // Bytes of log that the active node has and this one has not; nullopt where either end is not known.
  std::optional<std::uint64_t> log_behind(std::uint64_t generation_bytes) const;
};
DrillLook look_of(const nlohmann::json& copy, double at_seconds);

// A precheck, as the daemon's dry run tells it.
struct DrillGate {
  std::string name, found;
  bool holds = false;
};

// One damaged page and what a verification said of it.
struct DrillRot {
  std::uint64_t page = 0, bit = 0;
  std::uint64_t found_total = 0, active_found_total = 0;
  std::vector<std::uint64_t> found;  // the first of them
  bool mended = false;               // by the verification, with pages of the other copy: no seed was needed
  std::optional<bool> equal_after;   // a second verification, behind the repair; nullopt: it did not come to it
};

struct DrillFacts {
  DrillKind kind = DrillKind::reseed;
  std::string database, node, active, database_kind, when;
  std::uint64_t generation_bytes = 1 * MiB;
  double seconds = 0;
  std::vector<DrillGate> gates;
  std::optional<double> link_bytes_per_second;  // towards the copy, measured just before
  std::string link_unknown;                     // why not
  std::optional<DrillLook> before, after;       // before the first change; behind the last one
  std::vector<DrillLook> samples;               // about one a second from the start of the seed to its end
  double seed_began = 0;                        // on the samples' clock
  std::optional<double> pages_seconds, healthy_seconds;  // from the start of the seed
  std::string writer;                           // who wrote meanwhile as far as the drill knows: "ccr load", or "" for programs of their own
  std::uint64_t cuts_wanted = 0, cuts_made = 0;
  std::uint64_t extents_in_flight_max = 0;      // what one cut may cost
  std::optional<DrillRot> rot;
  std::optional<Error> ended;  // why the drill did not come to its end
};

// The greatest lag that was seen while the seed ran; nullopt: none was known.
std::optional<double> lag_most(const DrillFacts& facts);
std::optional<std::uint64_t> log_behind_most(const DrillFacts& facts);
std::optional<std::uint64_t> log_moved(const DrillFacts& facts);  // bytes of log made while the seed ran

}  // namespace ccr::tools
