// HandoverCommands answers `ccr move` and `ccr activate` for Commands.
//
// The work goes on in the node when the client leaves. A move is carried out on the active node, whichever one is asked. Errors: as of Commands;
// refused with nothing changed where a safety rule says no; timeout where the other node does not serve in time, and may later.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/control.h"
#include "engine/handover.h"
#include "engine/node.h"

namespace ccr::engine {

class HandoverCommands {
 public:
  HandoverCommands(Node& node, NodeContext& context) : node_(node), context_(context) {}

  // `hosted` is the database that the request names.
  Task<Result<nlohmann::json>> move(Hosted& hosted, const ControlRequest& request, ControlReply& reply);
  Task<Result<nlohmann::json>> activate(Hosted& hosted, const ControlRequest& request, ControlReply& reply);

 private:
  Task<Result<nlohmann::json>> move_there(Hosted& hosted, std::string to);  // by the active node
  Task<Result<nlohmann::json>> watch(std::shared_ptr<Handover> handover, ControlReply& reply);
  Result<void> check_node(const Hosted& hosted, const std::string& option, const std::string& node) const;

  Node& node_;
  NodeContext& context_;
};

}  // namespace ccr::engine
