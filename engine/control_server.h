// ControlServer listens on the node's control socket and gives each client a session.
//
// bind(): the socket is there with mode 0660, and who may open it is decided by its directory and group. A socket file that a dead
// process left is replaced; one that answers is ErrorKind::busy; anything else at the path is ErrorKind::exists and stays. run()
// binds when bind() was not called, serves until it is stopped, ends its clients and removes the socket. Bounds: clients_max at a
// time, one more is told busy. Lifetime: the handler outlives run(). Threads: the node's executor only.
#pragma once

#include <memory>
#include <string>

#include "engine/control.h"

namespace ccr::engine {

class ControlServer {
 public:
  static constexpr std::size_t clients_max = 16;

  ControlServer(Executor executor, std::string socket_path, ControlHandler& handler);
  ~ControlServer();

  Result<void> bind();
  Task<Result<void>> run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ccr::engine
