// ccr seed, suspend, resume, verify, scrub, backup: what is done to one copy.
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/config.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/json_fields.h"
#include "tools/result_text.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

// Who asks, for the record; behind sudo the person, not root.
std::string user_name() {
  const char* sudo = std::getenv("SUDO_USER");
  if (sudo != nullptr && ::geteuid() == 0) return sudo;
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

ExitCode show_result(const CommonOptions& common, const json& result, const std::string& text) {
  if (common.json) {
    print_json(result);
  } else {
    print(text);
  }
  return field(result, "allowed") == false ? ExitCode::refused : ExitCode::done;
}

ExitCode show_change(const CommonOptions& common, const std::string& copy, const Result<json>& result) {
  if (!result) return report(result.error());
  return show_result(common, *result, change_text(copy, *result));
}

Result<void> add_rate(const std::string& text, json& request) {
  if (text.empty()) return {};
  const Result<std::uint64_t> rate = engine::parse_rate(text);
  if (!rate) return rate.error().within("--rate");
  request["rate"] = *rate;
  return {};
}

Result<void> add_streams(const std::string& text, json& request) {
  if (text.empty()) return {};
  request["streams"] = 0;
  if (text == "auto") return {};
  for (int streams = 1; streams <= engine::streams_max; ++streams) {
    if (text != std::to_string(streams)) continue;
    request["streams"] = streams;
    return {};
  }
  return Error{ErrorKind::usage, "--streams: expected auto or a number from 1 to " + std::to_string(engine::streams_max) + ", found '" + text + "'", ""};
}

}  // namespace

ExitCode run_seed(const CommonOptions& common, const SeedOptions& options) {
  const bool all = !options.all_of.empty();
  if (all && !options.target.empty()) return report({ErrorKind::usage, "expected DB@NODE or --all@NODE, found both", "such as ccr seed --all@beta"});
  const Result<Target> target = all ? Result<Target>(Target{"", options.all_of}) : parse_copy(options.target);
  if (!target) return report(target.error());
  json request{{"command", "seed"},          {"database", target->database}, {"node", target->node},
               {"full", options.full},       {"reread", options.reread},       {"from", options.from},         {"manual_resume", options.manual_resume},
               {"dry_run", options.dry_run}, {"detach", options.detach},         {"yes", options.yes}};
  const Result<void> rate = add_rate(options.rate, request);
  if (!rate) return report(rate.error());
  const Result<void> streams = add_streams(options.streams, request);
  if (!streams) return report(streams.error());
  if (all) return run_seed_all(common, options.all_of, request);
  const Result<json> result = watch(common, request);
  if (!result) {
    return report_watched(result.error(), "detached: the seed of " + options.target + " goes on in the daemon",
                          "ccr seed " + options.target + " attaches again, ccr suspend " + options.target + " ends it");
  }
  return show_result(common, *result, seed_text(options.target, *result));
}

ExitCode run_suspend(const CommonOptions& common, const SuspendOptions& options) {
  const Result<Target> target = parse_copy(options.target);
  if (!target) return report(target.error());
  const json request{{"command", "suspend"}, {"database", target->database}, {"node", target->node}, {"comment", options.comment},
                     {"by", user_name()},    {"dry_run", options.dry_run}};
  return show_change(common, options.target, ask(common, request));
}

ExitCode run_resume(const CommonOptions& common, const ResumeOptions& options) {
  const Result<Target> target = parse_copy(options.target);
  if (!target) return report(target.error());
  const json request{{"command", "resume"}, {"database", target->database}, {"node", target->node}, {"dry_run", options.dry_run}};
  return show_change(common, options.target, ask(common, request));
}

ExitCode run_verify(const CommonOptions& common, const VerifyOptions& options) {
  const std::string& copy = options.target;
  const Result<Target> target = parse_copy(copy);
  if (!target) return report(target.error());
  json request{{"command", "verify"}, {"database", target->database}, {"node", target->node}, {"cancel", options.cancel}};
  const Result<void> rate = add_rate(options.rate, request);
  if (!rate) return report(rate.error());
  const Result<json> result = watch(common, request);
  if (!result)
    return report_watched(result.error(), "detached: the verification of " + copy + " goes on in the daemon",
                          "ccr verify " + copy + " attaches again, ccr verify " + copy + " --cancel ends it");
  if (options.cancel) return show_result(common, *result, cancel_text(copy, *result));
  show_result(common, *result, verify_text(copy, *result));
  return verify_code(*result);
}

ExitCode run_scrub(const CommonOptions& common, const ScrubOptions& options) {
  const std::string& copy = options.target;
  const Result<Target> target = parse_copy(copy);
  if (!target) return report(target.error());
  json request{{"command", "scrub"}, {"database", target->database}, {"node", target->node}, {"cancel", options.cancel}};
  const Result<void> rate = add_rate(options.rate, request);
  if (!rate) return report(rate.error());
  const Result<json> result = watch(common, request);
  if (!result)
    return report_watched(result.error(), "detached: the scrub of " + copy + " goes on in the daemon",
                          "ccr scrub " + copy + " attaches again, ccr scrub " + copy + " --cancel lets it go on slowly");
  show_result(common, *result, scrub_text(copy, *result));
  return count_field(*result, "lost_pages").value_or(0) == 0 ? ExitCode::done : ExitCode::damage;
}

ExitCode run_backup(const CommonOptions& common, const BackupOptions& options) {
  const std::string& copy = options.target;
  const Result<Target> target = parse_target(copy);
  if (!target) return report(target.error());
  const std::string directory = std::filesystem::absolute(options.directory).lexically_normal().string();
  json request{{"command", "backup"}, {"database", target->database}, {"node", target->node}, {"to", directory}, {"cancel", options.cancel}, {"copy_only", options.copy_only}};
  const Result<void> rate = add_rate(options.rate, request);
  if (!rate) return report(rate.error());
  const Result<json> result = watch(common, request);
  const std::string again = "ccr backup " + copy + " --to " + directory;
  if (!result) return report_watched(result.error(), "detached: the backup of " + copy + " goes on in the daemon", again + " attaches again, with --cancel it ends");
  return show_result(common, *result, backup_text(copy, *result));
}

Result<Target> parse_target(const std::string& text) {
  const std::size_t at = text.find('@');
  const Target target{text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
  const bool node_missing = at != std::string::npos && target.node.empty();
  if (target.database.empty() || node_missing || target.node.find('@') != std::string::npos) {
    return Error{ErrorKind::usage, "expected DB or DB@NODE, found '" + text + "'", "such as orders@beta"};
  }
  return target;
}

Result<Target> parse_copy(const std::string& text) {
  const Result<Target> target = parse_target(text);
  if (target && !target->node.empty()) return target;
  return Error{ErrorKind::usage, "expected DB@NODE, found '" + text + "'", "such as orders@beta; ccr status shows the copies"};
}

}  // namespace ccr::tools
