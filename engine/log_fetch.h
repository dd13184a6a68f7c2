// How log comes from a copy that is not active to one that is about to be: a connection of purpose fetch.
//
// While an active copy serves, its Shipper sends its log to whoever follows. This is for the log of one that gave up, or is gone: what another copy still has of
// it, from what the asker has on, to the end that the Welcome named. That both are one history the handshake has proven by their chain, as ever; each block is
// verified on both sides, and a seal proves its generation.
// serve_log() completes when the asker has all, or is gone; receive_log() when all is durable and inspected in `log`. Failure of either: that of the
// connection, of its disk, or timeout where the other end did nothing for fetch_silence_max; what came before is kept. Lifetime: all arguments outlive the task.
// Threads: the node's executor. Bounds: one piece of fetch_piece_bytes_max at either end, fetch_unsynced_bytes_max that are not synced.
#pragma once

#include <functional>

#include "engine/node_context.h"
#include "storage/incoming_log.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

inline constexpr Duration fetch_silence_max = std::chrono::seconds(20);
inline constexpr std::size_t fetch_piece_bytes_max = 256 * KiB;
inline constexpr std::size_t fetch_unsynced_bytes_max = 4 * MiB;

// What a copy can give: to `end`, which is durable and inspected there.
struct LogHeld {
  storage::LogDirectory directory;
  Position end;
};

Task<Result<void>> serve_log(NodeContext& context, transport::FramedConnection& connection, LogHeld held, Position wanted);
// `grew`: after each sync.
Task<Result<void>> receive_log(NodeContext& context, transport::FramedConnection& connection, storage::IncomingLog& log, Position end,
                               std::function<void()> grew);

}  // namespace ccr::engine
