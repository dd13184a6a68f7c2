// Roles keeps a node's beliefs about which copies are active in step with its peers', and carries out what follows.
//
// A change has one order on every node: it is wanted (heard from a peer, or commanded); the copy's present life ends, with everything of it; the
// new role is durable; then the next life begins with it. So a copy never acts in two roles, and a crash leaves one or the other.
// watch() asks each peer: at the start, each 30 s, and each 2 s until it answered once and while a copy that both have is out of contact.
// A start that would serve waits for the first answers, at most `first_round_limit`: longer would cost every restart during an outage as much.
// What is heard makes this node active only where its copy agreed to that epoch before (HandoverStep::prepare), or was commanded here.
// Threads: the node's executor. Bounds: roles_max entries a message; a connection of it ends after two minutes.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/agreed_config.h"
#include "engine/hosted.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

class Roles {
 public:
  static constexpr Duration first_round_limit = std::chrono::milliseconds(1500);
  static constexpr Duration calm_interval = std::chrono::seconds(30);
  static constexpr Duration doubt_interval = std::chrono::seconds(2);
  static constexpr Duration connection_life_max = std::chrono::minutes(2);
  static constexpr Duration end_told_max = std::chrono::seconds(10);  // until the one before says where its log ends, which then is not known
  static constexpr Duration cut_kept_max = std::chrono::minutes(10);  // of an activation as of a point in time of which nothing is heard

  using Databases = std::map<std::string, std::unique_ptr<Hosted>>;
  Roles(NodeContext& context, Databases& databases);

  // For each other node; ends only when it is stopped.
  Task<Result<void>> watch(std::string peer);
  Task<Result<void>> end_first_round();  // after its limit
  Task<void> wait_first_round();
  // For a copy that begins when the first round is over: what the other nodes say of it, at most `first_round_limit` long.
  Task<Result<void>> ask_about(const Hosted& hosted);
  bool configured_alike(const std::string& peer) const {  // as it told last
    const auto told = peers_.find(peer);
    return told != peers_.end() && told->second.configuration_equal;
  }
  void configuration_changed();  // peers are told within `doubt_interval`
  Task<Result<void>> serve(std::unique_ptr<transport::FramedConnection> connection, std::string peer);

  // Before a life: what its state says the first time, and what is wanted since. Ok: `hosted` stands in its role.
  Task<Result<void>> settle(Hosted& hosted);
  bool want(Hosted& hosted, Role role);  // false: it is no news, or a higher epoch is wanted or in force
  // No life of the active copy from here on, also after a restart, before a person decided.
  void stop(Hosted& hosted, std::string conflict);
  Task<Result<void>> keep_conflict(Hosted& hosted);  // durable at completion
  static constexpr Epoch epoch_jump_max = 1 << 20;
  static constexpr Duration force_limit = std::chrono::seconds(20);
  static constexpr Duration leave_limit = connection_life_max - force_limit;  // where an application has to end first
  // timeout: its disk does not keep it, or its application does not end, and is tried again; refused: another one did.
  Task<Result<void>> wait_in_force(Hosted& hosted, Role role, Duration limit = force_limit);

  // One step of a handover, over a connection of its own. unreachable, timeout, refused as they come.
  Task<Result<transport::HandoverAnswer>> ask(std::string node, transport::HandoverAsk ask);
  // What `node` says of a database now. unreachable, timeout; not_found where it knows none.
  Task<Result<transport::RoleEntry>> ask_role(std::string node, std::string database);
  const PeersTold& peers() const noexcept { return peers_; }
  // The copy takes that role now; durable is nothing of it. For a node that begins, and settle().
  void stand(Hosted& hosted, Role role);

 private:
  std::vector<transport::RoleEntry> shared_with(const std::string& peer) const;
  Task<void> tell_access(transport::RoleEntry& entry);
  void hear(const std::string& peer, const transport::RoleEntry& entry);
  PeerTold& hear_of(const std::string& peer, Digest64 configuration);
  void hear_all(const std::string& peer, const std::vector<transport::RoleEntry>& entries);
  bool doubtful(const std::string& peer) const;
  Task<Result<void>> ask_once(std::string peer);
  Task<Result<void>> ask_all(std::vector<std::string> peers);
  Task<Result<std::vector<transport::RoleEntry>>> exchange(transport::FramedConnection& connection, std::string peer);
  Task<Result<void>> tell(transport::FramedConnection& connection, std::string peer);
  struct Met {
    std::unique_ptr<transport::FramedConnection> connection;
    std::vector<transport::RoleEntry> entries;
  };
  Task<Result<Met>> meet(std::string node);
  Task<Result<void>> answer(transport::FramedConnection& connection, std::string peer);
  // engine/role_steps.cc
  Task<Result<transport::HandoverAnswer>> take_step(transport::HandoverAsk ask, std::string peer);
  Task<Result<void>> be_ready(Hosted& hosted, transport::HandoverAsk ask);
  Task<Result<transport::HandoverAnswer>> give_up(Hosted& hosted, transport::HandoverAsk ask, std::string peer);
  void take_up(Hosted& hosted, Epoch epoch, Position end);
  Task<void> drop_old_cuts();
  Task<Result<void>> enter(Hosted& hosted, Role role);

  NodeContext& context_;
  Databases& databases_;
  Digest64 configuration_;  // of what all nodes should have alike
  PeersTold peers_;
  std::set<std::string> unanswered_;  // peers of the first round
  bool first_round_over_ = false;
  Signal changed_;
};

}  // namespace ccr::engine
