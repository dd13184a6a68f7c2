#include "engine/directories.h"

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

// True: marked as ours. False: no mark.
Task<Result<bool>> check_mark(NodeContext& context, const DatabaseConfig& database, std::string directory, const char* purpose,
                              Signature signature) {
  // A start that was killed while it marked the directory is no foreign content.
  const std::string mark = directory + "/" + storage::identity_name;
  CCR_CO_TRY(co_await storage::clear_replacement(context.disk, mark));
  const Result<storage::Identity> found = co_await storage::read_identity(context.disk, directory);
  if (!found.ok()) {
    if (found.error().kind == ErrorKind::not_found) co_return false;
    co_return found.error();
  }
  const storage::Identity expected = identity_of(context, database, purpose, signature);
  CCR_CO_TRY(storage::check_identity(expected, *found, directory));
  co_return true;
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

Task<Result<bool>> open_directories(NodeContext& context, const DatabaseConfig& database, const CopyPaths& paths, StateKeeper& keeper) {
  CCR_CO_TRY(co_await context.disk.make_directories(paths.state_directory));
  CCR_CO_TRY(co_await context.disk.make_directories(paths.log_directory));
  Result<bool> loaded = co_await keeper.load();
  if (!loaded.ok()) co_return loaded.error();
  const Signature signature = keeper.state().signature;
  Result<bool> state_marked = co_await check_mark(context, database, paths.state_directory, "state", signature);
  if (!state_marked.ok()) co_return state_marked.error();
  Result<bool> log_marked = co_await check_mark(context, database, paths.log_directory, "log", signature);
  if (!log_marked.ok()) co_return log_marked.error();
  if (*loaded && *state_marked && *log_marked) co_return true;
  if (*loaded) {
    const std::string& bare = *state_marked ? paths.log_directory : paths.state_directory;
    co_return Error{ErrorKind::identity, "directory " + bare + " has lost its mark (" + storage::identity_name + "): an empty mount or another directory?",
                    "mount the right directory there and start again"};
  }
  // A mark without a state is a start that ended before its first save, as long as there is no log.
  if (*log_marked) {
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
  if (!*state_marked) CCR_CO_TRY(co_await expect_empty(context, paths.state_directory));
  co_return false;
}

Task<Result<void>> mark_directories(NodeContext& context, const DatabaseConfig& database, const CopyPaths& paths, Signature signature) {
  const storage::Identity log = identity_of(context, database, "log", signature);
  CCR_CO_TRY(co_await storage::write_identity(context.disk, paths.log_directory, log));
  const storage::Identity state = identity_of(context, database, "state", signature);
  co_return co_await storage::write_identity(context.disk, paths.state_directory, state);
}

}  // namespace ccr::engine
