// Commands that wait for something, or follow what happens, and change nothing.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/commands.h"
#include "engine/event_file.h"
#include "engine/status_parts.h"
#include "engine/watched.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

constexpr Duration look_again_at_state = std::chrono::milliseconds(50);

}  // namespace

// In the asked state; `healthy` also means that nothing is left in the queues, but for what replay_lag holds back.
Task<Result<json>> Commands::wait(const ControlRequest& request) {
  const Result<Hosted*> hosted = hosted_of(request);
  if (!hosted.ok()) co_return hosted.error();
  const Result<std::string> wanted = request.text("for", "healthy");
  const Result<double> timeout = request.number("timeout_seconds", 30);
  if (!wanted.ok()) co_return wanted.error();
  if (!timeout.ok()) co_return timeout.error();
  if (!state_of(*wanted)) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < state_count; ++i) names.emplace_back(name_of(static_cast<State>(i)));
    const std::optional<std::string> near = did_you_mean(*wanted, names);
    co_return Error{ErrorKind::usage, "no state is called '" + *wanted + "'", near ? "did you mean '" + *near + "'?" : "healthy, suspended, …"};
  }
  const std::string& named = request.node().empty() ? node_.config().node : request.node();
  const bool active = named == (*hosted)->config.copies.front();
  if (!may_be(*state_of(*wanted), active)) {
    co_return Error{ErrorKind::usage, subject_of((*hosted)->config, named) + (active ? " is the active copy" : " is a passive copy") + ", which is never " + *wanted,
                    active ? "ccr wait " + subject_of((*hosted)->config, named) + " --for mounted" : ""};
  }
  const Instant end = context_.clock.now() + duration_of(*timeout);
  for (;;) {
    json copy = copy_status(request);
    if (copy.is_null()) co_return Error{ErrorKind::not_found, "this node has no copy of " + request.database(), "name it as DB@NODE"};
    const auto empty = [&](const char* queue) { return copy[queue].is_object() && copy[queue]["bytes"] == 0; };
    const bool queues_empty = copy["role"] == "active" || (empty("copy_queue") && replay_queue_in_order(copy));
    const bool there = copy["state"].is_string() && copy["state"] == *wanted && (*wanted != "healthy" || queues_empty);
    if (there) co_return copy;
    if (context_.clock.now() >= end) {
      const std::string state = copy["state"].is_string() ? copy["state"].get<std::string>() : "unknown";
      co_return Error{ErrorKind::timeout, request.database() + "@" + request.node() + " is " + state + fmt::format(" after {} s, not ", *timeout) + *wanted,
                      "ccr status " + request.database()};
    }
    co_await context_.clock.sleep(look_again_at_state);
  }
}

Task<Result<json>> Commands::follow_events(const ControlRequest& request, ControlReply& reply) {
  const Result<bool> follow = request.flag("follow");
  if (!follow.ok()) co_return follow.error();
  if (!request.database().empty()) {
    const Result<Hosted*> hosted = hosted_of(request);
    if (!hosted.ok()) co_return hosted.error();
  }
  co_await events_.wait_restored();
  std::uint64_t told = 0;
  for (;;) {
    const std::deque<NumberedEvent> known = events_.events();
    for (const NumberedEvent& event : known) {
      if (event.number <= told) continue;
      told = event.number;
      if (!concerns(event.event, request.database(), request.node())) continue;
      CCR_CO_TRY(co_await reply.event(event_json(event)));
    }
    if (!*follow) co_return json{{"schema", 1}, {"last", told}};
    co_await events_.wait_beyond(told);
  }
}

// Who holds a generation of the log on this node, and what would let it go.
Task<Result<json>> Commands::why(const ControlRequest& request) {
  const Result<Hosted*> hosted = hosted_of(request);
  if (!hosted.ok()) co_return hosted.error();
  const Result<std::uint64_t> asked = request.count("generation", 0);
  if (!asked.ok()) co_return asked.error();
  const std::string& name = (*hosted)->config.name;
  std::optional<storage::TruncationFacts> facts;
  if ((*hosted)->active && (*hosted)->active->ready()) facts = (*hosted)->active->log_keeper().facts();
  else if (!(*hosted)->is_active_here) facts = (*hosted)->passive->truncation_facts();
  if (!facts) co_return Error{ErrorKind::busy, "the log of " + subject_of((*hosted)->config, node_.config().node) + " is not open", "ccr status " + name + " shows why"};
  const Generation generation{*asked};
  const bool here = generation >= facts->first && generation <= facts->open;
  json result{{"schema", 1},    {"database", name},           {"node", node_.config().node}, {"generation", generation.number},
              {"here", here},   {"first", facts->first.number}, {"open", facts->open.number},  {"log_bytes", facts->log_bytes},
              {"log_budget", facts->log_budget_bytes}, {"held_by", json::array()}};
  for (const storage::Hold& hold : storage::holds_on(*facts, generation))
    result["held_by"].push_back({{"who", hold.who}, {"from", position_json(hold.from)}});
  if (!here || !result["held_by"].empty()) co_return result;
  // What no position says.
  const bool active = (*hosted)->is_active_here;
  const bool newest = active && generation >= facts->open.previous();
  const bool alone = !active && !(*hosted)->passive->connected();
  if (newest) result["held_by"].push_back({{"who", "the next handshake, as the newest sealed one"}, {"from", position_json(Position::start_of(facts->open.previous()))}});
  if (alone) result["held_by"].push_back({{"who", "a copy out of contact, which drops nothing"}, {"from", position_json(Position::start_of(facts->first))}});
  co_return result;
}

}  // namespace ccr::engine
