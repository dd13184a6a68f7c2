// Whether a passive copy may become the active one without the consent of the one before, and what that loses. Pure.
//
//   facts                                                    | verdict
//   ---------------------------------------------------------+------------------------------------------------
//   never seeded, or being seeded, or without log            | never
//   damaged pages                                            | never: seed or verify it first
//   failed for good                                          | force
//   the active node answers, and its copy serves             | force; `ccr move` loses nothing
//   another passive copy, a whole one, has log that this one | force; better that one
//   lacks and cannot fetch                                   |
//   it answers, and the end of its log is known              | as many generations as the dial allows may be missing
//   it does not answer, or does not know where its log ended | unknown since the tip was heard last: force
//
// The dial counts generations of which something is missing: lossless 0, good 6, best 12.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/position.h"

namespace ccr::engine {

enum class Dial { lossless, good, best, force };
std::optional<Dial> dial_of(const std::string& name) noexcept;
const char* name_of(Dial dial) noexcept;
std::uint64_t generations_allowed(Dial dial) noexcept;  // of force: all

struct ActivationFacts {
  bool seeded = false, failed = false;
  std::uint64_t damaged_pages = 0;
  Position inspected;               // of the copy
  CommitNumber replayed_commit = 0;
  bool replayed_all = false;        // its replay queue is empty
  bool answers = false, serves = false;  // the active node
  Position end;                     // of the active's log, by its own word; generation 0: not known
  CommitNumber end_commit = 0;
  Position tip;                     // of the active, as heard last, and when
  WallTime tip_heard;
  std::uint64_t generation_bytes = 0;
  std::string further;              // a passive copy that has more of the log, which could not be fetched, and to where; empty: none is known
  Position further_end;
  bool further_whole = false;       // it could be activated itself
  bool until = false;               // as of a point in time: `inspected` is the cut, and what is missing is given up on purpose
};

struct ActivationVerdict {
  bool allowed = false;
  std::string reason, hint;                    // why not
  bool known = false;                          // what is missing; else it is unknown since tip_heard
  std::uint64_t generations = 0, bytes = 0;    // missing; where it is not known, at least
  std::optional<std::uint64_t> commits;
};

std::uint64_t generations_between(Position from, Position to) noexcept;  // of which something lies between the two

ActivationVerdict decide_activation(const ActivationFacts& facts, Dial dial);

}  // namespace ccr::engine
