#include "tools/pair_verdict.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/amounts.h"

namespace ccr::tools {
namespace {

using Checks = std::vector<DrillCheck>;

std::string commit_text(const std::optional<CommitNumber>& commit) { return commit ? std::to_string(*commit) : "unknown"; }

std::string shown_text(const std::string& state, const std::string& since, const std::string& cause) {
  return (state.empty() ? "nothing" : state) + (since.empty() ? "" : " since " + since) + (cause.empty() ? "" : ": " + cause);
}

void add_shown(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  const PairLook seen = pair.noticed.value_or(PairLook{});
  const bool here = seen.copy.state == "disconnected" && !seen.since.empty() && !seen.copy.cause.empty();
  checks.push_back({"status on " + facts.node + " shows it", "disconnected, since when, and why", shown_text(seen.copy.state, seen.since, seen.copy.cause), here});
  if (!pair.other_asked) return;
  const bool there = seen.other_state == "disconnected" && !seen.other_since.empty() && !seen.other_cause.empty();
  checks.push_back({"status on " + facts.active + " shows it", "disconnected, since when, and why", shown_text(seen.other_state, seen.other_since, seen.other_cause), there});
}

void add_noticed(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  const bool seen = pair.noticed && pair.fault_began;
  const double after = seen ? pair.noticed->copy.at_seconds - *pair.fault_began : 0;
  checks.push_back({facts.active + " notices that " + facts.node + " is silent", fmt::format("within {:.1f} s", pair.notice_seconds_max),
                    seen ? fmt::format("after {:.1f} s, {}", after, shown_text(pair.noticed->other_state, pair.noticed->other_since, "")) : "not while it lasted",
                    seen && pair.noticed->other_state == "disconnected" && after <= pair.notice_seconds_max});
}

void add_full(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  const PairLook seen = pair.noticed.value_or(PairLook{});
  const bool active = pair.full_node == facts.active;
  const std::string &state = active ? seen.active_state : seen.copy.state, &since = active ? seen.active_since : seen.since, &cause = active ? seen.active_cause : seen.copy.cause;
  const bool says = !pair.full_place.empty() && cause.find(pair.full_place) != std::string::npos && cause.find("no space") != std::string::npos && !since.empty();
  checks.push_back({"status on " + pair.full_node + " says what is full", "no space in " + pair.full_place, shown_text(state, since, cause), says});
}

void add_commits(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  if (!pair.writes && pair.commits_meanwhile == 0) return;  // nobody wrote: a warning
  checks.push_back({facts.active + " goes on committing meanwhile", "more than nothing", fmt::format("{} commits", pair.commits_meanwhile), pair.commits_meanwhile > 0});
}

void add_healthy(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  const double most = pair.healthy_seconds_max + static_cast<double>(pair.backlog_bytes) / pair.backlog_bytes_per_second;
  checks.push_back({"it is healthy in time", fmt::format("within {:.1f} s", most) + (pair.backlog_bytes > 0 ? ", a backlog of " + size_text(pair.backlog_bytes) + " in it" : ""),
                    pair.healthy_seconds ? fmt::format("after {:.1f} s", *pair.healthy_seconds) : "not known", pair.healthy_seconds && *pair.healthy_seconds <= most});
}

// Log is sent in whole blocks, and what was on the way when the connection ended comes again: a little more than what was missing.
void add_log_alone(const DrillFacts& facts, Checks& checks) {
  constexpr std::uint64_t slack = 1 * MiB;
  const PairFacts& pair = *facts.pair;
  checks.push_back({"log alone comes, no pages", "no pass of a seed", fmt::format("{} passes", pair.seed_passes), pair.seed_passes == 0});
  const std::uint64_t most = log_moved(facts).value_or(0) + slack;
  checks.push_back({"no more log comes than was made", "at most " + size_text(most),
                    pair.log_came ? size_text(*pair.log_came) + (pair.wire_came ? ", " + size_text(*pair.wire_came) + " on the wire" : "") : "not known",
                    pair.log_came && log_moved(facts) && *pair.log_came <= most});
}

void add_nothing_lost(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  const PairLook after = pair.after.value_or(PairLook{});
  const std::optional<CommitNumber>&there = after.commit, &here = facts.after->commit;
  const CommitNumber most = pair.commit_most.value_or(0);
  const bool active_has = !pair.other_asked || (there.value_or(0) >= most);  // a copy alone is asked of what it has replayed
  checks.push_back({"no commit is lost", fmt::format("{} or more on both", most),
                    pair.other_asked ? fmt::format("{} on {}, {} on {}", commit_text(there), facts.active, commit_text(here), facts.node) : commit_text(here) + " on " + facts.node,
                    active_has && here.value_or(0) >= most, ExitCode::damage});
}

void add_turns(const DrillFacts& facts, Checks& checks) {
  const PairFacts& pair = *facts.pair;
  const std::vector<std::string> wanted{facts.node, facts.active};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool came = i < pair.turns.size() && pair.turns[i].to == wanted[i];
    checks.push_back({facts.database + " serves on " + wanted[i] + (i == 0 ? "" : " again"), "it does", came ? fmt::format("after {:.1f} s", pair.turns[i].seconds) : "no", came});
    if (!came || facts.kind != DrillKind::failover) continue;
    const DrillTurn& turn = pair.turns[i];
    checks.push_back({"commits wait for the move to " + turn.to, fmt::format("less than {:.0f} s", held_seconds_max),
                      turn.held_seconds ? fmt::format("{:.3f} s", *turn.held_seconds) : "not known", turn.held_seconds && *turn.held_seconds < held_seconds_max});
    if (turn.before || pair.other_asked)
      checks.push_back({"no commit is lost by it", "none of " + commit_text(turn.before), commit_text(turn.after), turn.before && turn.after.value_or(0) >= turn.before.value_or(0), ExitCode::damage});
    checks.push_back({"a verification behind it finds nothing", "nothing", !turn.verified ? "not known" : *turn.verified ? "nothing" : "a difference",
                      turn.verified == true, ExitCode::damage});
  }
}

void add_fork(const DrillFacts& facts, Checks& checks) {
  const DrillFork fork = facts.pair->fork.value_or(DrillFork{});
  checks.push_back({"the load commits on " + facts.active + " alone", "more than nothing", fmt::format("{} commits, log {} to {}", fork.load_commits, to_text(fork.from), to_text(fork.end)),
                    fork.load_commits > 0 && fork.end > fork.from});
  const bool aside = fork.set_aside_to.known() && fork.set_aside_from <= fork.end && fork.set_aside_to >= fork.end && fork.quarantine_files.value_or(0) > 0;
  checks.push_back({"what " + facts.active + " had alone is in quarantine", "log to " + to_text(fork.end),
                    fork.set_aside_to.known() ? fmt::format("{} to {}, {} files, {}", fork.set_aside_from.generation.number == 0 ? "all" : to_text(fork.set_aside_from.generation), to_text(fork.set_aside_to),
                                                              fork.quarantine_files.value_or(0), size_text(fork.quarantine_bytes.value_or(0)))
                                                : "nothing was set aside",
                    aside, ExitCode::damage});
  checks.push_back({"only what the load touched comes again", "at most " + size_text(fork.page_bytes_max) + " of pages",
                    fork.page_bytes ? size_text(*fork.page_bytes) + ", " + size_text(fork.wire_bytes.value_or(0)) + " on the wire" : "not known",
                    fork.compared && fork.page_bytes && *fork.page_bytes <= fork.page_bytes_max});
  checks.push_back({"the root is what it was before the load", facts.before->root, facts.after->root.empty() ? "not known" : facts.after->root,
                    !facts.before->root.empty() && facts.before->root == facts.after->root, ExitCode::damage});
}

}  // namespace

std::vector<DrillCheck> pair_checks(const DrillFacts& facts) {
  Checks checks;
  if (!facts.pair) return checks;
  const DrillKind kind = facts.kind;
  const bool fault = kind == DrillKind::outage || kind == DrillKind::frozen_node || kind == DrillKind::disk_full;
  if (kind == DrillKind::outage) add_shown(facts, checks);
  if (kind == DrillKind::frozen_node) add_noticed(facts, checks);
  if (kind == DrillKind::disk_full) add_full(facts, checks);
  if (fault && facts.pair->other_asked && facts.pair->full_node != facts.active) add_commits(facts, checks);
  if (kind == DrillKind::failover || kind == DrillKind::fork) add_turns(facts, checks);
  if (kind == DrillKind::fork) add_fork(facts, checks);
  add_healthy(facts, checks);
  if (fault) add_log_alone(facts, checks);
  if (kind != DrillKind::fork) add_nothing_lost(facts, checks);
  return checks;
}

std::vector<std::string> pair_warnings(const DrillFacts& facts) {
  std::vector<std::string> warnings;
  if (!facts.pair) return warnings;
  const PairFacts& pair = *facts.pair;
  if (!pair.other_asked)
    warnings.push_back("the daemon of " + facts.active + " was not asked, so what it showed and committed is not known: --peer-socket");
  const bool idle = pair.before && pair.after && pair.commit_most && pair.before->commit == pair.commit_most && !pair.writes;
  if (idle && pair.other_asked && facts.kind != DrillKind::fork) warnings.push_back("nobody wrote meanwhile: --load does");
  return warnings;
}

}  // namespace ccr::tools
