#include "storage/truncation.h"

#include <algorithm>
#include <iterator>

namespace ccr::storage {
namespace {

std::string name_of(const Pin& pin) { return pin.kind == Pin::Kind::seed ? "seed of " + pin.owner : pin.owner; }

// The lowest generation that may not go, for a given set of pins; an unknown position has generation 0 and so holds everything.
struct Holder {
  Generation generation;
  std::string name;
};

Holder holder_of(const TruncationFacts& facts, const std::vector<Pin>& pins, const std::optional<Position>& retained) {
  Holder holder{facts.open, "open"};
  if (facts.replayed.generation < holder.generation) holder = {facts.replayed.generation, "replay"};
  for (const Pin& pin : pins) {
    if (!pin.dropped && pin.from.generation < holder.generation) holder = {pin.from.generation, name_of(pin)};
  }
  if (retained && retained->generation < holder.generation) holder = {retained->generation, "retention"};
  return holder;
}

// The lowest generation that may not go whatever copies are dropped and the policy gives up.
Generation floor_without_copies(const TruncationFacts& facts) {
  std::vector<Pin> seeds;
  std::copy_if(facts.pins.begin(), facts.pins.end(), std::back_inserter(seeds),
               [](const Pin& pin) { return pin.kind != Pin::Kind::copy; });
  return holder_of(facts, seeds, std::nullopt).generation;
}

// Bytes of log left when everything below `below` is gone. Generations count alike: their length is configured.
std::uint64_t bytes_left(const TruncationFacts& facts, Generation below) {
  const std::uint64_t held = facts.open.number - facts.first.number + 1;
  const std::uint64_t gone = std::max(below, facts.first).number - facts.first.number;
  return facts.log_bytes - facts.log_bytes / held * gone;
}

std::vector<std::string> drops_needed(const TruncationFacts& facts) {
  std::vector<std::string> owners;
  if (facts.log_budget_bytes == 0 || facts.budget_stops) return owners;
  const Generation floor = floor_without_copies(facts);
  std::vector<Pin> pins = facts.pins;
  const auto holds_below = [&](const Pin& pin) {
    return pin.kind == Pin::Kind::copy && !pin.dropped && pin.from.generation < floor;
  };
  for (Holder holder = holder_of(facts, pins, std::nullopt); bytes_left(facts, holder.generation) > facts.log_budget_bytes;
       holder = holder_of(facts, pins, std::nullopt)) {
    const auto furthest = std::min_element(pins.begin(), pins.end(), [&](const Pin& a, const Pin& b) {
      if (holds_below(a) != holds_below(b)) return holds_below(a);
      return a.from < b.from;
    });
    if (furthest == pins.end() || !holds_below(*furthest)) break;
    furthest->dropped = true;
    owners.push_back(furthest->owner);
  }
  return owners;
}

// The lowest generation of which the budget has room for all that follows it.
Generation budget_floor(const TruncationFacts& facts) {
  Generation floor = facts.first;
  const std::uint64_t each = facts.log_bytes / (facts.open.number - facts.first.number + 1);
  const std::uint64_t room = each == 0 ? facts.open.number : facts.log_budget_bytes / each;
  if (room <= facts.open.number) floor = {facts.open.number + 1 - room};
  return std::clamp(floor, facts.first, facts.open);
}

// What the policy has to give up: only what nobody else holds, or nothing would come of it.
Generation given_up(const TruncationFacts& facts) {
  if (!facts.retained || facts.log_budget_bytes == 0 || facts.budget_stops) return {};
  const Generation others = holder_of(facts, facts.pins, std::nullopt).generation;
  const Generation to = std::min(budget_floor(facts), others);
  return to > std::max(facts.retained->generation, facts.first) ? to : Generation{};
}

// Whether another generation would be more than the budget. The newest sealed generation stays whatever may go.
bool is_full(const TruncationFacts& facts, Generation below) {
  if (!facts.budget_stops || facts.log_budget_bytes == 0) return false;
  const std::uint64_t each = facts.log_bytes / (facts.open.number - facts.first.number + 1);
  return bytes_left(facts, std::min(below, facts.open.previous())) + each > facts.log_budget_bytes;
}

}  // namespace

TruncationVerdict decide_truncation(const TruncationFacts& facts) {
  if (facts.first.number == 0) return {facts.first, "open", {}};
  CCR_ASSERT(facts.first <= facts.open);
  const Holder holder = holder_of(facts, facts.pins, facts.retained);
  const Generation below = std::max(holder.generation, facts.first);
  CCR_ASSERT(below <= facts.open);
  return {below, holder.name, drops_needed(facts), given_up(facts), is_full(facts, below)};
}

std::vector<Hold> holds_on(const TruncationFacts& facts, Generation generation) {
  std::vector<Hold> holds;
  if (facts.first.number == 0 || generation < facts.first || generation > facts.open) return holds;
  if (generation == facts.open) holds.push_back({"open", Position::start_of(facts.open)});
  if (facts.replayed.generation <= generation) holds.push_back({"replay", facts.replayed});
  for (const Pin& pin : facts.pins)
    if (!pin.dropped && pin.from.generation <= generation) holds.push_back({name_of(pin), pin.from});
  if (facts.retained && facts.retained->generation <= generation) holds.push_back({"retention", *facts.retained});
  return holds;
}

}  // namespace ccr::storage
