// PeerClient opens a connection from a passive copy to its active node: the best path first, TLS, hello, welcome.
//
// connect_to_active() completes with a connection whose session is set, or with: unreachable (no address answered, or what answered did not
// prove to be that node: the last one's reason), timeout, refused or busy (the active node said no; message and hint are its own), protocol.
#pragma once

#include <memory>
#include <string>

#include "engine/node_context.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

struct PeerSession {
  std::unique_ptr<transport::FramedConnection> connection;
  transport::Welcome welcome;
};

inline constexpr Duration connect_timeout = std::chrono::seconds(3);
inline constexpr Duration connect_timeout_of_many = std::chrono::seconds(2);  // where another address can be tried; a lost SYN comes again after 1 s
inline constexpr Duration tls_timeout = std::chrono::seconds(5);
inline constexpr Duration hello_timeout = std::chrono::seconds(5);

// Over the best path that answers (engine/path_table.h). Of purpose measure: to any other node.
Task<Result<PeerSession>> connect_to_active(NodeContext& context, std::string active_node, transport::Hello hello);
// What a connection about this copy says of it.
transport::Hello hello_about(transport::Purpose purpose, const DatabaseConfig& database, Signature signature, Epoch epoch);
// To the copy on any node that has one; refused too where that is of another history than `hello` names.
Task<Result<std::unique_ptr<transport::FramedConnection>>> connect_to_copy(NodeContext& context, std::string node, transport::Hello hello);
// Over that path and no other.
Task<Result<PeerSession>> connect_over(NodeContext& context, std::string node, transport::Endpoint address, transport::Hello hello);

// Waits between two tries: grows from 200 ms to 2 s, with jitter, so that a healed link is used within the promised 6 s (FAULTS R12).
class Backoff {
 public:
  explicit Backoff(Random random) : random_(random) {}
  Duration next();
  void reset() noexcept { tries_ = 0; }

 private:
  Random random_;
  int tries_ = 0;
};

}  // namespace ccr::engine
