// A sweep breaks something at each point of a story: each operation of a disk, each moment. swept() tells whether a point is to be played.
//
// All are, unless CCR_SWEEP=N asks for one in N of them, for those who have less time (tools/test). Which ones is no pattern of their numbers, and CCR_SWEEP_DAY
// chooses others each day. A failure names its point; with the same two variables, or with none, it is played again.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace ccr {

inline std::uint64_t number_in_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// 1: every point is played.
inline std::uint64_t swept_one_in() {
  static const std::uint64_t one_in = number_in_environment("CCR_SWEEP", 1);
  return one_in == 0 ? 1 : one_in;
}

inline bool swept(std::uint64_t point) {
  static const std::uint64_t day = number_in_environment("CCR_SWEEP_DAY", 0);
  std::uint64_t mixed = (point + 1) * 0x9e3779b97f4a7c15;  // of neighbours nothing alike is left
  mixed ^= mixed >> 32;
  return (mixed + day) % swept_one_in() == 0;
}

}  // namespace ccr
