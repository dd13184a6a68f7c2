#include "tools/result_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/wall_time.h"
#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/status_text.h"
#include "tools/text_table.h"
#include "tools/typed_time.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

std::string plan_text(const std::string& copy, const json& result) {
  std::string text = fmt::format("{}: nothing is changed; this is what would be done\n", copy);
  for (const json& check : list_field(result, "checks")) {
    const std::string found = escaped(text_field(check, "found"));
    text += fmt::format("  {:<9}{}{}\n", flag_field(check, "ok") ? "good" : "refused", escaped(text_field(check, "check")),
                        found.empty() ? "" : ": " + found);
  }
  int step = 0;
  for (const json& line : list_field(result, "plan")) {
    if (line.is_string()) text += fmt::format("  {}. {}\n", ++step, escaped(line.get<std::string>()));
  }
  const std::string forecast = text_field(field(result, "forecast"), "text");
  if (!forecast.empty()) text += "  predicted: " + escaped(forecast) + "\n";
  return text;
}

// 'is Suspended: "disk swap"'
std::string standing_text(const json& copy) {
  const std::string state = text_field(copy, "state");
  const std::string comment = escaped(text_field(copy, "comment"));
  std::string text = "is " + (state.empty() ? "in an unknown state" : escaped(state_title(state)));
  if (!comment.empty()) text += ": \"" + comment + "\"";
  return text;
}

std::string position_text(const json& position) {
  const std::optional<std::uint64_t> generation = count_field(position, "generation");
  const std::optional<std::uint64_t> offset = count_field(position, "offset");
  return generation && offset ? fmt::format("{}+{}", to_hex(*generation), *offset) : "?";
}

std::string page_list(const json& pages, std::uint64_t total) {
  constexpr std::size_t shown_max = 20;
  std::string text;
  std::size_t shown = 0;
  for (const json& page : pages) {
    if (!page.is_number_unsigned() || shown == shown_max) break;
    text += (text.empty() ? "" : ", ") + std::to_string(page.get<std::uint64_t>());
    ++shown;
  }
  return total > shown ? text + ", …" : text;
}

// Whose disk does not hold what its log says, and where; empty: it does.
std::string damage_text(const std::string& whose, const json& side) {
  const json& pages = list_field(side, "differing_pages");
  const std::uint64_t total = count_field(side, "differing_total").value_or(pages.size());
  if (total == 0) return "";
  std::string text = fmt::format("{}: {} of {} pages on its disk are not what the log says", whose, total, count_field(side, "pages_checked").value_or(0));
  if (!pages.empty()) text += ": " + page_list(pages, total);
  return text + "\n";
}

// What was predicted of a seed, beside what came.
std::string came_text(const json& result) {
  const json& came = field(result, "came");
  const std::optional<std::uint64_t> bytes = count_field(came, "bytes"), wire = count_field(came, "wire_bytes");
  const std::optional<double> seconds = number_field(came, "seconds");
  if (!bytes || !wire || !seconds) return "";
  return fmt::format("predicted: {}\ncame:      {} of pages, {} on the wire, {:.1f} s\n", escaped(text_field(field(result, "predicted"), "text")), size_text(*bytes),
                     size_text(*wire), *seconds);
}

}  // namespace

std::string change_text(const std::string& copy, const json& result) {
  if (flag_field(result, "dry_run")) return plan_text(copy, result);
  return fmt::format("{} {}\n", copy, standing_text(field(result, "copy")));
}

std::string seed_text(const std::string& copy, const json& result) {
  if (flag_field(result, "dry_run")) return plan_text(copy, result);
  if (flag_field(result, "running")) return fmt::format("the seed of {} runs in the daemon\n", copy);
  const json& standing = field(result, "copy");
  const json& seed = field(standing, "seed");
  std::string text = copy + " " + standing_text(standing);
  const std::optional<std::uint64_t> sent = count_field(seed, "extents_sent"), equal = count_field(seed, "extents_equal");
  if (sent && equal) text += fmt::format("; of {} extents {} were equal and {} were sent", *sent + *equal, *equal, *sent);
  const std::optional<std::uint64_t> wire = count_field(seed, "wire_bytes");
  const std::uint64_t logical = count_field(seed, "logical_bytes").value_or(0);
  if (sent && equal && wire) text += ", " + size_text(*wire) + " on the wire" + (logical > *wire ? " for " + size_text(logical) : "");
  return text + "\n" + came_text(result);
}

std::string cancel_text(const std::string& copy, const json& result) {
  if (flag_field(result, "cancelled")) return fmt::format("the verification of {} is cancelled\n", copy);
  return fmt::format("no verification of {} runs\n", copy);
}

std::string verify_text(const std::string& copy, const json& result) {
  const std::uint64_t checked = count_field(result, "pages_checked").value_or(0);
  const std::string where = position_text(field(result, "position"));
  if (flag_field(result, "equal")) {
    return fmt::format("{} is equal to the active copy: {} pages read on both sides, as of {}, root {}\n", copy, checked, where,
                       escaped(text_field(result, "root")));
  }
  const json& active = field(result, "active");
  const std::string here = damage_text(copy, result), there = damage_text("the active copy", active);
  const json& repaired = list_field(result, "repaired_pages");
  const bool left = count_field(result, "differing_total").value_or(0) > repaired.size();
  std::string text = here;
  if (!repaired.empty()) text += fmt::format("{} of them {} repaired from another copy{}\n", repaired.size(), repaired.size() == 1 ? "is" : "are", left ? "" : ": nothing is left to do");
  text += there;
  if (!flag_field(result, "roots_equal")) text += fmt::format("{} is not proven equal to the active copy: the last equal root is as of {}\n", copy, where);
  if (!there.empty()) text += "hint: look at the active node's disk, and at who wrote its file; a seed from it is refused\n";
  if (left) text += fmt::format("hint: ccr seed {}\n", copy);
  if (!repaired.empty()) text += "hint: look at this disk: what rotted once may rot again\n";
  if (here.empty() && there.empty()) text += fmt::format("hint: ccr status {}\n", copy);
  return text;
}

ExitCode verify_code(const json& result) {
  if (flag_field(result, "equal")) return ExitCode::done;
  const bool sound = count_field(result, "differing_total") == 0 && count_field(field(result, "active"), "differing_total") == 0;
  return sound && field(result, "position").is_object() ? ExitCode::warnings : ExitCode::damage;
}

std::string scrub_text(const std::string& copy, const json& result) {
  if (const json& cancelled = field(result, "cancelled"); cancelled.is_boolean()) {
    return cancelled == true ? fmt::format("the scrub of {} goes on at its own pace\n", copy) : fmt::format("no scrub of {} was asked for\n", copy);
  }
  const auto count = [&result](const char* key) { return count_field(result, key).value_or(0); };
  std::string text = fmt::format("{}: {} pages read, ", copy, count("pages_checked"));
  if (count("rotten_pages") == 0) return text + "all are what the log says\n";
  text += fmt::format("{} rotten, {} repaired", count("rotten_pages"), count("repaired_pages"));
  if (count("lost_pages") == 0) return text + "\n";
  return text + fmt::format(", {} lost\nhint: ccr events {} names them; look at this disk\n", count("lost_pages"), copy);
}

std::string move_text(const std::string& database, const json& result) {
  if (flag_field(result, "dry_run")) return plan_text(database, result);
  return fmt::format("{} is active on {} now, epoch {}: nothing is lost, as of {}, root {}; commits waited {:.2f} s\n", database, escaped(text_field(result, "active")),
                     count_field(result, "epoch").value_or(0), position_text(field(result, "position")), escaped(text_field(result, "root")),
                     number_field(result, "held_seconds").value_or(0));
}

std::string missing_text(const json& missing) {
  if (!missing.is_object()) return "what the other copies alone have is set aside there";
  const std::uint64_t generations = count_field(missing, "generations").value_or(0);
  if (!flag_field(missing, "known")) {
    const std::string since = text_field(missing, "unknown_since");
    return "what is missing is unknown since " + (since.empty() ? std::string("ever") : escaped(since));
  }
  if (generations == 0) return "nothing is missing";
  const std::optional<std::uint64_t> commits = count_field(missing, "commits");
  return fmt::format("{} generation{} ({}{}) {} missing", generations, generations == 1 ? "" : "s", size_text(count_field(missing, "bytes").value_or(0)),
                     commits ? fmt::format(", {} commit{}", *commits, *commits == 1 ? "" : "s") : "", generations == 1 ? "is" : "are");
}

namespace {

std::string typed_text(const json& object) {
  const std::optional<WallTime> time = wall_time_of_rfc3339(text_field(object, "time"));
  return time ? local_time_text(*time) : std::string("a time that is not known");
}

std::string point_text(const json& until) {
  const json& cut = field(until, "cut");
  const json& given_up = field(until, "given_up");
  const std::optional<std::uint64_t> commit = count_field(cut, "commit");
  const std::uint64_t commits = count_field(given_up, "commits").value_or(0), generations = count_field(given_up, "generations").value_or(0);
  const std::string last = commit ? fmt::format("commit {} of {} is the last", *commit, typed_text(cut)) : std::string("its pages as they are");
  const std::string text = fmt::format("as of {}, {}; ", typed_text(until), last);
  if (commits == 0 && generations == 0) return text + "nothing that came to it is later";
  return text + fmt::format("{} commit{} that came to it later ({} in {} generation{}) {} given up, and kept in quarantine/", commits, commits == 1 ? "" : "s",
                            size_text(count_field(given_up, "bytes").value_or(0)), generations, generations == 1 ? "" : "s", commits == 1 ? "is" : "are");
}

}  // namespace

std::string loss_text(const json& result) {
  std::string missing;
  for (const json& from : field(result, "fetched"))
    missing += fmt::format("{} of log came from {}; ", size_text(count_field(from, "bytes").value_or(0)), escaped(text_field(from, "node")));
  missing += missing_text(field(result, "missing"));
  return field(result, "until").is_object() ? point_text(result["until"]) + ". Of the log of the one before: " + missing : missing;
}

std::string activate_text(const std::string& database, const json& result) {
  if (flag_field(result, "dry_run")) {
    std::string text = plan_text(database, result);
    if (result.contains("missing")) text += "  " + loss_text(result) + "\n";
    return text;
  }
  const std::string active = escaped(text_field(result, "active")), before = escaped(text_field(result, "before"));
  std::string text = fmt::format("{} is active on {} now, epoch {}: {}\n", database, active, count_field(result, "epoch").value_or(0), loss_text(result));
  if (flag_field(result, "forced") && before != active)
    text += fmt::format("hint: {} was not asked and is not fenced: until it hears of this it may go on; what it then has alone is kept for you to decide\n", before);
  return text;
}

std::string backup_text(const std::string& copy, const json& result) {
  if (const json& cancelled = field(result, "cancelled"); cancelled.is_boolean())
    return cancelled == true ? fmt::format("the backup of {} is cancelled\n", copy) : fmt::format("no backup of {} runs\n", copy);
  return fmt::format("{} is in {}: {}, as of {}, read back, root {}\n", copy, escaped(text_field(result, "file")), size_text(count_field(result, "bytes").value_or(0)),
                     position_text(field(result, "position")), escaped(text_field(result, "root")));
}

std::string load_text(const std::string& database, const json& result) {
  if (flag_field(result, "dry_run")) return plan_text(database, result);
  const double commits = number_field(result, "commits").value_or(0);
  const double bytes = number_field(result, "bytes").value_or(0);
  const double seconds = number_field(result, "seconds").value_or(0);
  const double per_second = seconds > 0 ? 1 / seconds : 0;
  std::string text =
      fmt::format("{}: {:.0f} commits, {} in {:.1f} s; {:.0f} commits/s, {}", database, commits,
                  size_text(static_cast<std::uint64_t>(bytes)), seconds, commits * per_second, rate_text(bytes * per_second));
  const json& latency = field(result, "latency_us");
  if (latency.is_object()) {
    const auto of = [&latency](const char* key) { return number_field(latency, key).value_or(0); };
    text += fmt::format("; commit p50 {:.0f} us, p99 {:.0f} us, p99.9 {:.0f} us", of("p50"), of("p99"), of("p999"));
  }
  return text + "\n";
}

}  // namespace ccr::tools
