// `drill` of the control socket: the steps of a drill that only the copy's own node can do. What is checked around them, and the verdict,
// are the drill's (tools/drill_run.h).
#include <nlohmann/json.hpp>

#include "engine/commands.h"
#include "engine/watched.h"
#include "storage/file_replacement.h"
#include "storage/generation_file.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

// For how long something is to last that ends by itself. `what`: begins the refusal.
Result<Duration> lasting(const ControlRequest& request, Duration most, const std::string& what) {
  const Result<double> seconds = request.number("seconds", 0);
  CCR_TRY(seconds);
  const double limit = std::chrono::duration<double>(most).count();
  if (*seconds > 0 && *seconds <= limit) return duration_of(*seconds);
  return Error{ErrorKind::usage, what + " for more than 0 and at most " + std::to_string(static_cast<int>(limit)) + " s", ""};
}

// A step between two nodes: no copy of this one need be passive for it.
Result<json> part_or_join(Node& node, const ControlRequest& request, bool part) {
  const Result<std::string> peer = request.text("peer");
  CCR_TRY(peer);
  if (*peer == node.config().node || !node.config().nodes.contains(*peer))
    return Error{ErrorKind::usage, "no other node is called '" + *peer + "'", "ccr config show names the nodes"};
  const bool parted = node.contacts().parted(*peer).has_value();
  if (part) {
    const Result<Duration> how_long = lasting(request, Contacts::part_max, "two nodes are parted");
    CCR_TRY(how_long);
    node.contacts().part(*peer, *how_long);
  } else {
    node.contacts().join(*peer);
  }
  return json{{"schema", 1}, {"parted", part}, {"parted_before", parted}};
}

// A place of the copy, in either role. An active SQLite file is written by its programs, whose room is not ccr's to take.
Result<json> fill(Node& node, NodeContext& context, Hosted& hosted, const ControlRequest& request) {
  const Result<std::string> what = request.text("what", "log");
  CCR_TRY(what);
  if (*what != "log" && *what != "pages") return Error{ErrorKind::usage, "what is full: expected log or pages, found '" + *what + "'", ""};
  const Result<Duration> how_long = lasting(request, storage::FillableDisk::fill_max, "a disk is full");
  CCR_TRY(how_long);
  const std::string subject = subject_of(hosted.config, node.config().node);
  if (node.fillable_disk().filled()) return Error{ErrorKind::busy, "a drill has a disk of this node full already", "wait for its end"};
  if (*what == "pages" && hosted.is_active_here && hosted.config.kind == DatabaseKind::sqlite)
    return Error{ErrorKind::refused, "the file of " + subject + " is its programs'", "its log can be full: what = log"};
  const CopyPaths paths = paths_of(node.config(), hosted.config, hosted.is_active_here);
  const std::string place = *what == "log" ? paths.log_directory : paths.page_file;
  node.fillable_disk().fill(place, *how_long);
  const Event event{"disk_filled", subject, {{"place", place}, {"seconds", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*how_long).count())}}};
  context.trace.record(event);
  return json{{"schema", 1}, {"place", place}};
}

// Where a drill lets `ccr backup` write, beside the copy's own file, so that it can take its place.
std::string restored_directory(const CopyPaths& paths) { return paths.page_file + ".drill"; }
std::string restored_file(const CopyPaths& paths, const DatabaseConfig& database) {
  return storage::path_in(restored_directory(paths), database.path.substr(database.path.rfind('/') + 1));
}

// As a person does who restores a backup of a copy that was suspended for it; what a resume says of it is the drill.
Task<Result<json>> put_back(NodeContext& context, Hosted& hosted, const CopyPaths& paths) {
  const std::string subject = subject_of(hosted.config, context.config.node);
  const storage::CopyState& state = hosted.passive->state();
  if (hosted.standing->state() != State::suspended || !state.pages_at_rest.known() || !state.seed.source.empty()) {
    co_return Error{ErrorKind::refused, subject + " is " + std::string(title_of(hosted.standing->state())) + ": a backup is put in the place of a suspended copy only",
                    "ccr suspend " + subject};
  }
  const std::string older = restored_file(paths, hosted.config);
  const Event event{"file_put_back", subject, {{"from", older}, {"to", paths.page_file}}};
  context.trace.record(event);
  CCR_CO_TRY(co_await context.disk.rename(older, paths.page_file));
  CCR_CO_TRY(co_await context.disk.sync_directory(storage::directory_of(paths.page_file)));
  co_return json{{"schema", 1}, {"file", paths.page_file}};
}

Task<Result<json>> put_away(NodeContext& context, Hosted& hosted, const CopyPaths& paths) {
  const std::string file = restored_file(paths, hosted.config);
  for (const std::string& left : {file, file + ".json"}) CCR_CO_TRY(co_await storage::remove_if_there(context.disk, left));
  co_return json{{"schema", 1}, {"directory", restored_directory(paths)}};
}

}  // namespace

// A page that was damaged on purpose is looked for at once, by the node itself: it is found and shown also when whoever asked is gone.
Task<Result<json>> Commands::drill(const ControlRequest& request, ControlReply& reply) {
  const Result<std::string> step = request.text("step");
  if (!step.ok()) co_return step.error();
  if (*step == "part" || *step == "join") co_return part_or_join(node_, request, *step == "part");
  if (*step == "fill" || *step == "empty") {
    const Result<Hosted*> hosted = hosted_of(request);
    if (!hosted.ok()) co_return hosted.error();
    if (*step == "fill") co_return fill(node_, context_, **hosted, request);
    node_.fillable_disk().empty();
    co_return json{{"schema", 1}};
  }
  const Result<PassiveCopy*> passive = passive_of(request);
  if (!passive.ok()) co_return passive.error();
  if (*step == "cut") {
    const bool cut = (*passive)->cut_seed();
    co_return json{{"schema", 1}, {"cut", cut}};
  }
  Hosted& hosted = *node_.find(request.database());
  if (*step == "put-back" || *step == "put-away") {
    const CopyPaths paths = paths_of(node_.config(), hosted.config, false);
    if (*step == "put-away") co_return co_await put_away(context_, hosted, paths);
    co_return co_await put_back(context_, hosted, paths);
  }
  if (*step != "rot") co_return Error{ErrorKind::usage, "no step of a drill is called '" + *step + "'", "cut, rot, put-back, put-away, part, join, fill or empty"};
  if (hosted.verification != nullptr && !hosted.verification->ended())
    co_return Error{ErrorKind::busy, "a verification of " + subject_of(hosted.config, node_.config().node) + " is running", "wait for its end"};
  const Result<RottenBit> rotten = co_await (*passive)->rot();
  if (!rotten.ok()) co_return rotten.error();
  const std::shared_ptr<Verification> looking = begin_verification(hosted, context_.config.verify_bytes_per_second);
  CCR_CO_TRY(co_await watch_verification(*looking, reply));
  const Result<json> found = looking->result();
  if (!found.ok()) co_return found.error();
  co_return json{{"schema", 1}, {"page", rotten->page}, {"bit", rotten->bit}, {"found", *found}};
}

}  // namespace ccr::engine
