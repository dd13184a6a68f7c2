#include "tests/sim/sim_world.h"

#include <algorithm>
#include <cstring>

#include "base/digest.h"

namespace ccr::sim {
namespace {

// asio then takes no locks: nothing but this thread ever touches the context.
constexpr int single_thread = ASIO_CONCURRENCY_HINT_UNSAFE;
// Below this many cancelled entries a sweep of the heap costs more than it saves.
constexpr std::size_t cancelled_min = 4096;

}  // namespace

const char* name_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::process_kill:
      return "process_kill";
    case Fault::power_cut:
      return "power_cut";
    case Fault::pause:
      return "pause";
    case Fault::wall_jump:
      return "wall_jump";
    case Fault::disk_read_error:
      return "disk_read_error";
    case Fault::disk_write_error:
      return "disk_write_error";
    case Fault::disk_sync_error:
      return "disk_sync_error";
    case Fault::disk_other_error:
      return "disk_other_error";
    case Fault::disk_full:
      return "disk_full";
    case Fault::disk_read_only:
      return "disk_read_only";
    case Fault::no_descriptors:
      return "no_descriptors";
    case Fault::disk_stall:
      return "disk_stall";
    case Fault::disk_rot:
      return "disk_rot";
    case Fault::disk_lost_write:
      return "disk_lost_write";
    case Fault::disk_misdirected_write:
      return "disk_misdirected_write";
    case Fault::connection_cut:
      return "connection_cut";
    case Fault::half_open:
      return "half_open";
    case Fault::link_stall:
      return "link_stall";
    case Fault::partition:
      return "partition";
    case Fault::bit_flip:
      return "bit_flip";
    case Fault::network_error:
      return "network_error";
    case Fault::count:
      break;
  }
  return "none";
}

World::World(std::uint64_t seed, WorldOptions options)
    : context_(single_thread), work_(context_.get_executor()), options_(options), seed_(seed), now_(options.start) {}

World::~World() { CCR_ASSERT(waits_ == 0); }

Random World::random(std::string_view purpose) const { return Random(digest64(as_bytes(purpose), seed_)); }

EventId World::at(Instant when, const char* name, Action action) {
  CCR_ASSERT(name != nullptr);
  CCR_ASSERT(action != nullptr);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  const EventId event{slot, ++sequence_};
  slots_[slot].sequence = event.sequence;
  slots_[slot].name = name;
  slots_[slot].action = std::move(action);
  heap_.push_back({std::max(when, now_), event.sequence, slot});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  return event;
}

void World::release(std::uint32_t slot) {
  slots_[slot].sequence = 0;
  slots_[slot].action = nullptr;
  free_slots_.push_back(slot);
}

void World::cancel(EventId event) {
  if (event.sequence == 0 || slots_[event.slot].sequence != event.sequence) return;
  release(event.slot);
  ++cancelled_;
  if (cancelled_ > cancelled_min && cancelled_ > heap_.size() / 2) forget_cancelled();
}

// Timeouts are mostly cancelled long before they are due; without this the heap would hold all of them.
void World::forget_cancelled() {
  auto is_stale = [this](const Due& due) { return stale(due); };
  heap_.erase(std::remove_if(heap_.begin(), heap_.end(), is_stale), heap_.end());
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  cancelled_ = 0;
}

const World::Due* World::next_due() {
  while (!heap_.empty() && stale(heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
    if (cancelled_ > 0) --cancelled_;
  }
  return heap_.empty() ? nullptr : &heap_.front();
}

void World::fire(const Due& due) {
  CCR_ASSERT(due.when >= now_);
  now_ = due.when;
  const std::uint32_t slot = due.slot;
  const char* name = slots_[slot].name;
  const Action action = std::move(slots_[slot].action);
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
  heap_.pop_back();
  release(slot);
  ++events_;
  note(name);
  action();
}

void World::settle() {
  CCR_ASSERT(!settling_);
  settling_ = true;
  std::uint64_t turns = 0;
  while (context_.poll_one() > 0) CCR_ASSERT(++turns < options_.turns_max);
  settling_ = false;
}

bool World::step() {
  settle();
  const Due* due = next_due();
  if (due == nullptr) return false;
  fire(*due);
  settle();
  return true;
}

Ended World::run_until(Instant when) {
  settle();
  for (;;) {
    if (events_ >= options_.events_max) return Ended::events;
    const Due* due = next_due();
    if (due == nullptr || due->when > when) break;
    fire(*due);
    settle();
  }
  now_ = std::max(now_, when);
  return Ended::time;
}

Ended World::run_until(const std::function<bool()>& predicate, Duration limit) {
  const Instant end = now_ + limit;
  settle();
  while (!predicate()) {
    if (events_ >= options_.events_max) return Ended::events;
    const Due* due = next_due();
    if (due == nullptr) return Ended::idle;
    if (due->when > end) {
      now_ = end;
      return Ended::time;
    }
    fire(*due);
    settle();
  }
  return Ended::reached;
}

void World::note(std::string_view name, std::uint64_t first, std::uint64_t second) {
  constexpr std::size_t name_max = 40;
  std::array<std::byte, 24 + name_max> record;
  const std::array<std::uint64_t, 3> numbers{static_cast<std::uint64_t>(now_.nanoseconds), first, second};
  std::memcpy(record.data(), numbers.data(), sizeof numbers);
  const std::size_t length = std::min(name.size(), name_max);
  std::memcpy(record.data() + sizeof numbers, name.data(), length);
  trace_hash_ = digest64(ByteView(record).first(sizeof numbers + length), trace_hash_);
}

void World::count(Fault fault, std::uint64_t first, std::uint64_t second) {
  CCR_ASSERT(fault < Fault::count);
  ++faults_[static_cast<std::size_t>(fault)];
  note(name_of(fault), first, second);
}

std::uint64_t World::faults_fired() const noexcept {
  std::uint64_t sum = 0;
  for (const std::uint64_t fired : faults_) sum += fired;
  return sum;
}

}  // namespace ccr::sim
