// Commands answers what `ccr` asks of the running node over its control socket.
//
// What a command changes is durable before it is answered. Watching commands (wait, seed, verify, scrub, events) may be left at any time: the work
// goes on in the node, and the same command attaches to it again. Errors: usage, not_found (with 'did you mean'), unreachable (another node's copy), refused, busy, timeout.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/control.h"
#include "engine/node.h"

namespace ccr::engine {

class Commands {
 public:
  Commands(Node& node, NodeContext& context, EventLog& events) : node_(node), context_(context), events_(events) {}

  Task<Result<nlohmann::json>> run(ControlRequest request, ControlReply& reply);

 private:
  Task<Result<nlohmann::json>> wait(const ControlRequest& request);
  Task<Result<nlohmann::json>> why(const ControlRequest& request);
  Task<Result<nlohmann::json>> seed(const ControlRequest& request, ControlReply& reply);
  Task<Result<nlohmann::json>> suspend(const ControlRequest& request);
  Task<Result<nlohmann::json>> resume(const ControlRequest& request);
  Task<Result<nlohmann::json>> verify(const ControlRequest& request, ControlReply& reply);
  Task<Result<nlohmann::json>> backup(const ControlRequest& request, ControlReply& reply);  // engine/backup_commands.cc
  Result<BackupRequest> backup_request(const ControlRequest& request, const DatabaseConfig& database) const;
  Task<Result<nlohmann::json>> drill(const ControlRequest& request, ControlReply& reply);  // engine/drill_commands.cc
  Task<Result<nlohmann::json>> load(const ControlRequest& request, ControlReply& reply);
  Task<Result<nlohmann::json>> follow_events(const ControlRequest& request, ControlReply& reply);

  Result<void> check_sources(const std::string& from, const DatabaseConfig& database) const;
  Result<Hosted*> hosted_of(const ControlRequest& request) const;       // a named node has a copy of it
  Result<Hosted*> copy_here(const ControlRequest& request) const;        // this node's copy, of either role, open
  Result<PassiveCopy*> passive_of(const ControlRequest& request) const;  // this node's passive copy, open
  Task<void> settle(const PassiveCopy& passive);
  std::optional<double> link_from(const std::string& peer) const;  // bytes per second, as last measured
  nlohmann::json seed_result(const ControlRequest& request, const PassiveCopy& passive) const;
  std::shared_ptr<Verification> begin_verification(Hosted& hosted, std::uint64_t bytes_per_second_max);
  Task<Result<void>> watch_verification(const Verification& verification, ControlReply& reply);  // until its end
  nlohmann::json copy_status(const ControlRequest& request) const;

  Node& node_;
  NodeContext& context_;
  EventLog& events_;
};

}  // namespace ccr::engine
