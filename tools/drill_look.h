// DrillLook is what a drill sees of a copy at one moment. Read from status; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/position.h"

namespace ccr::tools {

// A passive copy at one moment, as its node's status tells it; what is not known is empty.
struct DrillLook {
  double at_seconds = 0;  // since the drill began
  std::string state, cause;
  std::string root;  // that both nodes had at root_at
  Position root_at, generated, durable;
  std::optional<CommitNumber> commit;  // replayed
  std::optional<double> lag_seconds;   // of the log, also while pages come
  bool seeding = false;
  std::uint64_t done_bytes = 0, total_bytes = 0, wire_bytes = 0, logical_bytes = 0, extents_sent = 0, extents_equal = 0;
  std::optional<std::uint64_t> cuts, extents_again;
  bool healthy() const { return state == "healthy"; }
  // Bytes of log that the active node has and this one has not; nullopt where either end is not known.
  std::optional<std::uint64_t> log_behind(std::uint64_t generation_bytes) const;
};
DrillLook look_of(const nlohmann::json& copy, double at_seconds);
Position look_position(const nlohmann::json& position);  // of {"generation":9,"offset":9}; unknown for anything else
Position position_of_text(const std::string& text);               // of "1a3f2+8192", or "1a3f2" for its start

}  // namespace ccr::tools
