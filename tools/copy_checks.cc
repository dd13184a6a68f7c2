#include "tools/copy_checks.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "engine/activation.h"
#include "storage/quarantine.h"
#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/log_forecast.h"
#include "tools/status_text.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr double lag_warning_seconds = 10, lag_failed_seconds = 60;
constexpr double verified_seconds_max = 30 * 86'400.0;  // where the scrub is off; else two of its periods
constexpr double forecast_warning_seconds = 86'400, forecast_failed_seconds = 3'600;
// Within a moment a full link has many generations on their way: a queue that long is one only once it is also that old.
constexpr double queue_warning_seconds = 2, queue_failed_seconds = 10;

std::string plural(std::uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

class CopyChecks {
 public:
  CopyChecks(std::vector<HealthCheck>& checks, const CopyLook& look)
      : checks_(checks),
        look_(look),
        copy_(look.copy),
        node_(text_field(look.copy, "node")),
        name_(text_field(look.database, "name") + "@" + node_),
        state_(text_field(look.copy, "state")),
        active_(text_field(look.copy, "role") == "active"),
        here_(node_ == look.here) {}

  void add_all() {
    state();
    if (!active_) passive();
    if (here_) own();
  }

 private:
  void add(const char* check, Health verdict, std::string found, std::string hint = "") {
    checks_.push_back({check, name_, verdict, std::move(found), verdict == Health::ok ? "" : std::move(hint)});
  }
  bool whole() const { return state_ == "healthy"; }
  std::string see(const std::string& command) const { return "ccr " + command + " " + name_; }

  // Null, or a state of a newer daemon, is nothing that this knows to be well.
  void state() {
    static const std::set<std::string> good{"mounted", "healthy"};
    static const std::set<std::string> waiting{"suspended", "needs_seed", "seeding", "resynchronizing", "initializing"};
    static const std::set<std::string> bad{"dismounted", "disconnected", "failed", "failed_and_suspended"};
    const Health verdict = good.contains(state_)      ? Health::ok
                           : waiting.contains(state_) ? Health::warning
                           : bad.contains(state_)     ? Health::failed
                                                      : Health::unknown;
    std::string found = state_.empty() ? "not known" : state_title(state_);
    const std::string since = text_field(copy_, "since");
    if (!since.empty() && verdict != Health::ok) found += " for " + age_text(seconds_since(since, look_.now));
    for (const char* key : {"cause", "comment"}) {
      const std::string words = text_field(copy_, key);
      if (verdict != Health::ok && !words.empty()) found += ", " + words;
    }
    const json& seed = field(copy_, "seed");
    if (flag_field(seed, "running")) found += ", " + seed_found(seed);
    const std::string hint = text_field(copy_, "hint");
    add("state", verdict, found,
        hint.empty() && state_ == "disconnected" ? "do both daemons run? ccr check on the other node" : hint);
  }

  static std::string seed_found(const json& seed) {
    const std::optional<double> done = number_field(seed, "done_bytes"), total = number_field(seed, "total_bytes");
    std::string found =
        done && total && *total > 0 ? fmt::format("a seed runs, {:.1f} % done", 100 * *done / *total) : "a seed begins";
    if (const std::optional<double> rate = number_field(seed, "rate")) found += " at " + rate_text(*rate);
    if (const std::optional<double> left = number_field(seed, "eta_seconds")) found += ", " + age_text(*left) + " left";
    return found;
  }

  void passive() {
    queue();
    if (!whole()) return;  // its state says so, and the rest would say it again
    lag();
    replay();
    proof();
    verified();
  }

  // What an activation at this moment would have to leave out (engine/activation.h).
  void queue() {
    const json& waiting = field(copy_, "copy_queue");
    const std::optional<std::uint64_t> generations = count_field(waiting, "generations");
    if (!generations) {
      if (whole()) add("copy_queue", Health::unknown, "not known", "ccr status " + name_);
      return;
    }
    const double seconds = number_field(waiting, "seconds").value_or(queue_failed_seconds + 1);
    Health verdict = Health::ok;
    if (*generations > engine::generations_allowed(engine::Dial::good) && seconds > queue_warning_seconds)
      verdict = Health::warning;
    const bool long_one = *generations > engine::generations_allowed(engine::Dial::best) && seconds > queue_failed_seconds;
    if (long_one) verdict = state_ == "suspended" ? Health::warning : Health::failed;  // a person's decision is no failure
    std::string found = plural(*generations, "generation");
    if (const std::optional<std::uint64_t> bytes = count_field(waiting, "bytes")) found += ", " + size_text(*bytes);
    const std::string as_of = text_field(copy_, "queues_as_of");
    if (!as_of.empty()) found += ", of a copy last heard " + rough_age_text(seconds_since(as_of, look_.now)) + " ago";
    add("copy_queue", verdict, found, "is the link fast enough? ccr bench link, ccr bench ship");
  }

  void lag() {
    const std::optional<double> seconds = number_field(copy_, "lag_seconds");
    if (!seconds) return add("lag", Health::unknown, "not known", "ccr status " + name_);
    add("lag", graded(*seconds, lag_warning_seconds, lag_failed_seconds), seconds_text(*seconds),
        "which stage limits? ccr bench ship --peer " + node_);
  }

  // Of a delayed copy: what it holds back is no queue, what is due is.
  void replay() {
    const json& delay = field(copy_, "replay_lag");
    const std::optional<double> lag = number_field(delay, "seconds"), behind = number_field(delay, "behind_seconds");
    if (!lag || *lag <= 0) return;
    const std::string configured = "delayed by " + age_text(*lag);
    if (!behind) return add("replay", Health::unknown, configured, "ccr status " + name_);
    const std::string found = fmt::format("{}, holds {} of {}", configured, size_text(count_field(delay, "held_bytes").value_or(0)), age_text(*behind));
    add("replay", graded(*behind - *lag - *lag / 32, lag_warning_seconds, lag_failed_seconds), found, "its replay is slower than its log comes: ccr bench ship");
  }

  void proof() {
    const std::optional<std::uint64_t> generation = count_field(field(copy_, "root_equal_at"), "generation");
    if (generation) return add("proof", Health::ok, "root equal at " + to_hex(*generation));
    add("proof", Health::warning, "its root was never compared equal", see("verify"));
  }

  void verified() {
    const std::string at = text_field(copy_, "disk_verified_at");
    if (at.empty())
      return add("disk_verified", Health::warning, "its pages were never read back from the disk as a whole", see("verify"));
    const std::optional<double> every = number_field(field(copy_, "scrub"), "every_seconds");
    const double age = seconds_since(at, look_.now);
    add("disk_verified", age > std::max(2 * every.value_or(0), verified_seconds_max) ? Health::warning : Health::ok,
        rough_age_text(age) + " ago", see("verify"));
  }

  void own() {
    scrub();
    if (!active_) return quarantine();
    if (text_field(look_.database, "kind") == "sqlite") capture();
    commits();
    log();
    retention();
  }

  // Of a database whose commits wait for another copy (engine/commit_gate.h).
  void commits() {
    const json& commits = field(copy_, "commits");
    const std::string mode = text_field(commits, "mode");
    if (mode.empty() || mode == "async") return;
    const std::optional<double> waiting = number_field(commits, "waiting_seconds");
    const std::string hint = "is another copy healthy? ccr status " + text_field(look_.database, "name");
    if (flag_field(commits, "fallen_back")) return add("commits", Health::warning, mode + ", fallen back to async", hint);
    if (!waiting) return add("commits", Health::unknown, mode, hint);
    add("commits", graded(*waiting, lag_warning_seconds, lag_failed_seconds),
        mode + (*waiting > 0 ? ", the oldest waits for " + seconds_text(*waiting) : ", none waits"), hint);
  }

  void scrub() {
    const json& scrub = field(copy_, "scrub");
    if (!scrub.is_object()) return;  // it does not serve, or was never made
    const std::string waiting = text_field(scrub, "waiting"), at = text_field(scrub, "finished_at");
    const std::string last =
        at.empty() ? "no pass ended yet" : "the last pass ended " + rough_age_text(seconds_since(at, look_.now)) + " ago";
    if (!waiting.empty())
      return add("scrub", Health::failed, "a rotten page waits for repair: " + waiting, "ccr status --verbose " + name_);
    if (flag_field(scrub, "overdue"))
      return add("scrub", Health::warning, "overdue, " + last, see("scrub") + ", or a higher [scrub] rate");
    if (!number_field(scrub, "every_seconds")) return add("scrub", Health::ok, "off");
    add("scrub", Health::ok, last);
  }

  void quarantine() {
    const json& aside = field(copy_, "quarantine");
    const std::optional<std::uint64_t> files = count_field(aside, "files"), bytes = count_field(aside, "bytes");
    if (!files || !bytes) return;  // not looked at yet: the copy just starts
    if (*files == 0) return add("quarantine", Health::ok, "empty");
    const bool full = *files >= storage::Quarantine::files_max || *bytes >= storage::Quarantine::bytes_max;
    add("quarantine", full ? Health::failed : Health::warning,
        fmt::format("{} with {}, of at most {} and {}", plural(*files, "file"), size_text(*bytes), storage::Quarantine::files_max,
                    size_text(storage::Quarantine::bytes_max)),
        "look into it, then remove what nobody needs: " + text_field(copy_, "log_directory") + "/quarantine");
  }

  void capture() {
    const json& source = field(copy_, "source");
    const std::optional<double> seconds = number_field(source, "lag_seconds");
    if (!seconds) return;  // it does not serve
    add("capture", graded(*seconds, lag_warning_seconds, lag_failed_seconds),
        seconds_text(*seconds) + " behind the programs, " + size_text(count_field(source, "uncaptured_bytes").value_or(0)),
        "is the log's disk fast enough? ccr bench log");
  }

  void log() {
    const std::optional<double> used = number_field(copy_, "log_bytes"), budget = number_field(copy_, "log_budget_bytes");
    if (!used || !budget) return;  // it does not serve
    const auto free = look_.host.free_bytes.find(text_field(copy_, "log_directory"));
    const bool looked = free != look_.host.free_bytes.end();
    const json forecast = log_forecast(look_.database, copy_, looked ? std::optional(free->second) : std::nullopt, look_.now);
    const std::string kept = forecast_text(forecast);
    const std::string found = fmt::format("{} of {}", size_text(static_cast<std::uint64_t>(*used)), size_text(static_cast<std::uint64_t>(*budget))) + (kept.empty() ? "" : ", " + kept);
    const std::optional<double> rate = number_field(forecast, "bytes_per_second"), seconds = number_field(forecast, "seconds");
    const Health verdict = !forecast.is_object() || (rate && *rate < 1) ? Health::ok
                           : !seconds                                   ? Health::unknown
                                                                        : graded(-*seconds, -forecast_warning_seconds, -forecast_failed_seconds);
    add("log", verdict, found, "ccr status; a longer outage: a larger log_budget. At its end a copy takes a difference instead");
  }

  void retention() {
    const json& kept = field(copy_, "retention");
    const std::string policy = text_field(kept, "policy"), taken = text_field(field(copy_, "last_backup"), "taken_at");
    if (policy.empty() || policy == "circular") return;
    std::string found = policy;
    if (policy == "until-backup") found += taken.empty() ? ", no backup is known" : ", the last backup is " + age_text(seconds_since(taken, look_.now)) + " old";
    const std::string hint = policy == "until-backup" ? "ccr backup " + name_ + " --to DIR" : "a larger log_budget";
    if (flag_field(kept, "broken")) return add("retention", Health::warning, found + "; log_budget took log that it would have kept", hint);
    add("retention", policy == "until-backup" && taken.empty() ? Health::warning : Health::ok, found, hint);
  }

  std::vector<HealthCheck>& checks_;
  const CopyLook& look_;
  const json& copy_;
  const std::string node_, name_, state_;
  const bool active_, here_;
};

}  // namespace

void add_copy_checks(std::vector<HealthCheck>& checks, const CopyLook& look) { CopyChecks(checks, look).add_all(); }

}  // namespace ccr::tools
