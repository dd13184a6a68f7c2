// How a copy is activated without the consent of the one before, also as of a point in time.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/wall_time.h"
#include "engine/dry_run.h"
#include "engine/handover.h"
#include "engine/status_parts.h"
#include "storage/quarantine.h"

namespace ccr::engine {

using nlohmann::json;
using transport::HandoverAnswer;
using transport::HandoverAsk;
using transport::HandoverStep;
using transport::RoleEntry;

Task<Result<void>> Handover::activate(std::shared_ptr<Handover> handover, Dial dial, std::optional<WallTime> until) {
  handover->end(co_await handover->run_activation(dial, until));
  co_return Result<void>();
}

namespace {

constexpr Duration yield_limit = std::chrono::seconds(10);  // in which a node that answered before is asked again
constexpr Duration ask_again = std::chrono::milliseconds(100);

}  // namespace

json Handover::progress() const {
  json told{{"phase", step_}};
  if (!walk_end_.known()) return told;
  const std::uint64_t bytes = hosted_.config.generation_bytes;
  const Position at = step_ == "fetch" ? hosted_.passive->end_of_received() : walk_at_;
  told["done_bytes"] = distance(walk_from_, at, bytes).value;
  told["total_bytes"] = distance(walk_from_, walk_end_, bytes).value;
  return told;
}

namespace {

// Whatever way an activation ends, replay is held by what is in the state, or by nothing.
struct Thawed {
  PassiveCopy* passive;
  explicit Thawed(PassiveCopy* copy) : passive(copy) {}
  Thawed(const Thawed&) = delete;
  Thawed& operator=(const Thawed&) = delete;
  ~Thawed() {
    if (passive != nullptr) passive->thaw();
  }
};

// As if the copy had received nothing behind the cut.
void end_at(const PointInTime& point, ActivationFacts& facts) {
  facts.until = true;
  facts.inspected = point.cut.at;
  facts.replayed_all = point.cut.kept.has_value();
  if (point.cut.kept) facts.replayed_commit = point.cut.kept->number;
}

json commit_json(const std::optional<storage::RecordHeader>& record) {
  if (!record) return nullptr;
  return {{"commit", record->number}, {"time", to_rfc3339_exact(record->wall)}};
}

json point_json(const PointInTime& point, std::uint64_t generation_bytes) {
  json cut = commit_json(point.cut.kept);
  if (cut.is_null()) cut = json::object();
  cut["position"] = position_json(point.cut.at);
  json given_up{{"commits", point.commits()}, {"generations", point.generations()}, {"bytes", distance(point.cut.at, point.end, generation_bytes).value}};
  return {{"time", to_rfc3339_exact(point.until)}, {"cut", std::move(cut)}, {"next", commit_json(point.cut.next)}, {"given_up", std::move(given_up)}};
}

json missing_json(const ActivationFacts& facts, const ActivationVerdict& verdict) {
  json missing{{"known", verdict.known},
               {"unknown_since", verdict.known || !facts.tip_heard.known() ? json(nullptr) : json(to_rfc3339(facts.tip_heard))},
               {"generations", verdict.generations},
               {"bytes", verdict.bytes},
               {"commits", verdict.commits ? json(*verdict.commits) : json(nullptr)}};
  return missing;
}

}  // namespace

void Handover::look_at_own(ActivationFacts& facts) const {
  const storage::CopyState& state = hosted_.passive->state();
  facts.inspected = hosted_.passive->end_of_received();
  facts.replayed_commit = state.replayed_commit;
  facts.replayed_all = facts.inspected == state.min_required;
}

Task<Result<ActivationFacts>> Handover::look() {
  ActivationFacts facts;
  facts.generation_bytes = hosted_.config.generation_bytes;
  known_epoch_ = std::max(hosted_.role.epoch, hosted_.highest_epoch);
  if (hosted_.is_active_here) co_return facts;
  if (!hosted_.passive->opened()) {
    co_return Error{ErrorKind::busy, subject_of(hosted_.config, context_.config.node) + " is " + std::string(title_of(hosted_.standing->state())) + ": " + hosted_.standing->cause(),
                    "ccr status " + hosted_.config.name};
  }
  const storage::CopyState& state = hosted_.passive->state();
  facts.seeded = state.seeded;
  facts.failed = state.failed;
  facts.damaged_pages = state.damaged_pages;
  look_at_own(facts);
  facts.tip = state.tip;
  facts.tip_heard = hosted_.passive->tip_heard_at();
  known_epoch_ = std::max(known_epoch_, state.epoch);
  const Result<RoleEntry> entry = co_await roles_.ask_role(hosted_.role.active, hosted_.config.name);
  if (!entry.ok()) co_return facts;
  facts.answers = true;
  facts.serves = entry->serving;
  facts.end = entry->end;
  facts.end_commit = entry->commit;
  known_epoch_ = std::max(known_epoch_, entry->epoch);
  co_return facts;
}

Task<Result<PointInTime>> Handover::find_point(WallTime until) {
  PassiveCopy& passive = *hosted_.passive;
  PointInTimeFacts facts;
  facts.copy = subject_of(hosted_.config, context_.config.node);
  facts.until = until;
  facts.now = context_.clock.wall_now();
  if (until > facts.now) co_return judge_point_in_time(facts).error();
  if (!passive.opened() || !passive.state().seeded)
    co_return Error{ErrorKind::refused, facts.copy + " is no copy: it is not open, or was never seeded to its end", "ccr status " + hosted_.config.name};
  step_ = "hold";
  const Result<Position> reached = co_await passive.freeze(decision_limit);
  if (!reached.ok()) co_return reached.error();
  PointInTime point;
  point.until = until;
  point.reached = *reached;
  point.end = std::max(*reached, passive.end_of_received());
  facts.delayed = passive.lags().replay > Duration::zero();
  facts.all_replayed = point.end == point.reached;
  const CopyPaths paths = paths_of(context_.config, hosted_.config, false);
  const storage::LogDirectory directory{paths.log_directory, passive.state().signature, passive.state().page_size};
  const Result<std::optional<storage::RecordHeader>> pages = co_await storage::record_before(context_.disk, directory, point.reached);
  if (!pages.ok()) co_return pages.error();
  facts.pages = *pages;
  step_ = "search";
  walk_from_ = point.reached;
  walk_end_ = point.end;
  const storage::CutSearch search{directory, point.reached, point.end, until};
  const Result<storage::TimeCut> cut = co_await storage::find_cut(context_.disk, search, walk_at_);
  walk_end_ = {};
  if (!cut.ok()) co_return cut.error();
  facts.cut = point.cut = *cut;
  const Result<void> judged = judge_point_in_time(facts);
  if (!judged.ok()) co_return judged.error();
  const Result<std::optional<storage::RecordHeader>> last = co_await storage::record_before(context_.disk, directory, point.end);
  if (!last.ok()) co_return last.error();
  point.last = *last;
  co_return point;
}

// A connection that ends under the question leaves it open whether it was heard. Who answered before is asked again, so that the log that it alone has is not
// given up for that: what it says then of where its log ends, it knows once its copy is open in its other role.
Task<Result<HandoverAnswer>> Handover::ask_to_yield(HandoverAsk yield, bool answered) {
  const Instant end = context_.clock.now() + yield_limit;
  Result<HandoverAnswer> yielded = co_await roles_.ask(hosted_.role.active, yield);
  if (yielded.ok() || yielded.error().kind == ErrorKind::refused || !answered) co_return yielded;
  while (context_.clock.now() < end && !(yielded.ok() && yielded->end.known())) {
    co_await context_.clock.sleep(ask_again);
    yielded = co_await roles_.ask(hosted_.role.active, yield);
  }
  co_return yielded;
}

// The copy before gives up, durably. Where it does not answer, only force goes on, and the epoch says so.
Task<Result<void>> Handover::fence(Dial dial, Epoch epoch, Position cut, ActivationFacts& facts, bool& forced) {
  step_ = "fence";
  // Durable before it is asked: where this node dies behind the answer, it hears of the epoch, and serves.
  CCR_CO_TRY(co_await hosted_.passive->prepare(epoch, cut));
  hosted_.prepared = epoch;
  HandoverAsk yield = step_of(HandoverStep::yield, epoch);
  yield.forced = dial == Dial::force;
  const Result<HandoverAnswer> yielded = co_await ask_to_yield(yield, facts.answers);
  forced = !yielded.ok() || !yielded->end.known();  // it cannot say what it has: that is for a person to decide, once it can
  if (yielded.ok() && yielded->end.known()) {
    facts.answers = true;
    facts.end = yielded->end;
    facts.end_commit = yielded->commit;
  }
  if (yielded.ok() || dial == Dial::force) co_return Result<void>();
  Error error = yielded.error();
  if (error.kind != ErrorKind::refused) {
    error.message += "; if it gives up after all, this copy serves by itself";
  } else if (cut.known()) {
    hosted_.prepared = 0;
    CCR_CO_TRY(co_await hosted_.passive->prepare(0));  // replay goes on
  }
  co_return error;
}

// What was received is replayed before the copy serves: as long as that goes on, so does the wait.
Task<Result<void>> Handover::wait_until_mounted() {
  step_ = "activate";
  Instant end = context_.clock.now() + serve_limit;
  while (!hosted_.active || !hosted_.active->ready()) {
    const bool replays = hosted_.active && hosted_.active->redo_end().known();
    const Position at = replays ? hosted_.active->redo_at() : walk_at_;
    if (replays && step_ != "replay") {
      step_ = "replay";
      walk_from_ = at;
    }
    if (at != walk_at_) end = context_.clock.now() + serve_limit;
    walk_at_ = at;
    walk_end_ = replays ? hosted_.active->redo_end() : Position{};
    if (context_.clock.now() >= end) {
      co_return Error{ErrorKind::timeout, subject_of(hosted_.config, context_.config.node) + " is activated and does not serve yet: " + hosted_.standing->cause(),
                      "ccr status " + hosted_.config.name};
    }
    co_await context_.clock.sleep(look_at_peer);
  }
  co_return Result<void>();
}

Task<Result<json>> Handover::run_activation(Dial dial, std::optional<WallTime> until) {
  if (hosted_.handing_over) co_return Error{ErrorKind::busy, "a handover of " + hosted_.config.name + " is under way", "ccr status " + hosted_.config.name};
  const std::string own = context_.config.node, before = hosted_.role.active, subject = subject_of(hosted_.config, own);
  const bool stays = hosted_.is_active_here;
  if (hosted_.activating)
    co_return Error{ErrorKind::busy, "the activation of " + subject + " that was cut short is under way again: it takes what there is of the log of " + before, "ccr status " + hosted_.config.name};
  if (stays && (hosted_.conflict.empty() || until)) co_return Error{ErrorKind::refused, subject + " is the active copy already", "ccr status " + hosted_.config.name};
  if (stays && dial != Dial::force)
    co_return Error{ErrorKind::refused, subject + ": " + hosted_.conflict, "--dial force goes on with what is here; what another copy alone has is set aside there"};
  const HandingOver turn(hosted_);
  const Thawed thawed(until ? hosted_.passive.get() : nullptr);
  std::optional<PointInTime> point;
  if (until) {
    const Result<PointInTime> found = co_await find_point(*until);
    if (!found.ok()) co_return found.error();
    point = *found;
    const std::string logs = paths_of(context_.config, hosted_.config, false).log_directory;
    CCR_CO_TRY(co_await storage::check_quarantine(context_.disk, logs, point->cut.at.generation));
  }
  Result<ActivationFacts> facts = co_await look();
  if (!facts.ok()) co_return facts.error();
  if (point) end_at(*point, *facts);
  bool forced = true;
  if (!stays) {
    CCR_CO_TRY(co_await Application::check_place(context_, hosted_.config));
    if (!point) co_await fetch_elsewhere(*facts);
    const ActivationVerdict verdict = decide_activation(*facts, dial);
    if (!verdict.allowed) co_return Error{ErrorKind::refused, subject + " is not activated: " + verdict.reason, verdict.hint};
  }
  const Epoch epoch = known_epoch_ + 1;
  const Position cut = point ? point->cut.at : Position{};
  if (!stays) {
    const Activating patient(hosted_);
    const Result<void> fenced = co_await fence(dial, epoch, cut, *facts, forced);
    if (!fenced.ok()) co_return fenced.error();
    if (hosted_.passive->state().cut != cut) co_return Error{ErrorKind::busy, "the log of " + subject + " became another one meanwhile", "ccr status " + hosted_.config.name};
    const bool gave_up = !forced && !point;
    LogThere there{before, facts->end};
    if (gave_up && there.end > facts->inspected) co_await fetch(std::move(there), *facts);
  }
  step_ = "epoch";
  const ActivationVerdict loss = decide_activation(*facts, Dial::force);
  const Role role{epoch, own, forced};
  if (!roles_.want(hosted_, role)) co_return Error{ErrorKind::busy, "another change of the active copy came first", "ccr status " + hosted_.config.name};
  const Result<void> kept = co_await roles_.wait_in_force(hosted_, role);
  if (!kept.ok()) co_return kept.error();
  std::vector<std::pair<std::string, std::string>> told{
      {"epoch", std::to_string(epoch)}, {"before", before}, {"dial", name_of(dial)}, {"forced", forced ? "true" : "false"},
      {"log_end", to_text(facts->inspected)}, {"missing_known", loss.known ? "true" : "false"},
      {"missing_generations", std::to_string(loss.generations)}, {"missing_bytes", std::to_string(loss.bytes)},
      {"missing_to", to_text(loss.known ? facts->end : facts->tip)}};
  if (point) told.insert(told.end(), {{"until", to_rfc3339_exact(point->until)}, {"last_commit", point->cut.kept ? commit_text(*point->cut.kept) : "not known"},
                                      {"commits_given_up", std::to_string(point->commits())}});
  tell("activated", std::move(told));
  const Result<void> served = co_await wait_until_mounted();
  if (!served.ok()) co_return served.error();
  json result{{"schema", 1},      {"dry_run", false}, {"database", hosted_.config.name}, {"active", own},
              {"before", before}, {"epoch", epoch},   {"forced", forced},               {"missing", stays ? json(nullptr) : missing_json(*facts, loss)}};
  if (!fetched_.empty()) result["fetched"] = fetched_json();
  if (point) result["until"] = point_json(*point, hosted_.config.generation_bytes);
  co_return result;
}

// --- what it would do -------------------------------------------------------------------------------------------------------

namespace {

std::string hint_behind(const Error& error) { return error.hint.empty() ? error.message : error.message + ". " + error.hint; }

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

std::string cut_step(const PointInTime& point) {
  const std::string last = point.cut.kept ? commit_text(*point.cut.kept) : "what the pages hold";
  const std::string next = point.cut.next ? commit_text(*point.cut.next) + " is the first that is later" : std::string("nothing that came is later");
  return "replay no further than " + last + ", at " + to_text(point.cut.at) + "; " + next;
}

std::string fetch_step(const std::string& node, Position from, Position to, std::uint64_t generation_bytes) {
  return "fetch what " + node + " has of the log and this copy has not, from " + to_text(from) + " to " + to_text(to) + ": " + bytes_text(distance(from, to, generation_bytes).value);
}

std::string aside_step(const PointInTime& point, std::uint64_t generation_bytes) {
  return "set aside what came behind it, from generation " + to_text(point.cut.at.generation) + " to " + to_text(point.end) + ", to quarantine/: " + std::to_string(point.commits()) +
         (point.commits() == 1 ? " commit, " : " commits, ") + bytes_text(distance(point.cut.at, point.end, generation_bytes).value);
}

}  // namespace

Task<json> Handover::plan_activation(Dial dial, std::optional<WallTime> until, bool hold) {
  json answer{{"dry_run", true}, {"allowed", true}, {"checks", json::array()}, {"plan", json::array()}};
  const bool stays = hosted_.is_active_here;
  const std::string before = hosted_.role.active, subject = subject_of(hosted_.config, context_.config.node);
  if (until && !stays && hosted_.handing_over) {
    add_check(answer, "no handover is under way", false, "one is; ccr status " + hosted_.config.name);
    co_return answer;
  }
  const bool in_time = until && !stays;
  Thawed thawed(in_time && !hosted_.passive->replay_rests() ? hosted_.passive.get() : nullptr);  // a decision that somebody else is at stays his
  std::optional<PointInTime> point;
  if (in_time) {
    const Result<PointInTime> found = co_await find_point(*until);
    add_check(answer, to_rfc3339_exact(*until) + " can be reached", found.ok(), found.ok() ? "yes" : hint_behind(found.error()));
    if (!found.ok()) co_return answer;
    point = *found;
    const std::string logs = paths_of(context_.config, hosted_.config, false).log_directory;
    const Result<void> room = co_await storage::check_quarantine(context_.disk, logs, point->cut.at.generation);
    add_check(answer, "quarantine/ has room", room.ok(), room.ok() ? "yes" : hint_behind(room.error()));
    answer["until"] = point_json(*point, hosted_.config.generation_bytes);
  }
  Result<ActivationFacts> facts = co_await look();
  if (!facts.ok()) {
    add_check(answer, subject + " is open", false, facts.error().message);
    co_return answer;
  }
  if (point) end_at(*point, *facts);
  if (!stays && hosted_.config.kind == DatabaseKind::sqlite) {
    const Result<void> place = co_await Application::check_place(context_, hosted_.config);
    add_check(answer, "the file's place is free", place.ok(), place.ok() ? "yes" : hint_behind(place.error()));
  }
  std::vector<LogThere> elsewhere;
  if (!point && !stays) elsewhere = co_await log_elsewhere(*facts);
  const Position own_end = facts->inspected;
  if (!elsewhere.empty()) {  // as if it had been fetched
    facts->inspected = elsewhere.front().end;
    facts->replayed_all = false;
  }
  const ActivationVerdict verdict = decide_activation(*facts, dial);
  const std::string refusal = verdict.allowed ? "yes" : verdict.reason + (until ? ". " + verdict.hint : "");
  add_check(answer, subject + " may be activated, dial " + name_of(dial), stays ? dial == Dial::force && !hosted_.conflict.empty() && !until : verdict.allowed,
            stays ? (hosted_.conflict.empty() || until ? "it is the active copy already" : hosted_.conflict) : refusal);
  answer["missing"] = stays ? json(nullptr) : missing_json(*facts, verdict);
  const std::string fence = stays ? "what other copies alone have is set aside there" : facts->answers ? before + " gives up, durably" : before + " does not answer, and is not fenced: make sure that it stays down";
  const std::uint64_t bytes = hosted_.config.generation_bytes;
  const Position replayed = stays ? Position{} : hosted_.passive->state().min_required;
  const std::string replay = stays || facts->inspected <= replayed ? "" : ": " + bytes_text(distance(replayed, facts->inspected, bytes).value);
  json& plan = answer["plan"];
  if (point) plan.push_back(cut_step(*point));
  if (!elsewhere.empty()) plan.push_back(fetch_step(elsewhere.front().node, own_end, elsewhere.front().end, bytes));
  plan.push_back(fence);
  if (!point && !stays && facts->answers && facts->end > facts->inspected) plan.push_back(fetch_step(before, facts->inspected, facts->end, bytes));
  plan.push_back("raise the epoch to " + std::to_string(known_epoch_ + 1) + " here, durably");
  if (point) plan.push_back(aside_step(*point, bytes));
  plan.push_back((point ? "replay to that commit" : "replay what was received") + replay);
  plan.push_back("serve here");
  if (hold && answer["allowed"] == true) thawed.passive = nullptr;
  co_return answer;
}

}  // namespace ccr::engine
