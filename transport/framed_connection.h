// FramedConnection sends and receives whole messages over one Connection.
//
// Frame (64-byte header, then the body): magic, version, type, session, sequence, body length, body checksum, header checksum; see
// transport/README.md. Sequence grows by exactly one in each direction; one error ends the connection: there is no resync inside a stream.
// receive() completes with one message whose views live until the next receive(). send() may be called by several tasks: whole frames
// are written one after another in the order of the calls. Bounds: frame_body_max, checked before allocation; one receive buffer.
#pragma once

#include <memory>

#include "base/signal.h"
#include "transport/messages.h"
#include "transport/network.h"

namespace ccr::transport {

inline constexpr std::size_t frame_header_bytes = 64;
inline constexpr std::size_t frame_body_max = 1 * MiB + 4 * KiB;

class FramedConnection {
 public:
  FramedConnection(const Executor& executor, std::unique_ptr<Connection> connection);
  ~FramedConnection();

  Task<Result<void>> send(Message message);  // views inside must live until completion
  Task<Result<Message>> receive();
  void set_session(std::uint64_t session);   // both sides, after the handshake; frames of another session end the connection
  void close();
  Endpoint peer() const;
  ConnectionFacts facts() const;

  std::uint64_t bytes_sent() const noexcept;
  std::uint64_t bytes_received() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ccr::transport
