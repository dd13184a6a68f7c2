#include "engine/membership.h"

#include <algorithm>

#include "engine/config_paths.h"
#include "engine/role.h"

namespace ccr::engine {
namespace {

using Here = MembershipChange::Here;

bool has(const std::vector<std::string>& nodes, const std::string& node) { return std::find(nodes.begin(), nodes.end(), node) != nodes.end(); }

std::vector<std::string> without(const std::vector<std::string>& nodes, const std::vector<std::string>& others) {
  std::vector<std::string> rest;
  for (const std::string& node : nodes)
    if (!has(others, node)) rest.push_back(node);
  return rest;
}

std::string listed(const std::set<std::string>& nodes) {
  std::string text;
  for (const std::string& node : nodes) text += (text.empty() ? "" : ", ") + node;
  return text;
}

const std::vector<std::string>& copies_in(const Config& config, const std::string& database) {
  static const std::vector<std::string> none;
  const auto found = config.databases.find(database);
  return found == config.databases.end() ? none : found->second.copies;
}

Result<void> check_nodes(const Config& in_force, const MembershipChange& change) {
  for (const std::string& node : change.added) {
    if (in_force.nodes.contains(node)) continue;
    return refused("node " + node + ", which is to have a copy of " + change.database + ", is not known to the running daemon",
                   "[nodes] is read at the start: systemctl restart ccr");
  }
  return {};
}

// Of the active copy here: it goes only where nobody counts on it.
Result<void> check_end_of_active(const Config& read, const MembershipChange& change, const MembershipFacts& facts) {
  const std::string subject = change.database + "@" + facts.active;
  if (!change.whole) {
    const std::vector<std::string>& rest = copies_in(read, change.database);
    return refused(subject + " is the active copy: without it the others follow nobody",
                   "bring it to another node first: ccr move " + change.database + " --to " + (rest.empty() ? std::string("NODE") : rest.front()));
  }
  if (!facts.count_on_it.empty()) {
    return refused(subject + " is the active copy, and " + listed(facts.count_on_it) + " still has a copy that follows it",
                   "ccr forget " + change.database + " on " + listed(facts.count_on_it) + " first");
  }
  if (!facts.silent.empty()) {
    return refused(subject + " is the active copy, and " + listed(facts.silent) + ", which has a copy, cannot be asked whether it still counts on it",
                   "where that copy is gone for good: ccr forget " + change.database + "@" + *facts.silent.begin() + " first");
  }
  return {};
}

Result<void> check_end(const Config& read, const MembershipChange& change, const MembershipFacts& facts, const std::string& own) {
  const std::string subject = change.database + "@" + own;
  if (facts.seeding) return refused(subject + " is being seeded", "wait for its end, or end it: ccr suspend " + subject);
  if (facts.backing_up) return refused("a backup of " + subject + " is running", "wait for its end, or end it: ccr backup " + subject + " --to DIR --cancel");
  return facts.active == own ? check_end_of_active(read, change, facts) : Result<void>();
}

Result<void> check_rest(const Config& in_force, const Config& read, const MembershipChange& change, const MembershipFacts& facts) {
  const std::vector<std::string>& before = copies_in(in_force, change.database);
  const std::vector<std::string>& after = copies_in(read, change.database);
  if (has(change.gone, facts.active)) {
    return refused(change.database + "@" + facts.active + " is the active copy: without it the others follow nobody",
                   "ccr move " + change.database + " --to " + in_force.node + " first, or ccr forget " + change.database + "@" + in_force.node);
  }
  if (after.front() != before.front() && after.front() != facts.active) {
    return refused("copies of " + change.database + " begins with " + after.front() + ", in force is " + before.front(),
                   "the first is the active one at the very first start, and never again: put new nodes behind it");
  }
  for (const std::string& node : change.gone) {
    if (!facts.seeds.contains(node)) continue;
    return refused(change.database + "@" + node + " is being seeded", "wait for its end, or end it on " + node + ": ccr suspend " + change.database + "@" + node);
  }
  const bool waits = in_force.databases.at(change.database).commit != CommitMode::async;
  if (waits && after.size() == 1) {
    return refused("commits of " + change.database + " wait for another copy, and " + after.front() + " would be alone",
                   "commit is read at the start: set it to \"async\", systemctl restart ccr, then forget the copy");
  }
  return {};
}

}  // namespace

std::string MembershipChange::text() const {
  std::string words;
  const auto say = [&words](const std::string& subject, const char* what) { words += (words.empty() ? "" : ", ") + subject + " " + what; };
  if (whole) say(database, added.empty() ? "forgotten" : "added");
  if (whole) return words;
  for (const std::string& node : added) say(database + "@" + node, "added");
  for (const std::string& node : gone) say(database + "@" + node, "forgotten");
  return words;
}

std::vector<MembershipChange> membership_changes(const Config& in_force, const Config& read) {
  std::set<std::string> names;
  for (const auto& [name, database] : in_force.databases) names.insert(name);
  for (const auto& [name, database] : read.databases) names.insert(name);
  std::vector<MembershipChange> changes;
  for (const std::string& name : names) {
    const std::vector<std::string>&before = copies_in(in_force, name), &after = copies_in(read, name);
    MembershipChange change;
    change.database = name;
    change.added = without(after, before);
    change.gone = without(before, after);
    change.whole = before.empty() || after.empty();
    if (change.added.empty() && change.gone.empty()) continue;
    const bool was = has(before, in_force.node), will = has(after, in_force.node);
    change.here = was && will ? Here::goes_on : was ? Here::ends : will ? Here::begins : Here::elsewhere;
    changes.push_back(std::move(change));
  }
  return changes;
}

Result<void> check_membership(const Config& in_force, const Config& read, const MembershipChange& change, const MembershipFacts& facts) {
  CCR_TRY(check_nodes(in_force, change));
  if (change.here != Here::ends && change.here != Here::goes_on) return {};
  if (facts.handing_over) return refused("the active copy of " + change.database + " is changing", "try again in a moment; where it stays so, a ccr move of it settles that");
  if (change.here == Here::ends) return check_end(read, change, facts, in_force.node);
  return check_rest(in_force, read, change, facts);
}

Result<void> check_places(const Config& after) {
  ConfigPaths paths{after.state_dir, after.control_socket, {}};
  for (const auto& [name, database] : after.databases) paths.databases[name] = {database.path, database.logs, database.kind, database.copies};
  std::map<std::string, NodeConfig> own;
  own[after.node].name = after.node;
  const std::optional<PathConflict> conflict = find_path_conflict(paths, own);
  if (!conflict) return {};
  return refused(conflict->message, "a table that is in force keeps its places until a restart: systemctl restart ccr");
}

void take_membership(Config& in_force, const Config& read, const std::vector<MembershipChange>& changes) {
  for (const MembershipChange& change : changes) {
    const auto now = read.databases.find(change.database);
    if (now == read.databases.end()) {
      in_force.databases.erase(change.database);
    } else if (change.here == Here::goes_on) {
      in_force.databases.at(change.database).copies = now->second.copies;
    } else {
      in_force.databases.insert_or_assign(change.database, now->second);
    }
  }
}

std::vector<std::string> copies_now(const std::vector<std::string>& read, const std::string& active) {
  std::vector<std::string> copies = read;
  put_first(copies, active);
  return copies;
}

}  // namespace ccr::engine
