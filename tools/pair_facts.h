// What a drill with two nodes saw (outage, frozen-node, disk-full, failover, fork), for its verdict (tools/pair_verdict.h) and its report. Nothing here asks anybody.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/position.h"
#include "tools/drill_look.h"

namespace ccr::tools {

// Both nodes at one moment, by the status of each; what is not known is empty.
struct PairLook {
  DrillLook copy;  // the copy of the drill, as its own node tells
  std::string since;
  std::string other_state, other_cause, other_since;  // the same copy, as the other node shows it
  std::string active_state, active_cause, active_since;  // of the other node's copy, as it tells of itself
  std::string serves;                                 // the node that serves the database
  std::optional<CommitNumber> commit;                 // there
  std::optional<std::uint64_t> log_bytes, wire_bytes;  // of log that came to the copy since its node started, and what it took on the wire
};

// `own`, `other`: status of the database on the copy's node, and on the other; null: it was not asked, or did not answer.
PairLook pair_look_of(const nlohmann::json& own, const nlohmann::json& other, const std::string& database, const std::string& node, double at_seconds);

// One handover of a drill.
struct DrillTurn {
  std::string to;
  double seconds = 0;
  std::optional<double> held_seconds;            // that commits waited, as the move tells; an activation tells none
  std::optional<CommitNumber> before, after;     // the greatest commit seen before it, and the first one behind it
  std::optional<bool> verified;                  // `ccr verify` of the copy behind it; nullopt: it was not asked
};

// What a fork left: of the node that was the active one.
struct DrillFork {
  std::uint64_t load_commits = 0;
  Position from, end;        // of its log: where the load began, and where it ended
  Position set_aside_from, set_aside_to;  // as the event says, from generation 0: all there was; `to` unknown: there was none
  std::optional<std::uint64_t> quarantine_files, quarantine_bytes;  // that came meanwhile
  std::optional<std::uint64_t> page_bytes, wire_bytes;              // that the difference took
  std::uint64_t page_bytes_max = 0;                                 // of all extents that the load may have touched
  bool compared = false;                                            // a pass of a seed was opened
};

struct PairFacts {
  double wanted_seconds = 0;             // of the fault
  bool other_asked = false;              // the other node's daemon is at hand
  bool writes = false;                   // the drill's own load wrote meanwhile
  std::optional<double> fault_began, fault_ended;  // on the clock of the looks
  std::optional<PairLook> noticed;       // the first look that showed the fault
  double notice_seconds_max = 0;
  std::optional<double> healthy_seconds;  // from the end of the fault, or of the last handover
  double healthy_seconds_max = 0;        // without a backlog
  double backlog_bytes_per_second = 10e6;  // a backlog is given a second for each so many bytes
  std::uint64_t backlog_bytes = 0;       // of log, that was missing when the fault ended
  std::optional<PairLook> before, after;
  std::optional<CommitNumber> commit_most;        // the greatest that was seen anywhere
  std::uint64_t commits_meanwhile = 0;            // while the fault lasted
  std::optional<double> commit_pause_most;        // between two looks that showed commits, the drill's own load writing
  std::uint64_t seed_passes = 0;                  // that were opened meanwhile
  std::optional<std::uint64_t> log_came, wire_came;  // to the copy, behind the fault
  std::string full_node, full_what, full_place;   // whose log or pages had no room, and where that is
  std::vector<DrillTurn> turns;
  std::optional<DrillFork> fork;
  std::vector<PairLook> samples;  // one each sample_seconds
  static constexpr double sample_seconds = 0.25;
};

}  // namespace ccr::tools
