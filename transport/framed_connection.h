// FramedConnection sends and receives whole messages over one Connection.
//
// transport/frame.h and transport/README.md say what a frame is. Sequence grows by exactly one in each direction.
// Completion: send() when the frame is handed to the Connection; several tasks may call it, whole frames are written one after
// another in the order of the calls. receive() with one message whose views live until the next receive(); one task at a time. The
// tail of LogData, ExtentPages and MeasureData lies at an address that direct I/O takes, and was copied once, out of the kernel. Stopping: a
// stopped receive() loses nothing, the next one goes on where it was; a send() that waited for its turn leaves no trace; one that
// was writing ends the connection, as half a frame is out. Failure: there is no resync inside a stream. The first error closes the
// connection, and every later or waiting call gives that error, with the peer's address in front. Kinds: protocol and unsupported
// (the peer's fault), corrupt (checksum), disconnected. Bounds: frame_body_max, and before set_session() handshake_body_max and
// only the messages of the handshake, checked before allocation; one receive buffer that grows with need up to frame_body_max and
// goes where only heartbeats come, and one read-ahead of read_ahead_bytes, in which bodies that fit and have no tail stay.
#pragma once

#include <memory>

#include "base/task.h"
#include "transport/frame.h"
#include "transport/messages.h"
#include "transport/network.h"

namespace ccr::transport {

class FramedConnection {
 public:
  static constexpr std::size_t read_ahead_bytes = 4 * KiB;  // several heartbeats in one read; big bodies go around it

  FramedConnection(const Executor& executor, std::unique_ptr<Connection> connection);
  ~FramedConnection();

  Task<Result<void>> send(Message message);  // views inside must live until completion
  Task<Result<Message>> receive();
  // After receive(), of a message with a tail: the memory that its views lie in, for whoever needs them longer. At most once.
  AlignedBuffer take_memory();
  // Both sides, after Welcome was sent or received: frames carry it from then on, and frames of another end the connection.
  void set_session(std::uint64_t session);
  void close();  // what runs or comes later fails with disconnected
  Endpoint peer() const;
  ConnectionFacts facts() const;
  void wish(const ConnectionWish& wish);  // Connection::wish

  std::uint64_t bytes_sent() const noexcept;
  std::uint64_t bytes_received() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ccr::transport
