#include "tools/drill_verdict.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/amounts.h"
#include "tools/pair_verdict.h"

namespace ccr::tools {
namespace {

bool seeds_in_full(DrillKind kind) { return kind < DrillKind::rot; }

std::string root_text(const DrillLook& look) {
  if (look.root.empty() || !look.root_at.known()) return "not known";
  return look.root + " at " + to_text(look.root_at);
}

DrillCheck healthy(const DrillFacts& facts) {
  const std::string state = facts.after->state.empty() ? "unknown" : facts.after->state;
  return {"the copy is healthy again", "healthy", facts.after->cause.empty() ? state : state + ": " + facts.after->cause, facts.after->healthy()};
}

DrillCheck whole(const DrillFacts& facts) {
  const DrillLook& last = *facts.after;
  const bool holds = last.total_bytes > 0 && last.done_bytes == last.total_bytes;
  return {"all of the database came", size_text(last.total_bytes), size_text(last.done_bytes), holds};
}

// The seed forgot the proofs that were there before it: what is known behind it was compared behind it.
DrillCheck same_root(const DrillFacts& facts) {
  const DrillLook &before = *facts.before, &after = *facts.after;
  const bool holds = after.healthy() && !after.root.empty() && after.root_at.known() && after.root_at >= before.root_at;
  const std::string behind = of_two_nodes(facts.kind) ? "it" : "the seed";
  return {"both nodes have one root, compared behind " + behind, "at " + to_text(before.root_at) + " or later", root_text(after), holds,
          ExitCode::damage};
}

DrillCheck unchanged_root(const DrillFacts& facts) {
  return {"the root is what it was, as nobody wrote", facts.before->root, facts.after->root.empty() ? "not known" : facts.after->root,
          facts.before->root == facts.after->root, ExitCode::damage};
}

DrillCheck moved(const std::optional<std::uint64_t>& log) {
  return {"log was made meanwhile", "more than nothing", log ? size_text(*log) : "not known", log.value_or(0) > 0};
}

void add_cuts(const DrillFacts& facts, std::vector<DrillCheck>& checks) {
  checks.push_back({"the seed's connection was cut as often as asked", fmt::format("{} times", facts.cuts_wanted),
                    fmt::format("{} times", facts.cuts_made), facts.cuts_made >= facts.cuts_wanted && facts.cuts_wanted > 0});
  const std::optional<std::uint64_t> cuts = facts.after->cuts, again = facts.after->extents_again;
  const std::uint64_t most = cuts.value_or(0) * facts.extents_in_flight_max;
  const bool known = cuts && again && *cuts >= facts.cuts_made;
  checks.push_back({"a cut costs no more than what is in flight", fmt::format("at most {} extents of {} connections", most, cuts.value_or(0)),
                    again ? fmt::format("{} extents asked for again", *again) : "not known", known && *again <= most});
}

DrillCheck nothing_left(const std::optional<bool>& equal) {
  return {"a verification behind the repair finds nothing", "nothing", !equal ? "not known" : *equal ? "nothing" : "a difference", equal == true, ExitCode::damage};
}

void add_rot(const DrillRot& rot, std::vector<DrillCheck>& checks) {
  std::string found = rot.found_total == 0 ? "none" : "";
  for (const std::uint64_t page : rot.found) found += (found.empty() ? "page " : ", ") + std::to_string(page);
  if (rot.active_found_total > 0) found += fmt::format(", and {} on the active node", rot.active_found_total);
  const bool one = rot.found_total == 1 && rot.found.size() == 1 && rot.found.front() == rot.page && rot.active_found_total == 0;
  checks.push_back({"the verification found the damaged page, no other", "page " + std::to_string(rot.page), found, one, ExitCode::damage});
  checks.push_back(nothing_left(rot.equal_after));
}

void add_restored(const DrillRestored& restored, std::vector<DrillCheck>& checks) {
  const bool behind = restored.commit && *restored.commit > restored.backup_commit;
  checks.push_back({"commits were made behind the backup", fmt::format("more than {}", restored.backup_commit),
                    restored.commit ? std::to_string(*restored.commit) : "not known", behind});
  const std::string found = !restored.taken ? "not known" : *restored.taken ? "it was taken" : restored.refusal;
  checks.push_back({"the older file is not taken for the copy", "a refusal", found, restored.taken == false, ExitCode::damage});
  checks.push_back(nothing_left(restored.equal_after));
}

void add_gates(const DrillFacts& facts, std::vector<DrillCheck>& checks) {
  for (const DrillGate& gate : facts.gates) checks.push_back({gate.name, "good", gate.found, gate.holds, ExitCode::refused});
}

std::vector<std::string> warnings_of(const DrillFacts& facts) {
  std::vector<std::string> warnings;
  if (!facts.link_unknown.empty()) warnings.push_back("the link was not measured: " + facts.link_unknown);
  if (seeds_in_full(facts.kind) && !lag_most(facts)) warnings.push_back("the lag of the log was never known while pages came");
  for (std::string& warning : pair_warnings(facts)) warnings.push_back(std::move(warning));
  return warnings;
}

std::string text_of(const DrillFacts& facts, const DrillVerdict& verdict) {
  const std::string subject = fmt::format("{} of {}@{}", name_of(facts.kind), facts.database, facts.node);
  if (!verdict.pass) {
    const auto broken = std::find_if(verdict.checks.begin(), verdict.checks.end(), [](const DrillCheck& check) { return !check.holds; });
    return fmt::format("FAIL: {}: {}: expected {}, found {}", subject, broken->name, broken->expected, broken->found);
  }
  if (facts.pair) {
    const std::string turned = facts.pair->turns.empty() ? "" : facts.active + " serves again, ";
    return fmt::format("PASS: {}: {}healthy {:.1f} s behind it, root equal at {}", subject, turned, facts.pair->healthy_seconds.value_or(0), to_text(facts.after->root_at));
  }
  std::string repaired = facts.rot ? fmt::format("page {} was found and repaired, ", facts.rot->page) : "";
  if (facts.restored) repaired = fmt::format("a file as of commit {} was refused, and brought to what it should be, ", facts.restored->backup_commit);
  return fmt::format("PASS: {}: {}healthy after {:.1f} s, root equal at {}", subject, repaired, facts.healthy_seconds.value_or(0),
                     to_text(facts.after->root_at));
}

}  // namespace

ExitCode DrillVerdict::exit_code() const {
  for (const DrillCheck& check : checks) {
    if (!check.holds) return check.otherwise;
  }
  return warnings.empty() ? ExitCode::done : ExitCode::warnings;
}

DrillVerdict judge(const DrillFacts& facts) {
  DrillVerdict verdict;
  add_gates(facts, verdict.checks);
  const bool refused = std::any_of(verdict.checks.begin(), verdict.checks.end(), [](const DrillCheck& check) { return !check.holds; });
  if (!refused) {
    const bool came = !facts.ended && facts.before && facts.after;
    verdict.checks.push_back({"it came to its end", "the end", facts.ended ? facts.ended->message : came ? "the end" : "not begun", came,
                              facts.ended ? exit_code_of(facts.ended->kind) : ExitCode::failed});
    if (facts.before && facts.after) {
      verdict.checks.push_back(healthy(facts));
      if (seeds_in_full(facts.kind)) verdict.checks.push_back(whole(facts));
      verdict.checks.push_back(same_root(facts));
      const bool nobody_wrote = of_two_nodes(facts.kind) ? facts.before->commit && facts.before->commit == facts.after->commit : log_moved(facts) == std::uint64_t{0};
      if (nobody_wrote && facts.kind != DrillKind::fork) verdict.checks.push_back(unchanged_root(facts));
      if (facts.kind == DrillKind::reseed_under_load) verdict.checks.push_back(moved(log_moved(facts)));
      if (facts.kind == DrillKind::interrupted_reseed) add_cuts(facts, verdict.checks);
      if (facts.kind == DrillKind::rot) add_rot(facts.rot.value_or(DrillRot{}), verdict.checks);
      if (facts.kind == DrillKind::restored_backup) add_restored(facts.restored.value_or(DrillRestored{}), verdict.checks);
      const std::vector<DrillCheck> of_pair = pair_checks(facts);
      verdict.checks.insert(verdict.checks.end(), of_pair.begin(), of_pair.end());
    }
    verdict.warnings = warnings_of(facts);
  }
  verdict.pass = std::all_of(verdict.checks.begin(), verdict.checks.end(), [](const DrillCheck& check) { return check.holds; });
  verdict.text = text_of(facts, verdict);
  return verdict;
}

std::vector<double> cut_points(std::uint64_t count, const std::function<std::uint64_t(std::uint64_t)>& chance) {
  constexpr double first = 0.05, last = 0.9;
  constexpr std::uint64_t grains = 1000;
  std::vector<double> points;
  const double part = (last - first) / static_cast<double>(std::max<std::uint64_t>(count, 1));
  for (std::uint64_t i = 0; i < count; ++i) {
    const double within = static_cast<double>(chance(grains)) / static_cast<double>(grains);
    points.push_back(first + part * (static_cast<double>(i) + within));
  }
  return points;
}

}  // namespace ccr::tools
