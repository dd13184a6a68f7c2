#include "engine/commands.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/bench_commands.h"
#include "engine/dry_run.h"
#include "engine/handover_commands.h"
#include "engine/load.h"
#include "engine/scrub_commands.h"
#include "engine/seed_sources.h"
#include "engine/status.h"
#include "engine/watched.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

constexpr Duration command_look_again = std::chrono::milliseconds(50);
constexpr Duration progress_interval = std::chrono::milliseconds(500);

// A start takes a moment, and has no cause to tell.
Error not_open(const std::string& subject, const CopyStanding& standing) {
  if (standing.cause().empty()) return {ErrorKind::busy, subject + " is still starting", "try again in a moment; ccr status shows its state"};
  return {ErrorKind::busy, subject + " is " + std::string(name_of(standing.state())) + ": " + standing.cause(), standing.hint()};
}

}  // namespace

Task<Result<json>> Commands::run(ControlRequest request, ControlReply& reply) {
  const std::string& command = request.command();
  if (command == "status") {
    if (!request.database().empty()) {
      const Result<Hosted*> hosted = hosted_of(request);
      if (!hosted.ok()) co_return hosted.error();
    }
    co_return status_of(node_, context_.clock, request.database(), request.node());
  }
  if (command == "wait") co_return co_await wait(request);
  if (command == "why") co_return co_await why(request);
  if (command == "seed") co_return co_await seed(request, reply);
  if (command == "suspend") co_return co_await suspend(request);
  if (command == "resume") co_return co_await resume(request);
  if (command == "backup") co_return co_await backup(request, reply);
  if (command == "verify") co_return co_await verify(request, reply);
  if (command == "scrub") {
    const Result<Hosted*> hosted = hosted_of(request);
    if (!hosted.ok()) co_return hosted.error();
    ScrubCommands scrubbing(node_, context_);
    co_return co_await scrubbing.scrub(**hosted, request, reply);
  }
  if (command == "move" || command == "activate") {
    const Result<Hosted*> hosted = hosted_of(request);
    if (!hosted.ok()) co_return hosted.error();
    HandoverCommands handing(node_, context_);
    if (command == "move") co_return co_await handing.move(**hosted, request, reply);
    co_return co_await handing.activate(**hosted, request, reply);
  }
  if (command == "drill") co_return co_await drill(request, reply);
  if (command == "load") co_return co_await load(request, reply);
  if (command == "bench" || command == "tune") {
    BenchCommands measuring(node_, context_);
    if (command == "tune") co_return co_await measuring.tune(request, reply);
    co_return co_await measuring.bench(request, reply);
  }
  if (command == "events") co_return co_await follow_events(request, reply);
  co_return Error{ErrorKind::usage, "this node knows no command '" + command + "'", "its daemon may be older than this ccr (ccr version): systemctl restart ccr"};
}

Result<Hosted*> Commands::hosted_of(const ControlRequest& request) const {
  if (request.database().empty()) return Error{ErrorKind::usage, "no database is named", "name it as DB@NODE"};
  Hosted* hosted = node_.find(request.database());
  if (hosted != nullptr) {
    if (request.node().empty() || hosted->config.has_copy(request.node())) return hosted;
    const std::optional<std::string> near = did_you_mean(request.node(), hosted->config.copies);
    return Error{ErrorKind::not_found, "database " + request.database() + " has no copy on '" + request.node() + "'",
                 near ? "did you mean " + request.database() + "@" + *near + "?" : "ccr status shows its copies"};
  }
  std::vector<std::string> names;
  for (const auto& [name, entry] : node_.databases()) names.push_back(name);
  const std::optional<std::string> near = did_you_mean(request.database(), names);
  return Error{ErrorKind::not_found, "node " + node_.config().node + " has no database '" + request.database() + "'",
               near ? "did you mean '" + *near + "'?" : "ccr status shows what it has"};
}

Result<Hosted*> Commands::copy_here(const ControlRequest& request) const {
  const Result<Hosted*> hosted = hosted_of(request);
  if (!hosted.ok()) return hosted.error();
  const std::string& node = request.node();
  if (!node.empty() && node != node_.config().node) {
    return Error{ErrorKind::unreachable, "this is node " + node_.config().node + "; the copy on " + node + " is commanded there",
                 "run it on " + node + ", or with --node " + node + " where both run on one host"};
  }
  const bool open = (*hosted)->is_active_here ? (*hosted)->active && (*hosted)->active->ready() : (*hosted)->passive->opened();
  if (!open) return not_open(subject_of((*hosted)->config, node_.config().node), *(*hosted)->standing);
  return *hosted;
}

Result<PassiveCopy*> Commands::passive_of(const ControlRequest& request) const {
  const Result<Hosted*> hosted = hosted_of(request);
  if (!hosted.ok()) return hosted.error();
  const std::vector<std::string>& copies = (*hosted)->config.copies;
  const bool elsewhere = !request.node().empty() && request.node() != node_.config().node;
  if ((*hosted)->is_active_here && !elsewhere) {
    return Error{ErrorKind::refused, subject_of((*hosted)->config, node_.config().node) + " is the active copy",
                 "name a passive one: " + request.database() + "@" + (copies.size() > 1 ? copies[1] : std::string("NODE"))};
  }
  const Result<Hosted*> here = copy_here(request);
  if (!here.ok()) return here.error();
  return (*here)->passive.get();
}

json Commands::copy_status(const ControlRequest& request) const {
  const std::string node = request.node().empty() ? node_.config().node : request.node();
  json document = status_of(node_, context_.clock, request.database(), node);
  if (document["databases"].empty()) return nullptr;  // forgotten while its command was under way
  json& copies = document["databases"].at(0)["copies"];
  return copies.empty() ? json(nullptr) : copies.at(0);
}

// The state right behind a change is a step on its way, and helps nobody who reads the answer.
Task<void> Commands::settle(const PassiveCopy& passive) {
  constexpr Duration patience = std::chrono::seconds(3);
  const Instant end = context_.clock.now() + patience;
  const auto on_its_way = [&passive] {
    const State state = passive.standing().state();
    return state == State::initializing || state == State::disconnected || state == State::resynchronizing;
  };
  while (on_its_way() && context_.clock.now() < end) co_await context_.clock.sleep(command_look_again);
}

Task<Result<json>> Commands::suspend(const ControlRequest& request) {
  const Result<PassiveCopy*> passive = passive_of(request);
  if (!passive.ok()) co_return passive.error();
  const Result<std::string> comment = request.text("comment"), by = request.text("by");
  const Result<bool> dry_run = request.flag("dry_run");
  if (!comment.ok()) co_return comment.error();
  if (!by.ok()) co_return by.error();
  if (!dry_run.ok()) co_return dry_run.error();
  json result = plan_of_suspend(*node_.find(request.database()));
  if (!*dry_run) {
    SuspendRequest wanted;
    wanted.comment = *comment;
    wanted.by = *by;
    CCR_CO_TRY(co_await (*passive)->suspend(wanted));
    result = {{"dry_run", false}, {"plan", result["plan"]}};
  }
  result["copy"] = copy_status(request);
  co_return result;
}

Task<Result<json>> Commands::resume(const ControlRequest& request) {
  const Result<PassiveCopy*> passive = passive_of(request);
  if (!passive.ok()) co_return passive.error();
  const Result<bool> dry_run = request.flag("dry_run");
  if (!dry_run.ok()) co_return dry_run.error();
  json result = plan_of_resume(*node_.find(request.database()));
  if (!*dry_run) {
    CCR_CO_TRY(co_await (*passive)->resume());
    co_await settle(*(*passive));
    result = {{"dry_run", false}, {"plan", result["plan"]}};
  }
  result["copy"] = copy_status(request);
  co_return result;
}

// Nodes with commas between them: each has a copy, and none is this node.
Result<void> Commands::check_sources(const std::string& from, const DatabaseConfig& database) const {
  const std::vector<std::string> sources = source_nodes(from);
  if (sources.size() > std::size_t{streams_max} || from.size() > storage::CopyState::name_bytes_max)
    return Error{ErrorKind::usage, "--from: too many nodes", "name a few of those that ccr status " + database.name + " shows"};
  for (const std::string& node : sources) {
    if (std::count(sources.begin(), sources.end(), node) > 1) return Error{ErrorKind::usage, "--from: " + node + " is named twice", ""};
    if (!context_.config.nodes.contains(node)) {
      std::vector<std::string> nodes;
      for (const auto& [name, known] : context_.config.nodes) nodes.push_back(name);
      const std::optional<std::string> near = did_you_mean(node, nodes);
      return Error{ErrorKind::usage, "--from: no node is called '" + node + "'", near ? "did you mean '" + *near + "'?" : "ccr config show names the nodes"};
    }
    const bool has_copy = database.has_copy(node);
    if (node == context_.config.node || !has_copy) {
      return Error{ErrorKind::usage, "--from: " + node + (has_copy ? " is where the copy is made" : " has no copy of " + database.name),
                   "ccr status " + database.name + " shows the copies"};
    }
  }
  return {};
}

Task<Result<json>> Commands::seed(const ControlRequest& request, ControlReply& reply) {
  const Result<PassiveCopy*> passive = passive_of(request);
  if (!passive.ok()) co_return passive.error();
  const Result<bool> full = request.flag("full"), manual = request.flag("manual_resume"), dry = request.flag("dry_run"), detach = request.flag("detach"),
                     yes = request.flag("yes"), reread = request.flag("reread");
  for (const Result<bool>* flag : {&full, &manual, &dry, &detach, &yes, &reread})
    if (!flag->ok()) co_return flag->error();
  const Result<std::string> from = request.text("from");
  if (!from.ok()) co_return from.error();
  const Result<std::uint64_t> rate = request.count("rate", 0), streams = request.count("streams", 0);
  for (const Result<std::uint64_t>* count : {&rate, &streams}) if (!count->ok()) co_return count->error();
  if (*streams > static_cast<std::uint64_t>(streams_max))
    co_return Error{ErrorKind::usage, "--streams: expected 1 to " + std::to_string(streams_max) + ", found " + std::to_string(*streams), ""};
  CCR_CO_TRY(check_sources(*from, node_.find(request.database())->config));
  SeedRequest wanted;
  wanted.from = *from;
  wanted.streams = *streams;
  wanted.full = *full;
  wanted.manual_resume = *manual;
  wanted.reread = *reread;
  wanted.over_foreign = *yes;
  wanted.bytes_per_second_max = *rate;
  const bool running = (*passive)->seeding();
  const std::string subject = subject_of(node_.find(request.database())->config, node_.config().node);
  if (running && *full && !(*passive)->seeding_in_full()) {
    co_return Error{ErrorKind::busy, "a seed of " + subject + " by difference is running, and --full cannot join it",
                    "leave --full out, or `ccr suspend " + subject + "` first"};
  }
  if (running && !from->empty() && *from != (*passive)->state().seed.source) {
    co_return Error{ErrorKind::busy, "a seed of " + subject + " from " + (*passive)->state().seed.source + " is running, and another source cannot join it",
                    "leave --from out, or `ccr suspend " + subject + "` first"};
  }
  Hosted& hosted = *node_.find(request.database());
  const std::optional<double> link = link_from((*passive)->active_node());
  const Result<SeedForecast> forecast = co_await forecast_of_seed(context_, hosted, wanted, link);
  if (!forecast.ok()) co_return forecast.error();
  if (*dry) co_return co_await plan_of_seed(context_, hosted, wanted, *forecast);
  if (!running) {
    CCR_CO_TRY(co_await (*passive)->seed(wanted));
    hosted.seed_watch = SeedWatch{*forecast, context_.clock.now()};
  } else {
    if (request.has("rate")) CCR_CO_TRY(co_await (*passive)->limit_seed(*rate));
    if (request.has("streams")) (*passive)->spread_seed(*streams);
    if (*manual) CCR_CO_TRY(co_await (*passive)->rest_after_seed());
  }
  if (*detach) co_return json{{"running", true}};
  Instant told;
  for (;;) {
    const Result<PassiveCopy*> now = passive_of(request);
    if (!now.ok() && now.error().kind == ErrorKind::not_found) co_return now.error();  // forgotten
    if (now.ok()) {
      const storage::CopyState& state = (*now)->state();
      const std::string& hint = (*now)->standing().hint();
      if (state.failed) co_return Error{ErrorKind::corrupt, state.cause, hint.empty() ? "ccr status " + request.database() : hint};
      const bool over = state.seed.source.empty();
      if (!over && state.suspended) {
        co_return Error{ErrorKind::refused, "the seed of " + subject + " rests: it was suspended" + (state.suspended_by.empty() ? "" : " by " + state.suspended_by),
                        "`ccr resume " + subject + "` goes on with it, `ccr seed " + subject + "` begins a new pass"};
      }
      if (over || context_.clock.now() - told >= progress_interval) {
        CCR_CO_TRY(co_await reply.progress(seed_progress(**now, node_.find(request.database())->standing->state())));
        told = context_.clock.now();
      }
      if (over) {
        co_await settle(**now);
        co_return seed_result(request, **now);
      }
    }
    co_await context_.clock.sleep(command_look_again);
  }
}

std::optional<double> Commands::link_from(const std::string& peer) const {
  const auto found = node_.measured_links().find(peer);
  return found == node_.measured_links().end() ? std::nullopt : std::optional(found->second);
}

// What was predicted is known where a command began it since the node started.
json Commands::seed_result(const ControlRequest& request, const PassiveCopy& passive) const {
  json result{{"running", false}, {"copy", copy_status(request)}, {"predicted", nullptr}, {"came", nullptr}};
  const Hosted* hosted = node_.find(request.database());
  if (hosted == nullptr || !hosted->seed_watch) return result;
  const std::optional<SeedWatch>& watch = hosted->seed_watch;
  const seed::SeedCounters counters = passive.seed_counters();
  result["predicted"] = forecast_json(watch->predicted);
  result["came"] = {{"bytes", counters.counts.image_bytes},
                    {"wire_bytes", counters.counts.wire_bytes},
                    {"seconds", std::chrono::duration<double>(passive.seed_pace().pages_here_at - watch->begun).count()}};
  return result;
}

Task<Result<json>> Commands::verify(const ControlRequest& request, ControlReply& reply) {
  const Result<PassiveCopy*> passive = passive_of(request);
  if (!passive.ok()) co_return passive.error();
  const Result<std::uint64_t> rate = request.count("rate", context_.config.verify_bytes_per_second);
  const Result<bool> cancel = request.flag("cancel");
  if (!rate.ok()) co_return rate.error();
  if (!cancel.ok()) co_return cancel.error();
  Hosted& hosted = *node_.find(request.database());
  const bool running = hosted.verification != nullptr && !hosted.verification->ended();
  const std::string subject = subject_of(hosted.config, node_.config().node);
  if (*cancel) {
    if (running) hosted.verification->cancel();
    co_return json{{"schema", 1}, {"cancelled", running}};
  }
  if (running && request.has("rate") && hosted.verification->request().bytes_per_second_max != *rate) {
    co_return Error{ErrorKind::busy, "a verification of " + subject + " runs already, at another rate",
                    "without --rate ccr verify " + subject + " attaches to it; --cancel ends it"};
  }
  if (!running) begin_verification(hosted, *rate);
  const std::shared_ptr<Verification> watched = hosted.verification;  // the next one may take its place in the node
  CCR_CO_TRY(co_await watch_verification(*watched, reply));
  co_return watched->result();
}

std::shared_ptr<Verification> Commands::begin_verification(Hosted& hosted, std::uint64_t bytes_per_second_max) {
  hosted.verification = std::make_shared<Verification>(context_.executor, *hosted.passive, VerifyRequest{bytes_per_second_max});
  node_.spawn(Verification::work(hosted.verification));
  return hosted.verification;
}

Task<Result<void>> Commands::watch_verification(const Verification& verification, ControlReply& reply) {
  Instant told = context_.clock.now();
  while (!verification.ended()) {
    if (context_.clock.now() - told >= progress_interval) {
      CCR_CO_TRY(co_await reply.progress(verification.progress()));
      told = context_.clock.now();
    }
    co_await context_.clock.sleep(command_look_again);
  }
  co_return Result<void>();
}

Task<Result<json>> Commands::load(const ControlRequest& request, ControlReply& reply) {
  const Result<Hosted*> hosted = hosted_of(request);
  if (!hosted.ok()) co_return hosted.error();
  if (!(*hosted)->is_active_here) {
    co_return Error{ErrorKind::unreachable, "the active copy of " + request.database() + " is on " + (*hosted)->config.copies.front(), "run it there"};
  }
  if ((*hosted)->config.kind != DatabaseKind::pages) {
    co_return Error{ErrorKind::refused, request.database() + " is an SQLite database: only its own programs write it",
                    "write with your program or the sqlite3 shell; `ccr load` is for kind = \"pages\""};
  }
  if (!(*hosted)->active || !(*hosted)->active->ready()) {
    co_return not_open(subject_of((*hosted)->config, node_.config().node), *(*hosted)->standing);
  }
  Result<LoadOptions> options = load_options(request);
  if (!options.ok()) co_return options.error();
  const Result<bool> dry = request.flag("dry_run");
  if (!dry.ok()) co_return dry.error();
  if (*dry) co_return co_await plan_of_load(context_, **hosted, *options);
  // The work lives in the copy's own group: it ends with the copy, and a client that leaves ends it too.
  ActiveCopy& active = *(*hosted)->active;
  LoadWatch watch(context_.executor, active, *options);
  active.group().spawn(watch.work());
  struct Leave {
    LoadWatch& watch;
    ~Leave() { watch.leave(); }
  } leave{watch};
  while (!watch.ended()) {
    CCR_CO_TRY(co_await reply.progress(watch.progress()));
    co_await watch.wait(context_.clock, progress_interval);
  }
  co_return watch.result();
}

}  // namespace ccr::engine
