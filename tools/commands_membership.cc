// ccr add, ccr forget: a database or a copy comes or goes, in this node's file and in its daemon.
//
// First the daemon says whether it may, then the file is replaced, then the daemon reads it. What it refuses after all is taken back.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/control.h"
#include "engine/node_context.h"
#include "tools/commands.h"
#include "tools/config_edit.h"
#include "tools/config_file.h"
#include "tools/control_client.h"
#include "tools/daemon_call.h"
#include "tools/interrupts.h"
#include "tools/json_fields.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

// A change of the file that was checked, and what the daemon makes of it.
struct Edit {
  engine::Config before, after;
  std::string old_text, new_text;
  json plan;            // the daemon's; null: it does not run
  bool stands = false;  // the file says so already
};

Result<engine::Config> parsed(const CommonOptions& common, const std::string& text) {
  return engine::parse_config(text, common.config_file, common.node.empty() ? host_name() : common.node);
}

// It may have peers to ask, and connections to see end. not_found: no daemon answers at all.
Result<json> ask_patiently(const engine::Config& config, const json& request) {
  Result<ControlClient> client = ControlClient::connect(config.control_socket);
  if (!client) return client.error();
  const Interrupts interrupts;
  ControlClient::Watch watch;
  watch.silence_max = Duration::zero();
  watch.interrupt = interrupts.descriptor();
  return client->call(request, watch);
}

// `edit`: of the text, knowing what it says.
template <class Change>
Result<Edit> prepare(const CommonOptions& common, Change change) {
  Edit edit;
  const Result<std::string> text = read_config_text(common.config_file);
  CCR_TRY(text);
  Result<engine::Config> before = parsed(common, *text);
  CCR_TRY(before);
  const Result<std::string> changed = change(*text, *before);
  CCR_TRY(changed);
  Result<engine::Config> after = parsed(common, *changed);
  if (!after.ok()) return after.error().within("with that change");
  edit.stands = *changed == *text;
  edit.old_text = *text;
  edit.new_text = *changed;
  edit.before = std::move(*before);
  edit.after = std::move(*after);
  json request{{"command", "reload"}, {"dry_run", true}, {"text", edit.new_text}};
  if (request.dump(-1, ' ', false, json::error_handler_t::replace).size() + 1 > engine::control_request_bytes_max)
    return Error{ErrorKind::usage, "'" + common.config_file + "' is too long for this command", "edit it by hand, then systemctl reload ccr"};
  Result<json> plan = ask_patiently(edit.before, request);
  if (!plan.ok() && plan.error().kind != ErrorKind::not_found) return plan.error();
  if (plan.ok()) edit.plan = std::move(*plan);
  return edit;
}

Error no_daemon(const engine::Config& config) {
  return {ErrorKind::unreachable, "the daemon of " + config.node + " does not run, so nobody knows whether anything counts on that copy",
          "start it: ccr serve --node " + config.node + "; or take it out of the file by hand"};
}

// The file first; where the daemon then says no, the file as it was.
Result<json> apply(const CommonOptions& common, const Edit& edit) {
  if (!edit.stands) CCR_TRY(replace_config(common.config_file, edit.old_text, edit.new_text));
  if (edit.plan.is_null()) return json(nullptr);
  Result<json> done = ask_patiently(edit.before, {{"command", "reload"}});
  if (done.ok() || edit.stands) return done;
  if (exit_code_of(done.error().kind) != ExitCode::refused) return done.error().within("'" + common.config_file + "' is changed, and not in force yet");
  const Result<void> back = replace_config(common.config_file, edit.new_text, edit.old_text);
  if (!back.ok()) note("warning: " + back.error().message);
  return done;
}

std::vector<std::string> words_of(const json& list) {
  std::vector<std::string> words;
  for (const json& word : list)
    if (word.is_string()) words.push_back(word.get<std::string>());
  return words;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

// What of the copy that goes stays on this node's disks, for a person.
std::vector<std::string> left_here(const CommonOptions& common, const Edit& edit, const std::string& name) {
  const auto database = edit.before.databases.find(name);
  const auto after = edit.after.databases.find(name);
  const auto here = [&edit](const engine::DatabaseConfig& of) { return of.has_copy(edit.before.node); };
  if (database == edit.before.databases.end() || !here(database->second) || (after != edit.after.databases.end() && here(after->second))) return {};
  const Result<json> status = ask(common, {{"command", "status"}, {"database", name}});
  const bool active = status.ok() && !list_field(*status, "databases").empty() && text_field(list_field(*status, "databases")[0], "active") == edit.before.node;
  const engine::CopyPaths paths = engine::paths_of(edit.before, database->second, active);
  std::vector<std::string> left;
  if (!active) left.push_back(paths.page_file);
  left.insert(left.end(), {paths.log_directory, paths.state_directory});
  std::error_code ignored;
  std::erase_if(left, [&ignored](const std::string& path) { return !std::filesystem::exists(path, ignored); });
  return left;
}

std::vector<std::string> other_nodes(const Edit& edit) {
  std::vector<std::string> others;
  for (const auto& [name, node] : edit.after.nodes)
    if (name != edit.after.node) others.push_back(name);
  return others;
}

struct Told {
  std::string same_command;         // for the other nodes
  std::vector<std::string> left, next;
};

ExitCode show(const CommonOptions& common, const Edit& edit, const json& done, const Told& told, bool dry_run) {
  const std::vector<std::string> changes = changed_lines(edit.old_text, edit.new_text), others = other_nodes(edit);
  const json& said = dry_run ? edit.plan : done;
  if (common.json) {
    print_json({{"dry_run", dry_run}, {"file", common.config_file}, {"lines", changes}, {"copies", said.is_object() ? said["copies"] : json::array()},
                {"daemon", said.is_object()}, {"restart", said.is_object() ? said["restart"] : json(nullptr)}, {"left", told.left},
                {"other_nodes", others}, {"same_command", told.same_command}, {"next", told.next}});
    return ExitCode::done;
  }
  std::string text;
  if (edit.stands) text += fmt::format("{} says so already\n", common.config_file);
  for (const std::string& line : changes) text += line + "\n";
  const std::vector<std::string> copies = said.is_object() ? words_of(said["copies"]) : std::vector<std::string>();
  if (!said.is_object()) text += fmt::format("the daemon of {} does not run: in force from its next start on\n", edit.after.node);
  else if (dry_run) text += fmt::format("may be done: {}; nothing was changed\n", copies.empty() ? "nothing is left to do" : joined(copies, ", "));
  else text += fmt::format("in force on {}: {}\n", edit.after.node, copies.empty() ? "it was already" : joined(copies, ", "));
  if (said.is_object() && said["restart"] == true) text += "other changes of the file need a restart: ccr config show has what it says\n";
  if (!told.left.empty()) text += "left on this node, for you to remove: " + joined(told.left, " ") + "\n";
  if (!others.empty()) text += fmt::format("on {} too, each has a file of its own: {}\n", joined(others, ", "), told.same_command);
  for (const std::string& next : told.next) text += "then: " + next + "\n";
  print(text);
  return ExitCode::done;
}

Result<void> check_new(const AddOptions& options) {
  if (options.path.empty() || options.logs.empty() || options.copies.empty()) {
    return Error{ErrorKind::usage, "a new database needs --path, --logs and --copies",
                 "such as ccr add " + options.target + " --path /srv/" + options.target + ".db --logs /srv/" + options.target +
                     "-log --copies alpha,beta; a copy of one that is there: ccr add " + options.target + "@NODE"};
  }
  return {};
}

Result<std::string> added(const std::string& text, const engine::Config& config, const Target& target, const AddOptions& options) {
  const auto found = config.databases.find(target.database);
  if (!target.node.empty()) {
    if (found == config.databases.end()) return find_copy(config, target.database, "").error();
    if (found->second.has_copy(target.node)) return text;
    return with_copy(text, target.database, target.node);
  }
  CCR_TRY(check_new(options));
  if (found == config.databases.end()) return with_database(text, {target.database, options.kind, options.path, options.logs, options.copies});
  if (found->second.copies == options.copies && engine::name_of(found->second.kind) == options.kind) return text;
  return Error{ErrorKind::refused, "database " + target.database + " is in the file already, with other copies or of another kind",
               "a copy more: ccr add " + target.database + "@NODE; ccr config show prints what is there"};
}

std::string add_command(const AddOptions& options, const Target& target) {
  if (!target.node.empty()) return "ccr add " + options.target;
  return fmt::format("ccr add {} --kind {} --path '{}' --logs '{}' --copies {}", options.target, options.kind, options.path, options.logs, joined(options.copies, ","));
}

// With what is lost by it, for who agrees.
std::string loss_of(const Edit& edit, const Target& target) {
  const auto found = edit.before.databases.find(target.database);
  const std::size_t copies = found == edit.before.databases.end() ? 0 : found->second.copies.size();
  if (target.node.empty()) return "ccr forget takes " + target.database + " from this node: its commits come to no log here any more";
  return fmt::format("ccr forget takes {}@{} away: {}", target.database, target.node,
                     copies <= 2 ? "no other copy protects what is committed" : fmt::format("{} copies are left", copies - 1));
}

}  // namespace

ExitCode run_add(const CommonOptions& common, const AddOptions& options) {
  const Result<Target> target = parse_target(options.target);
  if (!target) return report(target.error());
  const auto change = [&](const std::string& text, const engine::Config& config) { return added(text, config, *target, options); };
  const Result<Edit> edit = prepare(common, change);
  if (!edit) return report(edit.error());
  const std::vector<std::string>& copies = edit->after.databases.at(target->database).copies;
  Told told;
  told.same_command = add_command(options, *target);
  for (const std::string& node : copies)
    if (target->node.empty() ? node != copies.front() : node == target->node) told.next.push_back("ccr seed " + target->database + "@" + node + " on " + node);
  if (options.dry_run) return show(common, *edit, nullptr, told, true);
  const Result<json> done = apply(common, *edit);
  if (!done) return report(done.error());
  return show(common, *edit, *done, told, false);
}

ExitCode run_forget(const CommonOptions& common, const ForgetOptions& options) {
  const Result<Target> target = parse_target(options.target);
  if (!target) return report(target.error());
  std::optional<Error> unknown;  // to the file; the daemon may have it still, where somebody took it out of the file
  const auto change = [&](const std::string& text, const engine::Config& config) -> Result<std::string> {
    const Result<void> known = find_copy(config, target->database, target->node);
    if (!known.ok()) unknown = known.error();
    if (!known.ok()) return text;
    if (target->node.empty()) return without_database(text, target->database);
    if (config.databases.at(target->database).copies.size() == 1)
      return Error{ErrorKind::refused, options.target + " is the only copy", "the database goes as a whole: ccr forget " + target->database};
    return without_copy(text, target->database, target->node);
  };
  const Result<Edit> edit = prepare(common, change);
  if (!edit) return report(edit.error());
  const std::vector<std::string> planned = edit->plan.is_null() ? std::vector<std::string>() : words_of(edit->plan["copies"]);
  const bool daemon_has_it = std::find(planned.begin(), planned.end(), options.target + " forgotten") != planned.end();
  if (unknown && !daemon_has_it) return report(*unknown);
  if (edit->plan.is_null()) return report(no_daemon(edit->before));
  Told told;
  told.same_command = "ccr forget " + options.target;
  told.left = left_here(common, *edit, target->database);
  if (options.dry_run) return show(common, *edit, nullptr, told, true);
  const std::string loss = loss_of(*edit, *target);
  if (!options.yes && !confirmed(loss, target->database))
    return report({ErrorKind::refused, "it was not agreed to: " + loss, "on a terminal type the database's name; elsewhere add --yes"});
  const Result<json> done = apply(common, *edit);
  if (!done) return report(done.error());
  return show(common, *edit, *done, told, false);
}

}  // namespace ccr::tools
