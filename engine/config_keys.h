// The keys of the configuration's text, looked at before the TOML library reads it: pure.
//
// A key of n parts is n tables in one another, which the library frees by n calls in one another: some ten thousand end the process.
// It has a limit of its own for values in one another, 256, and none for keys.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ccr::engine {

inline constexpr std::size_t key_parts_max = 16;  // databases.orders.replay_lag.beta has four

// The line, from 1, of the first key of more than key_parts_max parts. Dots in strings and comments are none of a key; of a text that is no
// TOML nothing is said behind the place where it ceases to be.
std::optional<std::size_t> find_deep_key(std::string_view text) noexcept;

}  // namespace ccr::engine
