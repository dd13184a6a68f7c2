// Which databases and copies come and go, when a configuration is read again while a node runs: what changes, whether it may, what is in force then. Pure.
//
// All changes of one reading are taken or none. Of a database that goes on here only the list of its copies changes; its other keys are those of the
// node's start. Nothing on a disk is deleted: a copy that ended is found again, with its state, by a table of the same name.
//
//   refused                                          | because
//   -------------------------------------------------+---------------------------------------------------------------------
//   a node that is not in force in [nodes]           | its addresses are read at the start
//   another node first, which is not the active one  | the first is the active one at the very first start, and never again
//   the active copy's node goes, and others stay     | they would follow nobody: move it first
//   the database goes where it is active             | while another node counts on its copy of it, or cannot be asked
//   a handover, a seed or a backup of it is on its way | each ends by a command of its own
//   the last other copy, where commits wait for one  | no commit would be answered
//   its places meet those of one in force            | as in one file (engine/config_paths.h)
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/config.h"

namespace ccr::engine {

struct MembershipChange {
  enum class Here { begins, goes_on, ends, elsewhere };  // elsewhere: no copy of this node's, before or after
  std::string database;
  Here here = Here::elsewhere;
  bool whole = false;                    // the database itself came or went
  std::vector<std::string> added, gone;  // nodes with a copy
  std::string text() const;              // "mail added", "orders@beta forgotten"
};

// In the order of names.
std::vector<MembershipChange> membership_changes(const Config& in_force, const Config& read);

// What this node knows of a database that it has a copy of.
struct MembershipFacts {
  std::string active;               // by its role here
  bool handing_over = false;        // or another role is wanted, or this copy agreed to take over
  bool seeding = false;             // this copy is
  bool backing_up = false;
  std::set<std::string> seeds;      // nodes that are being seeded from here
  std::set<std::string> count_on_it;  // nodes that say that they have a copy of it; asked where it goes while it is active here
  std::set<std::string> silent;       // nodes that could not be asked
};

// refused, with what is to be done first. `facts` are not looked at where this node has no copy.
Result<void> check_membership(const Config& in_force, const Config& read, const MembershipChange& change, const MembershipFacts& facts);
// Whether what will be in force has a place of its own on this node for each of its databases.
Result<void> check_places(const Config& after);

void take_membership(Config& in_force, const Config& read, const std::vector<MembershipChange>& changes);

// The copies of a database that goes on, the active node first, then in the order of the file.
std::vector<std::string> copies_now(const std::vector<std::string>& read, const std::string& active);

}  // namespace ccr::engine
