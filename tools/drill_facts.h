// What a drill saw, for its verdict (tools/drill_verdict.h) and its report. Filled by DrillRun and PairDrill; nothing here asks anybody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "tools/drill_look.h"
#include "tools/pair_facts.h"

namespace ccr::tools {

enum class DrillKind { reseed, reseed_under_load, interrupted_reseed, rot, restored_backup, outage, frozen_node, disk_full, failover, fork };
inline constexpr DrillKind drill_kinds[] = {DrillKind::reseed, DrillKind::reseed_under_load, DrillKind::interrupted_reseed, DrillKind::rot, DrillKind::restored_backup,
                                            DrillKind::outage, DrillKind::frozen_node,       DrillKind::disk_full,          DrillKind::failover, DrillKind::fork};
inline bool of_two_nodes(DrillKind kind) noexcept { return kind >= DrillKind::outage; }

const char* name_of(DrillKind kind) noexcept;  // as it is typed
std::optional<DrillKind> drill_of(const std::string& name);

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

// A copy of the file as it was, put in its place while the copy was suspended.
struct DrillRestored {
  std::string directory;                 // where it lay
  CommitNumber backup_commit = 0;
  std::optional<CommitNumber> commit;    // of the copy, when the older file took its place
  std::optional<bool> taken;             // a resume took it for the copy; nullopt: it did not come to it
  std::string refusal;                   // what the resume said
  std::optional<bool> equal_after;       // a verification at the end; nullopt: it did not come to it
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
  std::optional<DrillRestored> restored;
  std::optional<PairFacts> pair;  // of the drills with two nodes
  std::optional<Error> ended;  // why the drill did not come to its end
};

// The greatest lag that was seen while the seed ran; nullopt: none was known.
std::optional<double> lag_most(const DrillFacts& facts);
std::optional<std::uint64_t> log_behind_most(const DrillFacts& facts);
std::optional<std::uint64_t> log_moved(const DrillFacts& facts);  // bytes of log made while the seed ran

}  // namespace ccr::tools
