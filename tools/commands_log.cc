// ccr log show, ccr log verify: read the files themselves, with or without a daemon.
#include <charconv>
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
#include "tools/json_fields.h"
#include "tools/text_table.h"

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

namespace {

// As names of files show it, with or without its zeros.
Result<std::uint64_t> parse_generation(const std::string& text) {
  std::uint64_t number = 0;
  const std::string digits = text.substr(0, text.find('.'));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error == std::errc() && end == digits.data() + digits.size() && !digits.empty() && number != 0) return number;
  return Error{ErrorKind::usage, "expected a generation in hexadecimal, found '" + text + "'", "such as 1a3f2, or 000000000001a3f2.log"};
}

std::string why_text(const json& result) {
  const std::string generation = to_hex(count_field(result, "generation").value_or(0));
  const std::uint64_t first = count_field(result, "first").value_or(0), open = count_field(result, "open").value_or(0);
  std::string text = "generation " + generation + " of " + escaped(text_field(result, "database")) + " on " + escaped(text_field(result, "node"));
  if (!flag_field(result, "here")) return text + " is not here: the log has " + to_hex(first) + " to " + to_hex(open) + "\n";
  const json& holds = list_field(result, "held_by");
  if (holds.empty()) return text + " is held by nobody: it goes at the next look\n";
  text += " is held by\n";
  for (const json& hold : holds) text += "  " + escaped(text_field(hold, "who")) + ", from " + to_hex(count_field(field(hold, "from"), "generation").value_or(0)) + " on\n";
  return text;
}

}  // namespace

ExitCode run_log_why(const CommonOptions& common, const std::string& database, const std::string& generation) {
  const Result<std::uint64_t> number = parse_generation(generation);
  if (!number) return report(number.error());
  const Result<json> result = ask(common, {{"command", "why"}, {"database", database}, {"generation", *number}});
  if (!result) return report(result.error());
  if (common.json) {
    print_json(*result);
  } else {
    print(why_text(*result));
  }
  return ExitCode::done;
}

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
