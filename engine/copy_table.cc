#include "engine/copy_table.h"

#include <algorithm>

namespace ccr::engine {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

WallTime last_heard(const CopyFacts& copy) {
  if (copy.pulse == nullptr || !copy.watermarks.at_rest) return copy.heard_at;
  return std::max(copy.heard_at, copy.pulse->last_wall());
}

CopyTable::CopyTable(Clock& clock, std::vector<std::string> nodes) : clock_(clock) {
  for (const std::string& node : nodes) copies_.emplace(node, CopyFacts{});
}

CopyFacts& CopyTable::of(const std::string& node) {
  const auto found = copies_.find(node);
  CCR_ASSERT(found != copies_.end());
  return found->second;
}

void CopyTable::add(const std::string& node) {
  CopyFacts& copy = copies_[node];
  const std::uint64_t number = copy.connection_number;  // a connection of before is none of the last
  copy = {};
  copy.connection_number = number + 1;
}

void CopyTable::forget(const std::string& node) {
  if (copies_.contains(node)) add(node);
}

void CopyTable::durable_here(Position position) { durable_times_.reached(position, clock_.now()); }

std::uint64_t CopyTable::connected(const std::string& node) {
  CopyFacts& copy = of(node);
  copy.connected = true;
  copy.lag_seconds.reset();
  copy.sampled_from = clock_.now();
  copy.watermarks.at_rest = false;  // the last connection's word
  return ++copy.connection_number;
}

void CopyTable::heard(const std::string& node, const transport::Watermarks& watermarks) {
  CopyFacts& copy = of(node);
  const Position before = copy.watermarks.durable;
  if (!copy.heard || copy.watermarks.state != watermarks.state) copy.state_since = clock_.wall_now();
  copy.watermarks = watermarks;
  copy.heard = true;
  copy.heard_at = clock_.wall_now();
  // The newest position that this acknowledgement covers and the one before did not is the sample.
  if (!before.known() || watermarks.durable < before) {
    copy.lag_seconds.reset();
    copy.sampled_from = clock_.now();
  }
  const std::optional<Instant> at = durable_times_.last_in(before, watermarks.durable);
  if (at && *at >= copy.sampled_from) copy.lag_seconds = seconds(clock_.now() - *at);
}

void CopyTable::shipped(const std::string& node, std::uint64_t log_bytes, std::uint64_t wire_bytes) {
  constexpr Duration window = std::chrono::seconds(1);
  CopyFacts& copy = of(node);
  copy.shipped_bytes += log_bytes;
  copy.wire_bytes += wire_bytes;
  Rate& rate = rates_[node];
  const Instant now = clock_.now();
  rate.bytes += log_bytes;
  const Duration passed = now - rate.since;
  if (passed < window) return;
  copy.bytes_per_second = static_cast<double>(rate.bytes) / seconds(passed);
  rate = {now, 0};
}

std::optional<double> CopyTable::lag_of(const std::string& node) const {
  const auto found = copies_.find(node);
  if (found == copies_.end() || !found->second.connected || !found->second.watermarks.inspected.known()) return std::nullopt;
  const CopyFacts& copy = found->second;
  if (!copy.watermarks.root_equal_at.known()) return std::nullopt;  // no copy yet, or no more
  const std::optional<Duration> waiting = durable_times_.waiting(copy.watermarks.durable, clock_.now());
  if (!waiting) return 0.0;
  return std::max(copy.lag_seconds.value_or(0.0), seconds(*waiting));
}

const storage::Pin* find_pin(const std::vector<storage::Pin>& pins, const std::string& node, storage::Pin::Kind kind) {
  for (const storage::Pin& pin : pins)
    if (pin.owner == node && pin.kind == kind) return &pin;
  return nullptr;
}

void move_copy_pin(std::vector<storage::Pin>& pins, const std::string& node, Position inspected) {
  if (!inspected.known()) return;
  for (storage::Pin& pin : pins) {
    if (pin.owner != node || pin.kind != storage::Pin::Kind::copy) continue;
    if (!pin.dropped) pin.from = std::max(pin.from, inspected);
    return;
  }
  pins.push_back({storage::Pin::Kind::copy, node, inspected, false});
}

std::vector<std::string> drop_foreign_pins(std::vector<storage::Pin>& pins, const std::vector<std::string>& copies) {
  std::vector<std::string> owners;
  const auto foreign = [&copies](const storage::Pin& pin) { return std::find(copies.begin(), copies.end(), pin.owner) == copies.end(); };
  for (const storage::Pin& pin : pins)
    if (foreign(pin) && std::find(owners.begin(), owners.end(), pin.owner) == owners.end()) owners.push_back(pin.owner);
  std::erase_if(pins, foreign);
  return owners;
}

void set_seed_pin(std::vector<storage::Pin>& pins, const std::string& node, Position from) {
  remove_pin(pins, node, storage::Pin::Kind::seed);
  pins.push_back({storage::Pin::Kind::seed, node, from, false});
}

void remove_pin(std::vector<storage::Pin>& pins, const std::string& node, storage::Pin::Kind kind) {
  std::erase_if(pins, [&](const storage::Pin& pin) { return pin.owner == node && pin.kind == kind; });
}

}  // namespace ccr::engine
