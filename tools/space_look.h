// How much room is left in directories, asked of each at the same time and of none for longer than look_max: a file system whose disk hangs answers nobody, and
// who asks it cannot be interrupted, so a process of its own does.
//
// Those that did not answer in time, or failed, are not in the answer. A process that still waits ends when its disk goes on, or with a kill that it was sent.
// Blocking. Bounds: look_max; a process for each directory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace ccr::tools {

inline constexpr Duration look_max = std::chrono::seconds(2);

std::map<std::string, std::uint64_t> free_bytes_of(const std::vector<std::string>& directories);

}  // namespace ccr::tools
