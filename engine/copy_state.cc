#include "engine/copy_state.h"

#include <utility>

namespace ccr::engine {
namespace {

struct StateNames {
  std::string_view name, title;
};

constexpr std::array<StateNames, state_count> names = {{
    {"mounted", "Mounted"},
    {"dismounted", "Dismounted"},
    {"needs_seed", "NeedsSeed"},
    {"initializing", "Initializing"},
    {"seeding", "Seeding"},
    {"resynchronizing", "Resynchronizing"},
    {"healthy", "Healthy"},
    {"suspended", "Suspended"},
    {"disconnected", "Disconnected"},
    {"failed", "Failed"},
    {"failed_and_suspended", "FailedAndSuspended"},
}};

constexpr unsigned bit(State state) { return 1u << static_cast<unsigned>(state); }

// Row: from. Every legal change of a copy's state; engine/README.md draws it.
constexpr std::array<unsigned, state_count> followers = [] {
  using enum State;
  std::array<unsigned, state_count> table{};
  const auto row = [&](State from) -> unsigned& { return table[static_cast<unsigned>(from)]; };
  row(mounted) = bit(dismounted) | bit(initializing);
  row(dismounted) = bit(initializing) | bit(mounted);
  row(needs_seed) = bit(initializing) | bit(seeding) | bit(suspended) | bit(failed) | bit(failed_and_suspended);
  row(initializing) = bit(mounted) | bit(dismounted) | bit(needs_seed) | bit(seeding) | bit(resynchronizing) | bit(suspended) |
                      bit(disconnected) | bit(failed) | bit(failed_and_suspended);
  row(seeding) = bit(initializing) | bit(needs_seed) | bit(resynchronizing) | bit(suspended) | bit(disconnected) | bit(failed) | bit(failed_and_suspended);
  row(resynchronizing) = bit(initializing) | bit(healthy) | bit(seeding) | bit(suspended) | bit(disconnected) | bit(failed) | bit(failed_and_suspended);
  row(healthy) = bit(initializing) | bit(resynchronizing) | bit(seeding) | bit(suspended) | bit(disconnected) | bit(failed) | bit(failed_and_suspended);
  row(suspended) = bit(needs_seed) | bit(initializing) | bit(seeding) | bit(failed) | bit(failed_and_suspended);
  row(disconnected) = bit(initializing) | bit(resynchronizing) | bit(seeding) | bit(needs_seed) | bit(suspended) | bit(failed) | bit(failed_and_suspended);
  row(failed) = bit(resynchronizing) | bit(seeding) | bit(needs_seed) | bit(suspended) | bit(disconnected) | bit(failed_and_suspended) |
                bit(initializing);
  row(failed_and_suspended) = bit(needs_seed) | bit(initializing) | bit(seeding) | bit(suspended) | bit(failed);
  return table;
}();

}  // namespace

std::string_view name_of(State state) noexcept { return names[static_cast<std::size_t>(state)].name; }
std::string_view title_of(State state) noexcept { return names[static_cast<std::size_t>(state)].title; }

std::optional<State> state_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i].name == name) return static_cast<State>(i);
  return std::nullopt;
}

bool may_be(State state, bool active) noexcept {
  if (state == State::initializing) return true;
  return (state == State::mounted || state == State::dismounted) == active;
}

bool may_follow(State from, State to) noexcept { return (followers[static_cast<std::size_t>(from)] & bit(to)) != 0; }

CopyStanding::CopyStanding(std::string subject, State state, Clock& clock, Trace& trace)
    : subject_(std::move(subject)), state_(state), since_(clock.wall_now()), clock_(clock), trace_(trace) {}

void CopyStanding::enter(State next, std::string cause, std::string hint) {
  if (next == state_ && cause == cause_) return;
  CCR_ASSERT(next == state_ || may_follow(state_, next));
  Event event{"state_changed", subject_, {{"from", std::string(name_of(state_))}, {"to", std::string(name_of(next))}, {"cause", cause}}};
  if (next != state_) since_ = clock_.wall_now();
  state_ = next;
  cause_ = std::move(cause);
  hint_ = std::move(hint);
  ++changes_;
  trace_.record(event);
}

}  // namespace ccr::engine
