// ccr backup, for Commands: the work is the node's; the same command attaches to one that runs.
#include <nlohmann/json.hpp>

#include "engine/commands.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

bool lies_in(const std::string& path, const std::string& directory) { return path == directory || path.rfind(directory + "/", 0) == 0; }

}  // namespace

Result<BackupRequest> Commands::backup_request(const ControlRequest& request, const DatabaseConfig& database) const {
  const Result<std::string> to = request.text("to");
  const Result<std::uint64_t> rate = request.count("rate", context_.config.verify_bytes_per_second);
  if (!to.ok()) return to.error();
  if (!rate.ok()) return rate.error();
  if (to->empty() || to->front() != '/') return Error{ErrorKind::usage, "--to: expected a directory from / on, found '" + *to + "'", "such as /backup/orders/monday"};
  const CopyPaths paths = paths_of(context_.config, database, false);
  for (const std::string& own : {context_.config.state_dir, paths.log_directory})
    if (lies_in(*to, own)) return Error{ErrorKind::refused, "--to: " + *to + " lies in " + own + ", which is ccr's own", "name a directory of yours"};
  BackupRequest wanted;
  wanted.directory = *to;
  wanted.name = database.path.substr(database.path.rfind('/') + 1);
  wanted.bytes_per_second_max = *rate;
  const Result<bool> copy_only = request.flag("copy_only");
  if (!copy_only.ok()) return copy_only.error();
  wanted.copy_only = *copy_only;
  return wanted;
}

Task<Result<json>> Commands::backup(const ControlRequest& request, ControlReply& reply) {
  constexpr Duration look_at_backup = std::chrono::milliseconds(50), tell_interval = std::chrono::milliseconds(500);
  const Result<Hosted*> found = copy_here(request);
  if (!found.ok()) co_return found.error();
  Hosted& hosted = **found;
  const Result<BackupRequest> wanted = backup_request(request, hosted.config);
  if (!wanted.ok()) co_return wanted.error();
  const Result<bool> cancel = request.flag("cancel");
  if (!cancel.ok()) co_return cancel.error();
  const bool running = hosted.backup != nullptr && !hosted.backup->ended();
  if (*cancel) {
    const bool this_one = running && hosted.backup->request().directory == wanted->directory;
    if (this_one) hosted.backup->cancel();
    co_return json{{"schema", 1}, {"cancelled", this_one}};
  }
  if (running && hosted.backup->request().directory != wanted->directory) {
    co_return Error{ErrorKind::busy, "a backup to " + hosted.backup->request().directory + " is running", "wait for its end, or --cancel it"};
  }
  if (!running) {
    if (hosted.is_active_here) {
      hosted.backup = std::make_shared<Backup>(context_, hosted.config, *hosted.active, *wanted);
      hosted.active->group().spawn(Backup::work(hosted.backup));
    } else {
      hosted.backup = std::make_shared<Backup>(context_, hosted.config, *hosted.passive, *wanted);
      node_.spawn(Backup::work(hosted.backup));
    }
  }
  const std::shared_ptr<Backup> watched = hosted.backup;  // the next one may take its place in the node
  Instant told = context_.clock.now();
  while (!watched->ended()) {
    if (context_.clock.now() - told >= tell_interval) {
      CCR_CO_TRY(co_await reply.progress(watched->progress()));
      told = context_.clock.now();
    }
    co_await context_.clock.sleep(look_at_backup);
  }
  co_return watched->result();
}

}  // namespace ccr::engine
