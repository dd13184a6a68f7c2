#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace ccr {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "ccr: broken invariant: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace ccr
