// The heartbeats of one path: a connection of its own to one address of a peer, which carries a few bytes back and forth.
//
// watch_path() dials for as long as it is not stopped, and tells the PathTable of each heartbeat that comes back and of each loss: no later
// than heartbeat.missed intervals after the last. serve_path() is its other end: it answers until the peer is silent or gone. Both are the
// Pulse on which the log connections of that path rest.
#pragma once

#include <string>

#include "engine/node_context.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

Task<Result<void>> watch_path(NodeContext& context, std::string peer, transport::Endpoint address);
Task<Result<void>> serve_path(NodeContext& context, transport::FramedConnection& connection, transport::Hello hello);

}  // namespace ccr::engine
