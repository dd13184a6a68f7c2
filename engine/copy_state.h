// The states of a copy: one enum, one table of legal transitions, one function that changes the state, one event per change.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/trace.h"

namespace ccr::engine {

enum class State : std::uint8_t {
  mounted,               // active: serves
  dismounted,            // active: does not serve; cause says why
  needs_seed,            // passive: its pages are nothing yet
  initializing,          // starting, or connected for the first time and not compared yet
  seeding,               // pages come from the source
  resynchronizing,       // connected; histories are being brought together, or the first backlog is shipped
  healthy,               // connected, log flows
  suspended,             // by a person
  disconnected,          // no contact with the active
  failed,                // retried by itself
  failed_and_suspended,  // needs a person
};
inline constexpr std::size_t state_count = 11;

std::string_view name_of(State state) noexcept;         // needs_seed: JSON
std::string_view title_of(State state) noexcept;        // NeedsSeed: text
std::optional<State> state_of(std::string_view name) noexcept;
bool may_follow(State from, State to) noexcept;         // the table
bool may_be(State state, bool active) noexcept;         // whether a copy of that role has the state

// Where a copy stands; the only way to change it is enter().
class CopyStanding {
 public:
  CopyStanding(std::string subject, State state, Clock& clock, Trace& trace);

  // Legal by the table, or a broken invariant. Entering the state it is in with the same cause changes nothing and records nothing.
  void enter(State next, std::string cause, std::string hint = "");
  State state() const noexcept { return state_; }
  const std::string& cause() const noexcept { return cause_; }
  const std::string& hint() const noexcept { return hint_; }
  WallTime since() const noexcept { return since_; }
  std::uint64_t changes() const noexcept { return changes_; }  // grows with each change
  void told_more() noexcept { ++changes_; }  // about the copy, in the same state: its peer wants to know
  void restore_since(WallTime since) noexcept { since_ = since; }  // a suspension that survived a restart

 private:
  std::string subject_;
  State state_;
  std::string cause_, hint_;
  WallTime since_;
  std::uint64_t changes_ = 0;
  Clock& clock_;
  Trace& trace_;
};

}  // namespace ccr::engine
