// World owns time, chance and order of one simulated run: one seed, one history.
//
// Everything that runs lives on executor(). Between two events the world polls that executor until nothing is ready ('settles'),
// while virtual time stands still; then it takes the next due event, moves time there and calls it. Events of one instant fire in
// the order in which they were made. Event functions run outside the executor, so they may do what a task may not: kill a node,
// settle the world.
//
// Determinism: random(purpose) gives a stream that depends on the seed and the purpose only, so a new user of chance does not shift
// the others. trace_hash() is a running XXH3 over (time, name, numbers) of every event and note.
// Bounds: events_max of a whole run, turns_max executor turns while time stands still (more is a livelock, and stops the process).
// Threads: one. Lifetime: outlives all that it runs; tasks must have ended before it is destroyed.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "base/clock.h"
#include "base/random.h"

namespace ccr::sim {

// Every kind of fault that the simulated seams can do; each firing is counted.
enum class Fault {
  process_kill,
  power_cut,
  pause,
  wall_jump,
  disk_read_error,
  disk_write_error,
  disk_sync_error,
  disk_other_error,
  disk_full,
  disk_read_only,
  no_descriptors,
  disk_stall,
  disk_rot,
  disk_lost_write,
  disk_misdirected_write,
  connection_cut,
  half_open,
  link_stall,
  partition,
  bit_flip,
  network_error,  // by plan
  count,  // the number of kinds, itself none
};
const char* name_of(Fault fault) noexcept;

struct EventId {
  std::uint32_t slot = 0;
  std::uint64_t sequence = 0;  // 0: none
};

struct WorldOptions {
  std::uint64_t events_max = 1'000'000'000;
  std::uint64_t turns_max = 10'000'000;             // a whole node starts and stops in thousands
  Instant start{std::int64_t(10) * 1'000'000'000};  // not 0, so that 'never' and 'at the start' differ
};

// Why a run_… call came back.
enum class Ended { reached, time, idle, events };

class World {
 public:
  using Action = std::function<void()>;

  explicit World(std::uint64_t seed, WorldOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Executor executor() { return context_.get_executor(); }
  asio::io_context& context() { return context_; }
  Instant now() const noexcept { return now_; }
  std::uint64_t seed() const noexcept { return seed_; }
  Random random(std::string_view purpose) const;

  // `name` is a literal that outlives the event; it enters the trace when the event fires.
  EventId at(Instant when, const char* name, Action action);
  EventId after(Duration delay, const char* name, Action action) { return at(now_ + delay, name, std::move(action)); }
  void cancel(EventId event);  // no effect when it fired or was cancelled

  void settle();                  // runs what is ready; time stands still
  bool step();                    // settles, fires the next event, settles; false when there is none
  Ended run_until(Instant when);  // time, or events when the bound was met
  Ended run_for(Duration duration) { return run_until(now_ + duration); }
  // Tests the predicate when settled, after every event. reached, or why not within `limit`.
  Ended run_until(const std::function<bool()>& predicate, Duration limit);

  void note(std::string_view name, std::uint64_t first = 0, std::uint64_t second = 0);
  void count(Fault fault, std::uint64_t first = 0, std::uint64_t second = 0);
  std::uint64_t fired(Fault fault) const noexcept { return faults_[static_cast<std::size_t>(fault)]; }
  std::uint64_t faults_fired() const noexcept;
  std::uint64_t events() const noexcept { return events_; }
  std::uint64_t trace_hash() const noexcept { return trace_hash_; }

  // Used by Wait: tasks that sleep on this world, for the check at its end.
  void wait_began() noexcept { ++waits_; }
  void wait_ended() noexcept { --waits_; }

 private:
  struct Due {
    Instant when;
    std::uint64_t sequence;
    std::uint32_t slot;
    bool operator>(const Due& other) const noexcept { return std::tie(when, sequence) > std::tie(other.when, other.sequence); }
  };
  struct Slot {
    std::uint64_t sequence = 0;  // 0: free
    const char* name = nullptr;
    Action action;
  };

  bool stale(const Due& due) const { return slots_[due.slot].sequence != due.sequence; }
  const Due* next_due();
  void fire(const Due& due);
  void release(std::uint32_t slot);
  void forget_cancelled();

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  WorldOptions options_;
  std::uint64_t seed_;
  Instant now_;
  std::vector<Due> heap_;  // the earliest first; holds cancelled ones until they surface
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t cancelled_ = 0;  // entries of heap_ whose slot has gone
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t trace_hash_ = 0;
  std::uint64_t waits_ = 0;
  bool settling_ = false;
  std::array<std::uint64_t, static_cast<std::size_t>(Fault::count)> faults_{};
};

namespace world_detail {
template <class T>
Task<void> keep(Task<T> task, std::optional<T>& outcome) {
  outcome.emplace(co_await std::move(task));
}
}  // namespace world_detail

// Begins one task, which leaves its value in `outcome`; that outlives it.
template <class T>
void begin(World& world, Task<T> task, std::optional<T>& outcome) {
  const auto on_end = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  };
  asio::co_spawn(world.context(), world_detail::keep(std::move(task), outcome), on_end);
}

// Runs one task in virtual time to its end and returns its value; not ending within `limit` is a broken test.
template <class T>
T complete(World& world, Task<T> task, Duration limit = std::chrono::hours(1)) {
  std::optional<T> outcome;
  begin(world, std::move(task), outcome);
  auto has_ended = [&outcome] { return outcome.has_value(); };
  const Ended why = world.run_until(has_ended, limit);
  CCR_ASSERT(why == Ended::reached);
  return std::move(*outcome);
}

}  // namespace ccr::sim
