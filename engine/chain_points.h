// What two nodes compare when they meet: digests of the newest generations, of the open one up to where it is durable.
#pragma once

#include <optional>
#include <vector>

#include "storage/incoming_log.h"
#include "transport/messages.h"

namespace ccr::engine {

inline constexpr int sealed_points_max = 4;

// Of a passive copy: the open prefix, then up to sealed_points_max sealed generations, newest first.
Task<Result<std::vector<transport::ChainPoint>>> points_of(storage::Disk& disk, storage::LogDirectory log, const storage::IncomingLog& incoming);

// The active side's digests for the points a copy named: nullopt where the bytes are not here (truncated, or beyond `durable`).
Task<Result<std::vector<std::optional<Digest128>>>> own_digests(storage::Disk& disk, storage::LogDirectory log, Position durable,
                                                                std::vector<transport::ChainPoint> points);

// What of the log here is not proven to be part of the active's too, and so goes to quarantine/ when a pass begins with another log: from which
// generation on. nullopt: nothing, all of it is a prefix. Where the active has dropped what would prove it, only what lies at or beyond
// `pass_from` can be anything of its own. `hello` is what was sent, `welcome` the verdict on it. Pure.
std::optional<Generation> not_proven_from(const transport::Hello& hello, const transport::Welcome& welcome, Generation pass_from);

}  // namespace ccr::engine
