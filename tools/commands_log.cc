// ccr log show, ccr log verify: read the files themselves, with or without a daemon.
#include <filesystem>
#include <functional>
#include <optional>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "storage/generation_file.h"
#include "storage/log_reader.h"
#include "storage/system_disk.h"
#include "tools/commands.h"
#include "tools/daemon_call.h"
#include "tools/generation_text.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

template <class T>
Task<void> keep(Task<Result<T>> task, std::optional<Result<T>>& outcome) {
  outcome = co_await std::move(task);
}

// Runs one task on a disk of its own, to its end.
template <class T>
Result<T> run_on_disk(const std::function<Task<Result<T>>(storage::Disk&)>& body) {
  asio::io_context context;
  const std::unique_ptr<storage::Disk> disk = storage::open_system_disk(context.get_executor(), storage::DiskChoice::automatic);
  std::optional<Result<T>> outcome;
  asio::co_spawn(context, keep(body(*disk), outcome), [&context](std::exception_ptr failure) {
    CCR_ASSERT(!failure);
    context.stop();  // the disk may still watch its ring
  });
  context.run();
  return std::move(*outcome);
}

ExitCode report_damage(const CommonOptions& common, const Error& error) {
  if (common.json && exit_code_of(error.kind) == ExitCode::damage) {
    print_json({{"ok", false}, {"error", {{"kind", name_of(error.kind)}, {"message", error.message}, {"hint", error.hint}}}});
  }
  return report(error);
}

}  // namespace

ExitCode run_log_show(const CommonOptions& common, const std::string& file) {
  if (std::filesystem::is_directory(file))
    return report({ErrorKind::usage, "'" + file + "' is a directory", "ccr log verify " + file + " checks what is in it; ccr log show prints one file"});
  if (!std::filesystem::exists(file))
    return report({ErrorKind::not_found, "'" + file + "': no such file", "name a generation's file, such as 00000000000001a3.log in a database's logs"});
  const std::function<Task<Result<storage::GenerationFacts>>(storage::Disk&)> inspect = [&file](storage::Disk& disk) {
    return storage::inspect_generation(disk, file, std::nullopt);
  };
  const Result<storage::GenerationFacts> facts = run_on_disk(inspect);
  if (!facts) return report_damage(common, facts.error());
  if (common.json) {
    print_json(generation_json(*facts, file));
  } else {
    print(generation_text(*facts, file));
  }
  return ExitCode::done;
}

ExitCode run_log_verify(const CommonOptions& common, const std::string& directory) {
  if (!std::filesystem::is_directory(directory))
    return report({ErrorKind::not_found, "'" + directory + "' is no directory", "name a log directory"});
  const std::filesystem::path path = std::filesystem::absolute(directory) / "";  // ends with a slash, whatever was typed
  const std::filesystem::path log = path.lexically_normal().parent_path();
  if (log.filename() == storage::incoming_folder)
    return report({ErrorKind::usage, "'" + directory + "' holds what is still received: no chain of sealed generations",
                   "ccr log verify " + log.parent_path().string() + " checks the chain; ccr log show FILE prints one file"});
  const std::function<Task<Result<std::vector<storage::ChainLink>>>(storage::Disk&)> verify = [&directory](storage::Disk& disk) {
    return storage::verify_chain(disk, directory);
  };
  const Result<std::vector<storage::ChainLink>> chain = run_on_disk(verify);
  if (!chain) return report_damage(common, chain.error());
  if (chain->empty()) return report({ErrorKind::not_found, "'" + directory + "' holds no generations", "name a log directory"});
  if (common.json) {
    print_json(chain_json(*chain, directory));
  } else {
    print(chain_text(*chain, directory));
  }
  return ExitCode::done;
}

}  // namespace ccr::tools
