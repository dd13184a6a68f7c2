#include "engine/handover_commands.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/wall_time.h"

namespace ccr::engine {

using nlohmann::json;

Result<void> HandoverCommands::check_node(const Hosted& hosted, const std::string& option, const std::string& node) const {
  const std::vector<std::string>& copies = hosted.config.copies;
  if (node.empty()) return Error{ErrorKind::usage, option + " is missing", "name a node with a copy of " + hosted.config.name};
  if (hosted.config.has_copy(node)) return {};
  const std::optional<std::string> near = did_you_mean(node, copies);
  return Error{ErrorKind::usage, option + ": database " + hosted.config.name + " has no copy on '" + node + "'",
               near ? "did you mean '" + *near + "'?" : "ccr status " + hosted.config.name + " shows its copies"};
}

Task<Result<json>> HandoverCommands::watch(std::shared_ptr<Handover> handover, ControlReply& reply) {
  constexpr Duration look_again = std::chrono::milliseconds(20), progress_interval = std::chrono::milliseconds(500);
  Instant told = context_.clock.now();
  while (!handover->ended()) {
    if (context_.clock.now() - told >= progress_interval) {
      json progress = handover->progress();
      CCR_CO_TRY(co_await reply.progress(std::move(progress)));
      told = context_.clock.now();
    }
    co_await context_.clock.sleep(look_again);
  }
  co_return handover->result();
}

Task<Result<json>> HandoverCommands::move_there(Hosted& hosted, std::string to) {
  transport::HandoverAsk ask;
  ask.step = transport::HandoverStep::move;
  ask.database = hosted.config.name;
  ask.to = std::move(to);
  const Result<transport::HandoverAnswer> answer = co_await node_.roles().ask(hosted.role.active, ask);
  if (!answer.ok()) co_return answer.error();
  json moved = json::parse(answer->text, nullptr, false);
  if (!moved.is_object()) co_return Error{ErrorKind::protocol, hosted.role.active + " answered a move with something else", "is it ccr, of the same version? ccr version"};
  co_return moved;
}

Task<Result<json>> HandoverCommands::move(Hosted& hosted, const ControlRequest& request, ControlReply& reply) {
  const Result<std::string> to = request.text("to");
  const Result<bool> dry = request.flag("dry_run");
  if (!to.ok()) co_return to.error();
  if (!dry.ok()) co_return dry.error();
  CCR_CO_TRY(check_node(hosted, "--to", *to));
  if (*to == hosted.role.active) co_return Error{ErrorKind::refused, subject_of(hosted.config, *to) + " is the active copy already", ""};
  if (!hosted.is_active_here && *dry)
    co_return Error{ErrorKind::unreachable, "the active copy of " + hosted.config.name + " is on " + hosted.role.active + ", where the checks are made", "run it there"};
  if (!hosted.is_active_here) co_return co_await move_there(hosted, *to);
  if (hosted.handing_over) co_return Error{ErrorKind::busy, "a handover of " + hosted.config.name + " is under way", "ccr status " + hosted.config.name};
  auto handover = std::make_shared<Handover>(context_, node_.roles(), hosted);
  if (*dry) co_return co_await handover->plan_move(*to);
  node_.spawn(Handover::move(handover, *to));
  co_return co_await watch(handover, reply);
}

Task<Result<json>> HandoverCommands::activate(Hosted& hosted, const ControlRequest& request, ControlReply& reply) {
  const Result<std::string> on = request.text("on"), dial_name = request.text("dial", "good");
  const Result<bool> dry = request.flag("dry_run");
  if (!on.ok()) co_return on.error();
  if (!dial_name.ok()) co_return dial_name.error();
  if (!dry.ok()) co_return dry.error();
  CCR_CO_TRY(check_node(hosted, "--on", *on));
  const Result<std::string> until_text = request.text("until");
  const Result<bool> hold = request.flag("hold");
  if (!until_text.ok()) co_return until_text.error();
  if (!hold.ok()) co_return hold.error();
  std::optional<WallTime> until;
  if (!until_text->empty()) until = wall_time_of_rfc3339(*until_text);
  if (!until_text->empty() && !until) co_return Error{ErrorKind::usage, "--until: expected a time such as 2026-01-02T03:04:05Z, found '" + *until_text + "'", "ccr activate takes local times too"};
  const std::optional<Dial> dial = dial_of(*dial_name);
  if (!dial) co_return Error{ErrorKind::usage, "--dial: expected lossless, good, best or force, found '" + *dial_name + "'", ""};
  if (*on != context_.config.node) {
    co_return Error{ErrorKind::unreachable, "this is node " + context_.config.node + "; the copy on " + *on + " is activated there",
                    "run it on " + *on + ", or with --node " + *on + " where both run on one host"};
  }
  if (hosted.handing_over) co_return Error{ErrorKind::busy, "a handover of " + hosted.config.name + " is under way", "ccr status " + hosted.config.name};
  auto handover = std::make_shared<Handover>(context_, node_.roles(), hosted);
  if (*dry) co_return co_await handover->plan_activation(*dial, until, *hold);
  node_.spawn(Handover::activate(handover, *dial, until));
  co_return co_await watch(handover, reply);
}

}  // namespace ccr::engine
