#include "tools/drill_run.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "seed/seed_plan.h"
#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/drill_json.h"
#include "tools/drill_verdict.h"
#include "tools/interrupts.h"
#include "tools/json_fields.h"
#include "tools/seed_overview.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr Duration look_interval = std::chrono::milliseconds(50), cut_look_interval = std::chrono::milliseconds(10);
constexpr double sample_seconds = 1;
constexpr int rot_tries_max = 3;  // where log writes the page anew before it was looked at

Error interrupted_error() { return {ErrorKind::stopped, "interrupted", ""}; }

}  // namespace

DrillRun::DrillRun(const CommonOptions& common, const engine::Config& config, Options options)
    : common_(common),
      config_(config),
      options_(std::move(options)),
      began_(clock_.now()),
      display_(stderr, stderr_columns()) {
  facts_.kind = options_.kind;
  facts_.database = options_.copy.database;
  facts_.node = options_.copy.node;
  facts_.when = to_rfc3339(clock_.wall_now());
  facts_.extents_in_flight_max = seed::seed_asks_in_flight_max;
  if (options_.kind == DrillKind::interrupted_reseed) {
    facts_.cuts_wanted = options_.cuts;
    Random random(static_cast<std::uint64_t>(clock_.now().nanoseconds));
    const auto chance = [&random](std::uint64_t below) { return random.below(below); };
    cuts_ = cut_points(options_.cuts, chance);
  }
}

double DrillRun::now() const { return seconds_of(clock_.now() - began_); }

Result<json> DrillRun::ask(const json& request, bool watched) {
  Result<ControlClient> client = connect_daemon(config_);
  if (!client) return client.error();
  ControlClient::Watch watch;
  watch.interrupt = interrupt_;
  if (watched) {
    watch.silence_max = options_.patience;
    watch.on_progress = [this](const json& fields) { display_.show(fields, clock_.now()); };
  }
  return client->call(request, watch);
}

Result<json> DrillRun::ask_own(json request, bool watched) {
  request.update({{"database", facts_.database}, {"node", facts_.node}});
  return ask(request, watched);
}

Result<DrillLook> DrillRun::look() {
  const Result<json> status = ask_own({{"command", "status"}});
  if (!status) return status.error();
  const json& copy = copy_in(*status, facts_.database, facts_.node);
  if (copy.is_null()) return Error{ErrorKind::not_found, "the daemon knows no copy " + facts_.database + "@" + facts_.node, "ccr status"};
  return look_of(copy, now());
}

bool DrillRun::pause(Duration how_long) const {
  return !interrupted_within(interrupt_, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(how_long).count()));
}

// What a seed checks before it begins; beyond that, a drill begins with a copy that is well: what it shows is about the drill then.
Result<void> DrillRun::check() {
  const auto database = config_.databases.find(facts_.database);
  CCR_TRY(find_copy(config_, facts_.database, facts_.node));
  const Result<json> status = ask({{"command", "status"}, {"database", facts_.database}});
  CCR_TRY(status);
  if (list_field(*status, "databases").empty()) return Error{ErrorKind::not_found, "the daemon knows no database " + facts_.database, "ccr status"};
  facts_.active = text_field(list_field(*status, "databases").at(0), "active");
  facts_.database_kind = engine::name_of(database->second.kind);
  facts_.generation_bytes = database->second.generation_bytes;
  const Result<json> plan = ask_own({{"command", "seed"}, {"full", true}, {"dry_run", true}});
  if (!plan) return plan.error();
  for (const json& check : list_field(*plan, "checks")) facts_.gates.push_back({text_field(check, "check"), text_field(check, "found"), flag_field(check, "ok")});
  const Result<DrillLook> present = look();
  if (!present) return present.error();
  facts_.gates.push_back({"it is healthy before", present->cause.empty() ? present->state : present->state + ": " + present->cause, present->healthy()});
  facts_.gates.push_back({"no seed runs", present->seeding ? "one runs" : "none runs", !present->seeding});
  if (options_.kind == DrillKind::reseed_under_load || options_.kind == DrillKind::restored_backup) return find_load();
  return {};
}

// Where the active node's daemon runs on this host too, and its pages are for load to write.
Result<void> DrillRun::find_load() {
  if (facts_.database_kind != "pages") return {};
  const Result<engine::Config> active = load_config(common_.config_file, facts_.active);
  if (!active) return active.error();
  if (ControlClient::connect(active->control_socket)) load_socket_ = active->control_socket;
  return {};
}

std::vector<std::string> DrillRun::plan() const { return drill_plan(facts_, load_text()); }

std::string DrillRun::load_text() const {
  if (load_socket_)
    return fmt::format("write into {} with ccr load at {:.1f} MB/s meanwhile: what that overwrites is lost", facts_.database,
                       static_cast<double>(options_.load_bytes_per_second) / 1e6);
  if (facts_.database_kind == "pages")
    return "leave the writing to others: " + facts_.active + "'s daemon is not on this host; run ccr load " + facts_.database + " there meanwhile";
  return "leave the writing to the programs of " + facts_.database;
}

bool DrillRun::interrupted() const { return facts_.ended && facts_.ended->kind == ErrorKind::stopped && facts_.ended->message == "interrupted"; }

void DrillRun::run(int interrupt) {
  interrupt_ = interrupt;
  const Result<void> played = play();
  load_.reset();
  if (!played.ok()) facts_.ended = played.error();
  facts_.seconds = now();
  display_.finish();
}

Result<void> DrillRun::play() {
  const bool reseeds = options_.kind < DrillKind::rot;
  if (reseeds && options_.link_seconds > 0) measure_link();
  if (!pause(Duration::zero())) return interrupted_error();
  const Result<DrillLook> before = look();
  if (!before) return before.error();
  facts_.before = *before;
  CCR_TRY(reseeds ? reseed() : options_.kind == DrillKind::rot ? play_rot() : restore_backup());
  const Result<DrillLook> after = look();
  if (!after) return after.error();
  facts_.after = *after;
  return {};
}

// A drill goes on without it, and says so.
void DrillRun::measure_link() {
  constexpr int several = 4;
  const Result<json> measured =
      ask({{"command", "bench"}, {"kind", "link"}, {"peer", facts_.active}, {"seconds", options_.link_seconds}, {"streams", several}}, true);
  if (!measured) {
    facts_.link_unknown = measured.error().message;
    return;
  }
  double most = 0;
  for (const json& run : list_field(*measured, "runs")) {
    if (text_field(run, "from") == facts_.active) most = std::max(most, number_field(run, "bytes_per_second").value_or(0));
  }
  if (most > 0) facts_.link_bytes_per_second = most;
  if (most == 0) facts_.link_unknown = "nothing arrived";
}

Result<void> DrillRun::reseed() {
  CCR_TRY(begin_load());
  CCR_TRY(start_seed(true));
  CCR_TRY(wait_healthy());
  return settle();
}

Result<void> DrillRun::begin_load() {
  if (!load_socket_) return {};
  Result<ControlClient> client = ControlClient::connect(*load_socket_);
  if (!client) return client.error();
  load_.emplace(std::move(*client));
  facts_.writer = "ccr load";
  constexpr double day = 86'400;
  const double seconds = std::min(day, seconds_of(options_.longest));
  return load_->begin({{"command", "load"},
                       {"database", facts_.database},
                       {"rate_bytes_per_second", options_.load_bytes_per_second},
                       {"seconds", seconds},
                       {"pattern", "oltp"}});
}

// Behind its own load the copy comes to rest; what others write goes on.
Result<void> DrillRun::settle() {
  if (!load_) return {};
  load_.reset();
  const Result<json> rests = ask_own(
      {{"command", "wait"}, {"timeout_seconds", seconds_of(options_.patience)}}, true);
  if (!rests) return rests.error();
  return {};
}

Result<void> DrillRun::start_seed(bool full) {
  json request{{"command", "seed"}, {"full", full}, {"reread", !full}, {"detach", true}};
  if (options_.seed_bytes_per_second_max > 0) request["rate"] = options_.seed_bytes_per_second_max;
  facts_.seed_began = now();
  const Result<json> started = ask_own(request);
  if (!started) return started.error();
  seeding_ = true;
  return {};
}

Result<void> DrillRun::wait_healthy() {
  using Moved = std::tuple<std::string, std::uint64_t, std::uint64_t, std::optional<CommitNumber>, Position>;
  std::optional<Moved> moved;
  double moved_at = now();
  for (;;) {
    const Result<DrillLook> seen = look();
    if (!seen) return seen.error();
    const Result<bool> over = progressed(*seen);
    if (!over || *over) return over ? Result<void>() : over.error();
    const Moved at{seen->state, seen->done_bytes, seen->wire_bytes, seen->commit, seen->durable};
    if (moved != at) moved = at, moved_at = now();
    const std::string state = seen->cause.empty() ? seen->state : seen->state + ": " + seen->cause;
    if (now() - moved_at > seconds_of(options_.patience))
      return Error{ErrorKind::timeout, fmt::format("nothing moved for {:.0f} s; the copy is {}", seconds_of(options_.patience), state),
                   "the seed goes on in the daemon: ccr status " + facts_.database};
    if (now() - facts_.seed_began > seconds_of(options_.longest))
      return Error{ErrorKind::timeout, fmt::format("not healthy within {:.0f} s; the copy is {}", seconds_of(options_.longest), state),
                   "the seed goes on in the daemon; --timeout waits longer"};
    if (!pause(cuts_.empty() ? look_interval : cut_look_interval)) return interrupted_error();
  }
}

Result<bool> DrillRun::progressed(const DrillLook& look) {
  const double since = look.at_seconds - facts_.seed_began;
  const bool whole = look.total_bytes > 0 && look.done_bytes == look.total_bytes;
  if (seeding_ && whole && !facts_.pages_seconds) facts_.pages_seconds = since;
  const bool over = !look.seeding && look.healthy();
  const bool due = over || since >= sample_seconds * static_cast<double>(facts_.samples.size() + 1);
  if (seeding_ && due) facts_.samples.push_back(look);  // else status tells of an older seed
  display_.show({{"phase", look.state}, {"done_bytes", look.done_bytes}, {"total_bytes", look.total_bytes}}, clock_.now());
  if (over) {
    facts_.healthy_seconds = since;
    return true;
  }
  // While it seeds it may still be shown as it was before.
  if (!look.seeding && look.state == "failed_and_suspended") return Error{ErrorKind::corrupt, look.cause, "ccr status " + facts_.database};
  if (!look.seeding && look.state == "suspended") return Error{ErrorKind::refused, "somebody suspended the copy meanwhile", "ccr resume goes on with the seed"};
  if (load_) {
    const Result<bool> writes = load_->goes_on();
    if (!writes) return writes.error().within("ccr load");
  }
  CCR_TRY(cut_when_due(look));
  return false;
}

Result<void> DrillRun::cut_when_due(const DrillLook& look) {
  if (cuts_.empty() || look.total_bytes == 0) return {};
  if (static_cast<double>(look.done_bytes) < cuts_.front() * static_cast<double>(look.total_bytes)) return {};
  const Result<json> cut = ask_own({{"command", "drill"}, {"step", "cut"}});
  if (!cut) return cut.error();
  if (!flag_field(*cut, "cut")) return {};  // between two connections: at the next look
  ++facts_.cuts_made;
  cuts_.erase(cuts_.begin());
  return {};
}

Result<void> DrillRun::play_rot() {
  const json request{{"command", "drill"}, {"step", "rot"}};
  for (int tries = 1;; ++tries) {
    const Result<json> rotten = ask_own(request, true);
    if (!rotten) {
      const bool untouched = rotten.error().kind == ErrorKind::refused || rotten.error().kind == ErrorKind::usage;
      if (!untouched) interrupt_ = -1, static_cast<void>(start_seed(false));  // a page may be damaged: it does not stay so
      return rotten.error();
    }
    const json& found = field(*rotten, "found");
    DrillRot rot;
    rot.page = count_field(*rotten, "page").value_or(0);
    rot.bit = count_field(*rotten, "bit").value_or(0);
    rot.found_total = count_field(found, "differing_total").value_or(0);
    rot.active_found_total = count_field(field(found, "active"), "differing_total").value_or(0);
    for (const json& page : list_field(found, "differing_pages")) {
      if (page.is_number_unsigned()) rot.found.push_back(page.get<std::uint64_t>());
    }
    rot.mended = rot.found_total > 0 && list_field(found, "repaired_pages").size() == rot.found_total;
    facts_.rot = rot;
    if (rot.found_total > 0 || tries == rot_tries_max) break;
  }
  const int interrupt = std::exchange(interrupt_, -1);  // from here on a damaged page is known: its repair is begun in any case
  facts_.seed_began = now();
  const Result<void> repaired = facts_.rot->mended ? Result<void>() : start_seed(false);
  interrupt_ = interrupt;
  if (!repaired.ok()) return repaired;
  CCR_TRY(wait_healthy());
  const Result<bool> equal = verified();
  CCR_TRY(equal);
  facts_.rot->equal_after = *equal;
  return {};
}

Result<bool> DrillRun::verified() {
  const Result<json> found = ask_own({{"command", "verify"}}, true);
  CCR_TRY(found);
  return flag_field(*found, "equal");
}

}  // namespace ccr::tools
