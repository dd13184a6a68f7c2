#include "engine/config_application.h"

#include <fmt/format.h>

namespace ccr::engine {

using namespace std::chrono_literals;

void read_commit(const ConfigTable& table, DatabaseConfig& database) {
  constexpr DurationRange fallback_range{0s, 24h};
  std::string commit = name_of(database.commit);
  table.word("commit", commit, {"async", "received", "durable"});
  database.commit = commit == "durable" ? CommitMode::durable : commit == "received" ? CommitMode::received : CommitMode::async;
  table.duration("commit_fallback", database.commit_fallback, fallback_range);
  const bool waits = database.commit != CommitMode::async;
  if (waits && database.kind == DatabaseKind::sqlite) {
    table.fault("commit", fmt::format("{}: expected \"async\": a program's COMMIT returns before ccr sees it", table.label("commit")),
                "leave it out; commits that wait for another copy are for kind = \"pages\"");
  }
  if (waits && database.copies.size() == 1) {
    table.fault("commit", fmt::format("{}: expected \"async\" where there is no other copy", table.label("commit")), "add a node to copies");
  }
}

void read_commands(const ConfigTable& table, DatabaseConfig& database) {
  constexpr std::size_t command_bytes_max = 4096;
  for (const auto& [key, command] : {std::pair{"on_demote", &database.on_demote}, std::pair{"on_promote", &database.on_promote}}) {
    table.text(key, *command);
    if (command->empty()) continue;
    if (database.kind != DatabaseKind::sqlite)
      table.fault(key, fmt::format("{}: is for kind = \"sqlite\": a page store's program is told by its own calls", table.label(key)), "leave it out");
    else if (command->size() > command_bytes_max)
      table.fault(key, fmt::format("{}: expected at most {} bytes, found {}", table.label(key), command_bytes_max, command->size()), "put them into a script");
    else if (command->find('\0') != std::string::npos)
      table.fault(key, fmt::format("{}: a command has no zero byte", table.label(key)));
  }
}

}  // namespace ccr::engine
