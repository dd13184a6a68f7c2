// Wait suspends one task until the world wakes it; Gate is the door through which all wake-ups of one seam of one node go.
//
// A Wait lives in the frame of the coroutine that waits. complete() wakes it once, also when it comes before the wait began; later
// calls do nothing. A stoppable wait throws as soon as its task is stopped; the other kind waits on, and throws after its wake-up
// (what storage/disk.h promises). The resumption is posted, never run inside complete().
//
// A closed gate keeps wake-ups back until it opens: a node whose gates are all closed is frozen (SIGSTOP, a paused machine) while
// its kernel, which is the rest of the seam, goes on. A severed gate wakes every wait, those to come at once, and stays so: the
// seam then tells its caller that it has died. Lifetime: the Gate outlives its Waits, the World both. Threads: one.
#pragma once

#include <memory>

#include "base/suspended_task.h"
#include "tests/sim/sim_world.h"

namespace ccr::sim {

class Wait;

class Gate {
 public:
  explicit Gate(World& world) : world_(world) {}
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void close() noexcept { closed_ = true; }
  void open();
  void sever();
  bool closed() const noexcept { return closed_; }
  bool severed() const noexcept { return severed_; }
  World& world() const noexcept { return world_; }

  void link(Wait& wait);  // by Wait only
  void unlink(Wait& wait);

 private:
  World& world_;
  Wait* first_ = nullptr;  // in the order in which they began
  Wait* last_ = nullptr;
  bool closed_ = false;
  bool severed_ = false;
};

class Wait {
 public:
  enum class Stop { at_once, afterwards };

  explicit Wait(Gate& gate);
  ~Wait();
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  void complete();
  bool completed() const noexcept { return completed_; }
  Task<void> until_completed(Stop stop);

  void gate_opened();     // by Gate only
  Wait* next = nullptr;  // the Gate's list
  Wait* previous = nullptr;

 private:
  void suspend(std::unique_ptr<SuspendedTask> task, asio::cancellation_slot slot, Stop stop);
  void stop();
  void wake();

  Gate& gate_;
  std::unique_ptr<SuspendedTask> suspended_;
  bool completed_ = false;
};

// Waits `duration` of the world's time behind the gate; returns early when the gate is severed, throws when the task is stopped.
Task<void> delay_for(Gate& gate, Duration duration, const char* name);

}  // namespace ccr::sim
