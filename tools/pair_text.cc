#include "tools/pair_text.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/amounts.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

template <class Value>
json known(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

std::string time_text(const std::optional<double>& seconds) { return seconds ? fmt::format("{:.3f} s", *seconds) : "unknown"; }
std::string amount_text(const std::optional<std::uint64_t>& bytes) { return bytes ? size_text(*bytes) : "unknown"; }

json where_json(Position position) {
  if (!position.known()) return nullptr;
  return {{"generation", position.generation.number}, {"offset", position.offset}};
}

std::string write_text(const DrillFacts& facts, std::uint64_t load) {
  return fmt::format("write into {} with ccr load at {:.1f} MB/s meanwhile, over pages that are there: what they hold is lost", facts.database, static_cast<double>(load) / 1e6);
}

std::vector<std::string> outage_plan(const DrillFacts& facts) {
  return {fmt::format("close every connection between {} and {} and refuse new ones for {:.0f} s, of all databases that both have; {} ends that by itself", facts.node, facts.active,
                      facts.pair->wanted_seconds, facts.node),
          fmt::format("see that {} shows it, and that programs on {} go on; for so long {}@{} is no standby", facts.node, facts.active, facts.database, facts.node),
          "wait until it is healthy, and see that the log alone came, and the roots are equal"};
}

std::vector<std::string> frozen_plan(const DrillFacts& facts) {
  return {fmt::format("stop the process of {}'s daemon (SIGSTOP) for {:.0f} s, with all its databases; a guard lets it go on (SIGCONT), also where this command is killed", facts.node,
                      facts.pair->wanted_seconds),
          fmt::format("see that {} notices within {:.1f} s, and goes on committing; what is active on {} stands still for so long", facts.active, facts.pair->notice_seconds_max, facts.node),
          "wait until it is healthy, and see that the log alone came, and the roots are equal"};
}

std::vector<std::string> full_plan(const DrillFacts& facts) {
  const PairFacts& pair = *facts.pair;
  const bool active = pair.full_node == facts.active;
  const std::string what = fmt::format("let every write to the {} of {}@{} fail for {:.0f} s, as on a full volume; nothing is filled, and {} ends that by itself", pair.full_what == "log" ? "log" : "file of pages",
                                       facts.database, pair.full_node, pair.wanted_seconds, pair.full_node);
  return {what,
          active ? fmt::format("see that {} says so, and acknowledges nothing meanwhile: commits fail or wait, up to half a minute longer", facts.active)
                 : fmt::format("see that {} says so, and that {} goes on committing; until it is healthy {}@{} is no standby", facts.node, facts.active, facts.database, facts.node),
          "wait until it is healthy, and see that the log alone came, and the roots are equal"};
}

std::vector<std::string> failover_plan(const DrillFacts& facts) {
  const std::string programs = facts.database_kind == "sqlite" ? "; on_demote and on_promote run, and another program that has the file open refuses it" : "";
  return {fmt::format("move {} from {} to {} (ccr move): commits wait for a moment{}", facts.database, facts.active, facts.node, programs),
          fmt::format("verify {}@{} against both disks", facts.database, facts.active),
          fmt::format("move it back to {}, also where a step fails, and where this command is killed", facts.active),
          fmt::format("verify {}@{}, and compare the roots", facts.database, facts.node)};
}

std::vector<std::string> fork_plan(const DrillFacts& facts, std::uint64_t load) {
  return {fmt::format("close every connection between {} and {}, of all databases that both have, until the fork is made", facts.node, facts.active),
          fmt::format("write into {} on {} alone for {:.0f} s with ccr load at {:.1f} MB/s, over pages that are there", facts.database, facts.active, facts.pair->wanted_seconds, static_cast<double>(load) / 1e6),
          fmt::format("activate {} on {} by force: the load's commits are lost by that, and nobody else may write on {} until the nodes meet again", facts.database, facts.node, facts.active),
          fmt::format("let them meet: set aside {}'s own log in its quarantine/, where it stays for you to remove, and take what differs from {}", facts.active, facts.node),
          fmt::format("move it back to {}, and see that its root is the one of before the load; where {} has commits that the load did not make, nothing is given up, and a person decides", facts.active, facts.active)};
}

std::string turn_text(const DrillTurn& turn) {
  std::string text = fmt::format("{:.1f} s", turn.seconds);
  if (turn.held_seconds) text += fmt::format(", commits waited {:.3f} s", *turn.held_seconds);
  return text;
}

}  // namespace

std::vector<std::string> pair_plan(const DrillFacts& facts, std::uint64_t load) {
  std::vector<std::string> plan;
  switch (facts.kind) {
    case DrillKind::outage: plan = outage_plan(facts); break;
    case DrillKind::frozen_node: plan = frozen_plan(facts); break;
    case DrillKind::disk_full: plan = full_plan(facts); break;
    case DrillKind::failover: plan = failover_plan(facts); break;
    case DrillKind::fork: return fork_plan(facts, load);
    default: return {};
  }
  if (load > 0) plan.insert(plan.begin(), write_text(facts, load));
  return plan;
}

json pair_rows(const DrillFacts& facts) {
  json rows = json::array();
  if (!facts.pair) return rows;
  const PairFacts& pair = *facts.pair;
  const auto add = [&rows](const std::string& name, const std::string& value) { rows.push_back({{"name", name}, {"value", value}}); };
  const bool fault = pair.turns.empty();
  if (fault && pair.fault_began && pair.fault_ended) add("the fault lasted", time_text(*pair.fault_ended - *pair.fault_began));
  if (fault && pair.fault_began && pair.noticed) add("until it was noticed", time_text(pair.noticed->copy.at_seconds - *pair.fault_began));
  for (const DrillTurn& turn : pair.turns) add("until it served on " + turn.to, turn_text(turn));
  add("until it was healthy", time_text(pair.healthy_seconds));
  if (fault) {
    add("log that was missing then", size_text(pair.backlog_bytes));
    add("log that came in all", amount_text(pair.log_came));
    add("on the wire", amount_text(pair.wire_came));
    if (pair.other_asked) add("commits while it lasted", std::to_string(pair.commits_meanwhile));
  }
  if (pair.commit_pause_most) add("longest time without a commit", time_text(pair.commit_pause_most));
  if (facts.kind != DrillKind::fork) add("log made meanwhile", amount_text(log_moved(facts)));
  if (const std::optional<DrillFork>& fork = pair.fork) {
    add("commits that only " + facts.active + " had", std::to_string(fork->load_commits));
    add("its log that only it had", to_text(fork->from) + " to " + to_text(fork->end));
    add("in its quarantine now", fork->quarantine_files ? fmt::format("{} files, {}", *fork->quarantine_files, amount_text(fork->quarantine_bytes)) : "unknown");
    add("pages that came again", amount_text(fork->page_bytes));
    add("on the wire", amount_text(fork->wire_bytes));
  }
  for (const auto& [name, look] : {std::pair("root before", facts.before), std::pair("root after", facts.after)})
    add(name, look && !look->root.empty() ? look->root + ", equal on both nodes at " + to_text(look->root_at) : "unknown");
  return rows;
}

json pair_series(const DrillFacts& facts) {
  json commits = json::array(), behind = json::array(), lag = json::array();
  const PairLook* before = nullptr;
  for (const PairLook& look : facts.pair->samples) {
    const double seconds = before != nullptr ? look.copy.at_seconds - before->copy.at_seconds : 0;
    const bool counted = before != nullptr && seconds > 0 && look.commit && before->commit && *look.commit >= *before->commit;
    commits.push_back(counted ? json(static_cast<double>(*look.commit - *before->commit) / seconds) : json(nullptr));
    behind.push_back(known(look.copy.log_behind(facts.generation_bytes)));
    lag.push_back(known(look.copy.lag_seconds));
    before = &look;
  }
  const auto series = [](const char* name, const char* unit, json values) {
    return json{{"name", name}, {"unit", unit}, {"interval_seconds", PairFacts::sample_seconds}, {"values", std::move(values)}};
  };
  return {series("commits", "per_second", std::move(commits)), series("log behind", "bytes", std::move(behind)), series("log lag", "seconds", std::move(lag))};
}

json pair_json(const DrillFacts& facts) {
  const PairFacts& pair = *facts.pair;
  json turns = json::array();
  for (const DrillTurn& turn : pair.turns)
    turns.push_back({{"to", turn.to}, {"seconds", turn.seconds}, {"held_seconds", known(turn.held_seconds)}, {"commit_before", known(turn.before)}, {"commit_after", known(turn.after)}, {"verified", known(turn.verified)}});
  const bool lasted = pair.fault_began && pair.fault_ended, seen = pair.fault_began && pair.noticed;
  json document{{"fault_seconds", lasted ? json(*pair.fault_ended - *pair.fault_began) : json(nullptr)},
                {"noticed_seconds", seen ? json(pair.noticed->copy.at_seconds - *pair.fault_began) : json(nullptr)},
                {"healthy_seconds", known(pair.healthy_seconds)},
                {"backlog_bytes", pair.backlog_bytes},
                {"log_bytes_came", known(pair.log_came)},
                {"log_wire_bytes", known(pair.wire_came)},
                {"seed_passes", pair.seed_passes},
                {"commits_meanwhile", pair.commits_meanwhile},
                {"commit_most", known(pair.commit_most)},
                {"longest_seconds_without_commit", known(pair.commit_pause_most)},
                {"full", pair.full_node.empty() ? json(nullptr) : json{{"node", pair.full_node}, {"what", pair.full_what}, {"place", pair.full_place}}},
                {"turns", std::move(turns)},
                {"fork", nullptr}};
  if (const std::optional<DrillFork>& fork = pair.fork) {
    document["fork"] = {{"commits", fork->load_commits}, {"from", where_json(fork->from)}, {"end", where_json(fork->end)}, {"set_aside_from", where_json(fork->set_aside_from)},
                        {"set_aside_to", where_json(fork->set_aside_to)}, {"quarantine_files", known(fork->quarantine_files)}, {"quarantine_bytes", known(fork->quarantine_bytes)},
                        {"page_bytes", known(fork->page_bytes)}, {"wire_bytes", known(fork->wire_bytes)}};
  }
  return document;
}

}  // namespace ccr::tools
