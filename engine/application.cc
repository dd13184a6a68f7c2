#include "engine/application.h"

#include <algorithm>
#include <utility>

#include "base/timeout.h"
#include "engine/active_copy.h"
#include "engine/file_place.h"
#include "storage/sqlite/file_programs.h"

namespace ccr::engine {

Application::Application(NodeContext& context, const DatabaseConfig& database, CopyPaths paths, StateKeeper& keeper, ActiveCopy& copy)
    : context_(context), database_(database), paths_(std::move(paths)), keeper_(keeper), copy_(copy), changed_(context.executor) {}

void Application::tell(const char* event, std::vector<std::pair<std::string, std::string>> fields) {
  const Event told{event, subject_of(database_, context_.config.node), std::move(fields)};
  context_.trace.record(told);
}

void Application::show(std::string cause) {
  if (cause_ == cause) return;
  cause_ = std::move(cause);
  copy_.show_application();
}

// --- it comes ----------------------------------------------------------------------------------------------------------------

Task<Result<void>> Application::check_place(NodeContext& context, const DatabaseConfig& database) {
  if (database.kind != DatabaseKind::sqlite) co_return Result<void>();
  const std::string place = paths_of(context.config, database, true).page_file;
  const Result<storage::FileFacts> there = co_await facts_at(context.disk, place);
  if (!there.ok()) co_return there.error();
  if (!there->known()) co_return Result<void>();
  co_return Error{ErrorKind::refused, "a file of another's is at " + place + " on " + context.config.node + ", where programs will look for " + database.name,
                  "move " + place + " away, if nobody misses it"};
}

Task<Result<std::string>> Application::file_to_bring() {
  if (!keeper_.state().promote_due) co_return std::string();
  const std::string copy = paths_of(context_.config, database_, false).page_file;
  const Result<storage::FileFacts> there = co_await facts_at(context_.disk, copy);
  if (!there.ok()) co_return there.error();
  if (!there->known()) co_return std::string();
  const Result<storage::FileFacts> in_place = co_await facts_at(context_.disk, paths_.page_file);
  if (!in_place.ok()) co_return in_place.error();
  if (in_place->known()) {
    co_return Error{ErrorKind::identity, "this node's copy is " + copy + ", and a file of another's is at " + paths_.page_file,
                    "move " + paths_.page_file + " away, if nobody misses it: the copy takes its place"};
  }
  co_return copy;
}

Task<Result<void>> Application::bring(std::string from) {
  const Result<std::vector<std::string>> aside = co_await set_aside_beside(context_.disk, paths_.page_file, keeper_.state().epoch);
  if (!aside.ok()) co_return aside.error();
  for (const std::string& file : *aside) tell("file_set_aside", {{"file", file}});
  co_await give_access(from);
  CCR_CO_TRY(co_await move_file(context_.disk, from, paths_.page_file));
  tell("database_in_place", {{"path", paths_.page_file}, {"epoch", std::to_string(keeper_.state().epoch)}});
  co_return Result<void>();
}

// As on the node before, and before it has its name. What this node may not do, or does not know, is a person's, who reads why.
Task<void> Application::give_access(std::string file) {
  const storage::FileAccess wanted = keeper_.state().access;
  if (!wanted.known()) co_return;
  const Result<storage::FileAccess> now = co_await context_.disk.access(file);
  if (now.ok() && *now == wanted) co_return;
  const Result<void> given = co_await context_.disk.give_access(file, wanted);
  const std::string text = wanted.text();
  tell(given.ok() ? "access_given" : "access_not_given", {{"access", text}, {"outcome", given.ok() ? "ok" : given.error().message}});
  if (!given.ok()) access_cause_ = "the file could not be given to " + text + ", as it was on the node before: " + given.error().message;
}

Task<Result<void>> Application::start() {
  for (int tries = 0; tries < start_tries_max && keeper_.state().promote_due && !leaving_; ++tries) {
    starting_ = true;
    const Result<void> started = co_await run_command("on_promote", database_.on_promote);
    starting_ = false;
    changed_.notify();
    if (started.ok()) {
      keeper_.state().promote_due = false;
      show("");
      co_return co_await keeper_.save();
    }
    show("on_promote: " + started.error().message);
    co_await context_.clock.sleep(start_pause);
  }
  co_return Result<void>();
}

Task<Result<void>> Application::run_command(const std::string& key, const std::string& command) {
  if (command.empty()) co_return Result<void>();
  if (context_.programs == nullptr) co_return Error{ErrorKind::unsupported, "this node runs no commands", ""};
  ProgramCall call;
  call.command = command;
  call.environment = {{"CCR_DATABASE", database_.name}, {"CCR_NODE", context_.config.node}, {"CCR_PATH", paths_.page_file}, {"CCR_EPOCH", std::to_string(keeper_.state().epoch)}};
  call.limit = command_limit;
  const Instant begun = context_.clock.now();
  const Result<void> ended = co_await context_.programs->run(std::move(call));
  const std::string took = std::to_string((context_.clock.now() - begun) / std::chrono::milliseconds(1)) + " ms";
  const std::string failure = ended.ok() ? std::string() : key + ": " + ended.error().message;
  const bool told = !failure.empty() && failure == failure_told_;
  failure_told_ = failure;
  if (told) co_return ended;
  tell("command_ended", {{"command", key}, {"outcome", ended.ok() ? "ok" : ended.error().message}, {"took", took}});
  co_return ended;
}

// --- it goes -----------------------------------------------------------------------------------------------------------------

void Application::parted(Result<void> outcome) {
  answer_ = std::move(outcome);
  changed_.notify();
}

Task<Result<void>> Application::part() {
  answer_.reset();
  copy_.ask_to_part();
  const auto answered = [this] { return answer_.has_value(); };
  co_await wait_for(context_.clock, part_limit, changed_, answered);
  if (!answer_) co_return Error{ErrorKind::timeout, "the source of " + paths_.page_file + " does not answer", ""};
  co_return *answer_;
}

Result<void> Application::may_leave() const { return storage::sqlite::check_name(paths_.page_file); }

Task<Result<void>> Application::take_away() {
  while (starting_) co_await changed_.wait();
  if (away_) co_return Result<void>();
  co_await copy_.wait_until_comparable();
  if (!keeper_.state().promote_due) {
    keeper_.state().promote_due = true;
    CCR_CO_TRY(co_await keeper_.save());
  }
  if (!demoted_) CCR_CO_TRY(co_await run_command("on_demote", database_.on_demote));
  demoted_ = true;
  CCR_CO_TRY(co_await part());
  CCR_CO_TRY(co_await copy_.close_books());
  CCR_CO_TRY(co_await move_away());
  away_ = true;
  changed_.notify();
  co_return Result<void>();
}

// Whoever opened it just before has it by its inode, and is found behind the new name; then it goes back.
Task<Result<void>> Application::move_away() {
  const std::string copy = paths_of(context_.config, database_, false).page_file;
  CCR_CO_TRY(co_await move_file(context_.disk, paths_.page_file, copy));
  const Result<void> alone = co_await part();
  if (!alone.ok()) {
    CCR_CO_TRY(co_await move_file(context_.disk, copy, paths_.page_file));
    co_return alone;
  }
  CCR_CO_TRY(co_await remove_beside(context_.disk, paths_.page_file));  // all of it is in the file
  tell("database_taken_away", {{"path", paths_.page_file}, {"copy", copy}});
  co_return Result<void>();
}

void Application::ask_to_leave() {
  leaving_ = true;
  changed_.notify();
}

void Application::give_back() {
  given_back_ = true;
  changed_.notify();
}

Task<Result<void>> Application::leave_when_asked() {
  Duration pause = leave_pause;
  for (;;) {
    if (given_back_) co_return Error{ErrorKind::busy, "the application gets its database back", ""};
    if (!leaving_ || away_) {
      co_await changed_.wait();
      continue;
    }
    const Result<void> away = co_await take_away();
    if (away.ok()) continue;
    show("another copy is the active one, and this one cannot leave: " + away.error().message);
    co_await context_.clock.sleep(pause);
    pause = std::min(2 * pause, leave_pause_max);
  }
}

}  // namespace ccr::engine
