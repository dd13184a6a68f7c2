// What an activation can still have of the log that this copy lacks: from other passive copies, and from the one before once it gave up, also where it
// is taken up after a crash.
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/handover.h"
#include "engine/role_told.h"

namespace ccr::engine {
namespace {

constexpr Duration open_limit = std::chrono::seconds(10);  // that a copy takes to open its log in another role, and a connection to come again
constexpr Duration look_again = std::chrono::milliseconds(100);

// It answered a moment ago: also a connect that fails may do better.
bool passes(ErrorKind kind) {
  return kind == ErrorKind::refused || kind == ErrorKind::busy || kind == ErrorKind::disconnected || kind == ErrorKind::unreachable || kind == ErrorKind::timeout;
}

}  // namespace

Task<std::vector<Handover::LogThere>> Handover::log_elsewhere(const ActivationFacts& facts) {
  std::vector<LogThere> found;
  const Signature own = hosted_.passive->state().signature;
  const std::vector<std::string> copies = hosted_.config.copies;
  for (const std::string& node : copies) {
    const bool silent = node == hosted_.role.active && !facts.answers;
    if (node == context_.config.node || silent) continue;
    const Result<transport::RoleEntry> entry = co_await roles_.ask_role(node, hosted_.config.name);
    if (!entry.ok() || entry->signature != own || entry->active == node) continue;
    known_epoch_ = std::max(known_epoch_, entry->epoch);
    if (entry->end > facts.inspected) found.push_back({node, entry->end, entry->whole});
  }
  std::sort(found.begin(), found.end(), [](const LogThere& one, const LogThere& other) { return one.end != other.end ? one.end > other.end : one.node < other.node; });
  co_return found;
}

Task<void> Handover::fetch_elsewhere(ActivationFacts& facts) {
  if (hosted_.passive->connected()) co_return;  // the active node gives it what there is
  const std::vector<LogThere> found = co_await log_elsewhere(facts);
  for (const LogThere& there : found) {
    if (there.end > facts.inspected) co_await fetch(there, facts);
  }
  if (found.empty() || found.front().end <= facts.inspected) co_return;
  const auto better = std::find_if(found.begin(), found.end(), [&](const LogThere& there) { return there.whole && there.end > facts.inspected; });
  facts.further = better != found.end() ? better->node : found.front().node;
  facts.further_whole = better != found.end();
  facts.further_end = found.front().end;
}

// Whatever comes of it: what could not be had is missing, and said to be.
Task<void> Handover::fetch(LogThere there, ActivationFacts& facts) {
  const std::uint64_t bytes = hosted_.config.generation_bytes;
  const Position from = facts.inspected;
  step_ = "fetch";
  walk_from_ = from;
  walk_end_ = there.end;
  const Instant end = context_.clock.now() + open_limit;
  Result<Position> reached = co_await hosted_.passive->fetch_log(there.node);
  while (!reached.ok() && passes(reached.error().kind) && context_.clock.now() < end) {
    co_await context_.clock.sleep(look_again);
    reached = co_await hosted_.passive->fetch_log(there.node);
  }
  walk_end_ = {};
  look_at_own(facts);
  const std::uint64_t came = distance(from, facts.inspected, bytes).value;
  if (came > 0) fetched_.push_back({there.node, came});
  std::vector<std::pair<std::string, std::string>> fields{{"from_node", there.node}, {"from", to_text(from)}, {"to", to_text(facts.inspected)}, {"bytes", std::to_string(came)}};
  if (!reached.ok()) fields.emplace_back("cause", reached.error().message);
  tell(reached.ok() ? "log_fetched" : "log_not_fetched", std::move(fields));
}

bool Handover::prepared_for(Epoch epoch) const {
  const bool passed = std::max(role_of(hosted_).epoch, hosted_.highest_epoch) > epoch;
  return !hosted_.is_active_here && !hosted_.wanted && !passed && prepared_of(hosted_) == epoch;
}

Task<bool> Handover::fetch_rest(std::string before, Epoch epoch, Position end) {
  ActivationFacts facts;
  facts.end = end;
  look_at_own(facts);
  LogThere there{std::move(before), end};
  if (end > facts.inspected) co_await fetch(std::move(there), facts);
  if (prepared_for(epoch) && !(end.known() && facts.inspected >= end)) co_await fetch_elsewhere(facts);
  // Of a copy that may have a log of its own places say nothing.
  co_return end.known() && facts.inspected >= end && hosted_.passive->state().deposed == storage::Deposed::no;
}

Task<Result<void>> Handover::take_up(std::shared_ptr<Handover> handover, Epoch epoch, Position end, bool waits) {
  co_await handover->take_prepared(epoch, end, waits);
  co_return Result<void>();
}

Task<void> Handover::take_prepared(Epoch epoch, Position end, bool waits) {
  if (hosted_.handing_over || hosted_.activating || !prepared_for(epoch)) co_return;
  const Activating patient(hosted_);
  const std::string before = hosted_.role.active;
  const PassiveCopy& passive = *hosted_.passive;
  const Instant limit = context_.clock.now() + serve_limit;
  while (prepared_for(epoch) && !passive.settled() && context_.clock.now() < limit) co_await context_.clock.sleep(look_again);
  const storage::CopyState& state = passive.state();
  const auto able = [&] { return prepared_for(epoch) && passive.opened() && state.seeded && state.damaged_pages == 0; };
  if (!able() || !passive.settled()) co_return;  // a copy that cannot serve is found by a person as it says it is
  bool whole = state.prepared_whole || state.cut.known();  // what came behind that place a person gave up
  if (!whole && !end.known() && waits) co_return;
  if (!whole) whole = co_await fetch_rest(before, epoch, end);
  if (!able()) co_return;
  tell("activation_taken_up", {{"epoch", std::to_string(epoch)}, {"before", before}, {"log_end", to_text(passive.end_of_received())}, {"whole", whole ? "true" : "false"}});
  Role role{epoch, context_.config.node, !whole};
  static_cast<void>(roles_.want(hosted_, std::move(role)));
}

nlohmann::json Handover::fetched_json() const {
  nlohmann::json told = nlohmann::json::array();
  for (const auto& [node, bytes] : fetched_) told.push_back({{"node", node}, {"bytes", bytes}});
  return told;
}

}  // namespace ccr::engine
