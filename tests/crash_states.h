// How many crash states the tests of this program opened: what a power cut left on one of their disks, for the code under test to start from.
// Told once, at the program's end, for tests/reached.py.
#pragma once

#include <cstdint>
#include <cstdio>

namespace ccr {

struct CrashStates {
  std::uint64_t opened = 0;
  ~CrashStates() {
    if (opened > 0) std::printf("crash states opened: %llu\n", static_cast<unsigned long long>(opened));
  }
};
inline CrashStates crash_states;

}  // namespace ccr
