// ScrubCommands answers `ccr scrub` for Commands: a whole pass of this node's copy, active or passive, now.
//
// The pass is the copy's own and goes on when the client leaves; the same command attaches to it again. Errors: as of Commands; busy where
// the copy's pages rest, or came to rest meanwhile; corrupt where a page was lost, and with it the copy.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/control.h"
#include "engine/node.h"

namespace ccr::engine {

class ScrubCommands {
 public:
  ScrubCommands(Node& node, NodeContext& context) : node_(node), context_(context) {}

  // `hosted` is the database that the request names.
  Task<Result<nlohmann::json>> scrub(Hosted& hosted, const ControlRequest& request, ControlReply& reply);

 private:
  Task<Result<void>> watch(Hosted& hosted, std::uint64_t number, ControlReply& reply);
  Error resting(const Hosted& hosted) const;

  Node& node_;
  NodeContext& context_;
};

}  // namespace ccr::engine
