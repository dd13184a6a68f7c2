#include "engine/directories.h"

#include <optional>

#include "storage/file_replacement.h"
#include "storage/log_reader.h"

namespace ccr::engine {
namespace {

storage::Identity identity_of(const NodeContext& context, const DatabaseConfig& database, const char* purpose, Signature signature) {
  storage::Identity identity;
  identity.cluster = context.config.cluster;
  identity.node = context.config.node;
  identity.database = database.name;
  identity.purpose = purpose;
  identity.kind = name_of(database.kind);
  identity.signature = signature;
  return identity;
}

// Whose it is said to be; nothing: no mark. Of another node or database: ErrorKind::identity.
Task<Result<std::optional<storage::Identity>>> read_mark(NodeContext& context, const DatabaseConfig& database, std::string directory, const char* purpose) {
  Result<storage::Identity> found = co_await storage::read_identity(context.disk, directory);
  if (!found.ok() && found.error().kind != ErrorKind::not_found) co_return found.error();
  std::optional<storage::Identity> mark;
  if (!found.ok()) co_return mark;
  const storage::Identity expected = identity_of(context, database, purpose, Signature{});
  CCR_CO_TRY(storage::check_identity(expected, *found, directory));
  mark = std::move(*found);
  co_return mark;
}

Result<void> check_signature(const NodeContext& context, const DatabaseConfig& database, const std::string& directory, const char* purpose,
                             const std::optional<storage::Identity>& mark, Signature signature) {
  return mark ? storage::check_identity(identity_of(context, database, purpose, signature), *mark, directory) : Result<void>();
}

// A directory without our mark may hold nothing but what a mount point has.
Task<Result<void>> expect_empty(NodeContext& context, std::string directory) {
  const Result<std::vector<storage::DirectoryEntry>> entries = co_await context.disk.list(directory);
  if (!entries.ok()) co_return entries.error();
  for (const storage::DirectoryEntry& entry : *entries) {
    if (entry.name == "lost+found") continue;
    co_return Error{ErrorKind::identity, "directory " + directory + " is not marked as ours but holds " + entry.name,
                    "give this database an empty directory of its own"};
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> expect_own_state(NodeContext& context, const DatabaseConfig& database, std::string directory) {
  const Result<std::optional<storage::Identity>> mark = co_await read_mark(context, database, std::move(directory), "state");
  co_return mark.ok() ? Result<void>() : Result<void>(mark.error());
}

Task<Result<bool>> open_directories(NodeContext& context, const DatabaseConfig& database, const CopyPaths& paths, StateKeeper& keeper) {
  CCR_CO_TRY(co_await context.disk.make_directories(paths.state_directory));
  CCR_CO_TRY(co_await context.disk.make_directories(paths.log_directory));
  const Result<std::optional<storage::Identity>> state_mark = co_await read_mark(context, database, paths.state_directory, "state");
  if (!state_mark.ok()) co_return state_mark.error();
  const Result<std::optional<storage::Identity>> log_mark = co_await read_mark(context, database, paths.log_directory, "log");
  if (!log_mark.ok()) co_return log_mark.error();
  Result<bool> loaded = co_await keeper.load();
  if (!loaded.ok()) co_return loaded.error();
  const Signature signature = keeper.state().signature;
  CCR_CO_TRY(check_signature(context, database, paths.state_directory, "state", *state_mark, signature));
  CCR_CO_TRY(check_signature(context, database, paths.log_directory, "log", *log_mark, signature));
  const bool state_marked = state_mark->has_value(), log_marked = log_mark->has_value();
  // A start that was killed while it marked the directory is no foreign content.
  const std::string state_mark_file = paths.state_directory + "/" + storage::identity_name, log_mark_file = paths.log_directory + "/" + storage::identity_name;
  CCR_CO_TRY(co_await storage::clear_replacement(context.disk, state_mark_file));
  CCR_CO_TRY(co_await storage::clear_replacement(context.disk, log_mark_file));
  if (*loaded && state_marked && log_marked) co_return true;
  if (*loaded) {
    const std::string& bare = state_marked ? paths.log_directory : paths.state_directory;
    co_return Error{ErrorKind::identity, "directory " + bare + " has lost its mark (" + storage::identity_name + "): an empty mount or another directory?",
                    "mount the right directory there and start again"};
  }
  // A mark without a state is a start that ended before its first save, as long as there is no log.
  if (log_marked) {
    Result<std::vector<storage::GenerationFile>> generations = co_await storage::list_generations(context.disk, paths.log_directory);
    if (!generations.ok()) co_return generations.error();
    if (!generations->empty()) {
      co_return Error{ErrorKind::identity,
                      "directory " + paths.log_directory + " holds the log of " + subject_of(database, context.config.node) + " but " +
                          paths.state_directory + " has no state: an empty mount?",
                      "mount the state directory, or move the log directory away to begin a new history"};
    }
  } else {
    CCR_CO_TRY(co_await expect_empty(context, paths.log_directory));
  }
  if (!state_marked) CCR_CO_TRY(co_await expect_empty(context, paths.state_directory));
  co_return false;
}

Task<Result<void>> mark_directories(NodeContext& context, const DatabaseConfig& database, const CopyPaths& paths, Signature signature) {
  const storage::Identity log = identity_of(context, database, "log", signature);
  CCR_CO_TRY(co_await storage::write_identity(context.disk, paths.log_directory, log));
  const storage::Identity state = identity_of(context, database, "state", signature);
  co_return co_await storage::write_identity(context.disk, paths.state_directory, state);
}

}  // namespace ccr::engine
