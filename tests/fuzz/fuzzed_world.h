// The world of a fuzzer whose target waits: the simulator's, with one machine's clock, which begins at 0. A wait costs nothing, and a target that
// would hang stops the fuzzer at once (sim::complete).
#pragma once

#include <cstdio>

#include "tests/sim/sim_clock.h"

// A task is stopped by an exception, at each of which AddressSanitizer would walk its stand-in for the stack: a third of all time. Not inline: that
// would be as weak as the sanitizer's own. A fuzzer is one source.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0"; }

namespace ccr {

// Stops the fuzzer, with the words.
template <class T>
void must_be_ok(const Result<T>& result) {
  if (!result.ok()) std::fprintf(stderr, "%s: %s\n", name_of(result.error().kind), result.error().message.c_str());
  CCR_ASSERT(result.ok());
}

struct FuzzedWorld {
  sim::World world{1};
  const sim::ClockState boot{world.now(), {}, 0, {}};
  sim::SimClock clock{world, boot};
};

}  // namespace ccr
