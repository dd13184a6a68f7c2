#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace ccr {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "ccr: broken invariant: %s at %s:%d\n", expression, file, line);
  std::abort();
}

void out_of_memory() noexcept {
  std::fputs("ccr: out of memory: the system gives no more (free -m; MemoryMax= of the service, ulimit -v); what it was doing is recovered by the next start\n", stderr);
  std::abort();
}

}  // namespace ccr
