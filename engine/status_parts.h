// The pieces of one copy's status. Each puts what is known; blank_copy() has every field of the contract as null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/config.h"
#include "engine/copy_state.h"
#include "engine/copy_table.h"
#include "engine/replay_delay.h"
#include "storage/state_file.h"
#include "transport/messages.h"
#include "transport/network.h"

namespace ccr::engine {

nlohmann::json position_json(Position position);  // null when not known
nlohmann::json rate_limit_json(std::uint64_t bytes_per_second_max);  // null where there is none
nlohmann::json blank_copy(const std::string& node, const char* role);
void put_standing(nlohmann::json& copy, const CopyStanding& standing);
void put_watermarks(nlohmann::json& copy, const transport::Watermarks& marks);
// Of a copy that has one: a delayed copy's replay queue is no trouble up to it (engine/replay_delay.h).
struct LagShown {
  Lags lags;
  std::optional<std::uint64_t> commits;   // held; nullopt: not known
  std::optional<Duration> due_in;         // until more of it is replayed
  bool rests = false;                     // it is not, because a person decides as of when the copy becomes the active one
};
void put_lag(nlohmann::json& copy, const LagShown& shown);
// Nothing is in the replay queue, or nothing but what its lag holds back.
bool replay_queue_in_order(const nlohmann::json& copy);
void put_queues(nlohmann::json& copy, Position generated, Position inspected, Position replayed, std::uint64_t generation_bytes);
// Of log, since the node started. `packing`: how it goes now, where this node decides that.
void put_shipped(nlohmann::json& copy, std::uint64_t logical_bytes, std::uint64_t wire_bytes, const PackingFacts* packing);
// `every` 0: off. `waiting`: why a rotten page is not repaired yet; empty: none waits.
struct ScrubShown {
  storage::ScrubProgress progress;
  std::optional<std::uint64_t> page_count;
  std::uint32_t page_size = 0;
  bool asked = false;
  std::string waiting;
};
void put_scrub(nlohmann::json& copy, const ScrubShown& scrub, Duration every, WallTime now);
// What log this node keeps beside what copies need (engine/retention.h), and the newest backup it knows of. `came`: as there.
void put_retention(nlohmann::json& copy, const Retention& retention, const storage::CopyState& state, Position came);
void put_connection(nlohmann::json& copy, const transport::Endpoint& path, const transport::ConnectionFacts& facts);

}  // namespace ccr::engine
