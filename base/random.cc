#include "base/random.h"

#include <sys/random.h>

namespace ccr {

std::uint64_t seed_of_the_machine() {
  std::uint64_t seed = 0;
  CCR_ASSERT(getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

}  // namespace ccr
