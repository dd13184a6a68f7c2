// How far: the only words for it. A position is a byte offset in a numbered generation; positions order lexicographically.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace ccr {

// The number of a log file; the first is 1, 0 means 'none'.
struct Generation {
  std::uint64_t number = 0;

  constexpr Generation next() const noexcept { return {number + 1}; }
  constexpr Generation previous() const noexcept { return {number - 1}; }
  constexpr auto operator<=>(const Generation&) const = default;
};

// Canonical form: a position is the place where the next record would start. Behind a seal that is (next generation, first_offset),
// even when that generation's header is not written yet, so equal progress is equal bytes on every node.
struct Position {
  Generation generation;
  std::uint64_t offset = 0;

  static constexpr std::uint64_t first_offset = 4096;  // behind the header block
  static constexpr Position start_of(Generation generation) noexcept { return {generation, first_offset}; }
  constexpr bool known() const noexcept { return generation.number != 0; }
  constexpr auto operator<=>(const Position&) const = default;
};

struct ByteCount {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const ByteCount&) const = default;
};

// Bytes of log between two positions when every generation is `generation_bytes` long; an estimate where some were sealed early.
constexpr ByteCount distance(Position from, Position to, std::uint64_t generation_bytes) noexcept {
  if (to <= from) return {0};
  const std::uint64_t whole = (to.generation.number - from.generation.number) * generation_bytes;
  return {whole + to.offset > from.offset ? whole + to.offset - from.offset : 0};
}

using CommitNumber = std::uint64_t;  // 1 for the first record of a signature, +1 for each record; 0: none
using PageNumber = std::uint32_t;    // the first page is 1, as in SQLite
using Epoch = std::uint64_t;

inline std::string to_text(Generation generation) { return to_hex(generation.number); }
inline std::string to_text(Position position) { return to_hex(position.generation.number) + "+" + std::to_string(position.offset); }

}  // namespace ccr
