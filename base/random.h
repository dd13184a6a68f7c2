// Random is an injected, seeded generator (SplitMix64, Steele and others 2014): the same seed gives the same numbers on every machine.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace ccr {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound > 0. The bias of the modulus is below 2^-32 for the bounds used here.
  std::uint64_t below(std::uint64_t bound) {
    CCR_ASSERT(bound > 0);
    return next() % bound;
  }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {  // inclusive
    CCR_ASSERT(low <= high);
    return low + below(high - low + 1);
  }
  bool chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }
  Random fork() noexcept { return Random(next()); }

 private:
  std::uint64_t state_;
};

// A seed from the operating system, for production; the simulator passes its own.
std::uint64_t seed_of_the_machine();

}  // namespace ccr
