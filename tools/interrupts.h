// Interrupts turns SIGINT and SIGTERM into something that a blocking command can poll for, so that Ctrl-C detaches instead of
// killing.
//
// From construction to destruction the two signals are blocked for the thread and readable at descriptor(). Threads: the one that
// made it.
#pragma once

#include <csignal>

namespace ccr::tools {

// `descriptor`: of Interrupts, or -1 where nothing interrupts. true: one came; false: none within that time.
bool interrupted_within(int descriptor, int milliseconds);

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  bool wait(int milliseconds) const { return interrupted_within(descriptor_, milliseconds); }

 private:
  sigset_t before_{};
  int descriptor_;
};

}  // namespace ccr::tools
