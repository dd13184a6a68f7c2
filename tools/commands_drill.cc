// ccr drill.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/drill_json.h"
#include "tools/drill_run.h"
#include "tools/drill_text.h"
#include "tools/interrupts.h"
#include "tools/pair_drill.h"
#include "tools/report_page.h"
#include "tools/result_text.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

constexpr unsigned cuts_max = 100;
constexpr double pair_seconds_max = 540;  // of an outage, whose node allows ten minutes

Result<DrillKind> kind_named(const std::string& name) {
  if (const std::optional<DrillKind> kind = drill_of(name)) return *kind;
  std::vector<std::string> names;
  for (const DrillKind kind : drill_kinds) names.emplace_back(name_of(kind));
  const std::optional<std::string> near = engine::did_you_mean(name, names);
  return Error{ErrorKind::usage, "no drill is called '" + name + "'",
               near ? "did you mean '" + *near + "'?" : "reseed, reseed-under-load, interrupted-reseed, rot, restored-backup, outage, frozen-node, disk-full, failover or fork"};
}

Result<double> link_seconds_of(const std::string& text) {
  if (text == "0") return 0.0;
  const Result<double> seconds = parse_seconds(text);
  if (!seconds) return seconds.error().within("--link-seconds");
  if (*seconds < 1 || *seconds > 60) return Error{ErrorKind::usage, "--link-seconds: expected 0, or 1 to 60, found '" + text + "'", ""};
  return *seconds;
}

Result<DrillRun::Options> options_of(const DrillOptions& typed) {
  DrillRun::Options options;
  const Result<DrillKind> kind = kind_named(typed.name);
  CCR_TRY(kind);
  const Result<Target> copy = parse_copy(typed.target);
  CCR_TRY(copy);
  const Result<double> link_seconds = link_seconds_of(typed.link_seconds);
  CCR_TRY(link_seconds);
  if (!typed.seed_rate.empty()) {
    const Result<std::uint64_t> rate = engine::parse_rate(typed.seed_rate);
    if (!rate) return rate.error().within("--rate");
    options.seed_bytes_per_second_max = *rate;
  }
  const Result<std::uint64_t> load_rate = engine::parse_rate(typed.load_rate);
  if (!load_rate) return load_rate.error().within("--load-rate");
  const Result<Duration> timeout = engine::parse_duration(typed.timeout);
  if (!timeout) return timeout.error().within("--timeout");
  if (typed.cuts < 1 || typed.cuts > cuts_max) return Error{ErrorKind::usage, "--cuts: expected 1 to 100, found " + std::to_string(typed.cuts), ""};
  options.kind = *kind;
  options.copy = *copy;
  options.load_bytes_per_second = *load_rate;
  options.longest = *timeout;
  options.cuts = typed.cuts;
  options.link_seconds = *link_seconds;
  const Result<double> written = parse_seconds(typed.seconds);
  if (!written) return written.error().within("--seconds");
  options.written_seconds = *written;
  return options;
}

Result<PairDrill::Options> pair_options_of(const DrillOptions& typed, const DrillRun::Options& read) {
  PairDrill::Options options;
  const Result<double> seconds = parse_seconds(typed.seconds);
  if (!seconds) return seconds.error().within("--seconds");
  const double most = read.kind == DrillKind::frozen_node ? seconds_of(DrillGuard::freeze_max) : pair_seconds_max;
  if (*seconds < 1 || *seconds > most)
    return Error{ErrorKind::usage, "--seconds: expected 1 to " + std::to_string(static_cast<int>(most)) + ", found '" + typed.seconds + "'", ""};
  if (typed.full != "log" && typed.full != "pages") return Error{ErrorKind::usage, "--full: expected log or pages, found '" + typed.full + "'", ""};
  options.full = typed.full;
  options.on_active = typed.on_active && read.kind == DrillKind::disk_full;
  options.kind = read.kind;
  options.copy = read.copy;
  options.seconds = *seconds;
  options.load = typed.load && read.kind != DrillKind::fork;  // which has its own
  options.load_bytes_per_second = read.load_bytes_per_second;
  options.peer_socket = typed.peer_socket;
  options.longest = read.longest;
  return options;
}

json plan_of(const DrillFacts& facts, const std::vector<std::string>& steps) {
  json plan{{"dry_run", true}, {"allowed", true}, {"checks", json::array()}, {"plan", steps}};
  for (const DrillGate& gate : facts.gates) {
    plan["checks"].push_back({{"check", gate.name}, {"ok", gate.holds}, {"found", gate.found}});
    plan["allowed"] = plan["allowed"].get<bool>() && gate.holds;
  }
  return plan;
}

ExitCode show_plan(const CommonOptions& common, const std::string& copy, const json& plan) {
  if (common.json) {
    print_json(plan);
  } else {
    print(change_text(copy, plan));
  }
  return plan["allowed"] == true ? ExitCode::done : ExitCode::refused;
}

// What may lose something: the standby meanwhile, and with a load what it overwrites.
Result<void> agreed(const DrillOptions& options, const std::string& database, const std::vector<std::string>& steps) {
  if (options.yes) return {};
  std::string what = "ccr drill " + options.name + " will";
  for (const std::string& step : steps) what += "\n  " + step;
  if (confirmed(what, database)) return {};
  return Error{ErrorKind::refused, "the drill was not agreed to", "on a terminal type the database's name; elsewhere add --yes"};
}

Result<void> write_drill_page(const json& document, const std::string& file) {
  const ReportInput input{"the drill", document.dump(-1, ' ', false, json::error_handler_t::replace)};
  const Result<std::string> page = report_page(input, std::nullopt);
  CCR_TRY(page);
  return write_page(*page, file);
}

ExitCode show(const CommonOptions& common, const DrillOptions& options, const DrillFacts& facts) {
  const DrillVerdict verdict = judge(facts);
  const json document = drill_json(facts, verdict);
  if (common.json) {
    print_json(document);
  } else {
    print(drill_text(document, stdout_color(common.color)));
  }
  if (!options.report.empty()) {
    const Result<void> written = write_drill_page(document, options.report);
    if (!written.ok()) return report(written.error());
    note("ccr: " + options.report + " is a page of its own: open it in any browser");
  }
  if (facts.ended && !facts.ended->hint.empty()) note("hint: " + facts.ended->hint);
  return verdict.exit_code();
}

void tell_left(const DrillOptions& options, const DrillRun& drill) {
  note(drill.seed_asked() ? "ccr: the drill ended; the seed of " + options.target + " goes on in the daemon" : "ccr: the drill ended; nothing was changed");
  if (drill.seed_asked()) note("hint: ccr seed " + options.target + " attaches to it, ccr status " + options.target + " shows it");
}

void tell_left(const DrillOptions& options, const PairDrill& drill) {
  note(drill.undone() ? "ccr: the drill ended; what it did is undone" : "ccr: the drill ended, and not all that it did could be undone");
  if (!drill.undone()) note("hint: ccr status " + drill.facts().database + " on both nodes shows what is left of " + options.target);
}

template <class Drill>
ExitCode play(const CommonOptions& common, const DrillOptions& typed, const engine::Config& config, const typename Drill::Options& options) {
  Drill drill(common, config, options);
  const Result<void> checked = drill.check();
  if (!checked.ok()) return report(checked.error());
  const json plan = plan_of(drill.facts(), drill.plan());
  if (typed.dry_run) return show_plan(common, typed.target, plan);
  if (plan["allowed"] == true) {
    const Result<void> agreed_to = agreed(typed, drill.facts().database, drill.plan());
    if (!agreed_to.ok()) return report(agreed_to.error());
    const Interrupts interrupts;
    drill.run(interrupts.descriptor());
  }
  const ExitCode code = show(common, typed, drill.facts());
  if (!drill.interrupted()) return code;
  tell_left(typed, drill);
  return ExitCode::interrupted;
}

}  // namespace

ExitCode run_drill(const CommonOptions& common, const DrillOptions& typed) {
  const Result<DrillRun::Options> options = options_of(typed);
  if (!options) return report(options.error());
  const Result<engine::Config> config = load_config(common.config_file, common.node);
  if (!config) return report(config.error());
  if (!of_two_nodes(options->kind)) return play<DrillRun>(common, typed, *config, *options);
  const Result<PairDrill::Options> pair = pair_options_of(typed, *options);
  if (!pair) return report(pair.error());
  return play<PairDrill>(common, typed, *config, *pair);
}

}  // namespace ccr::tools
