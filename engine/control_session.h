// ControlSession serves one client of the control socket: a request line in, its answer out, then the next.
//
// run() completes when the client left, broke the rules (it is told in a last line), or was silent for request_wait_max. A client
// that closes only its writing half still gets its answer; one that closes the socket stops its command's task. Bounds: one buffer
// of control_request_bytes_max; a client that does not read holds up nobody but itself, for send_wait_max at most.
#pragma once

#include <array>
#include <string>

#include <asio/local/stream_protocol.hpp>

#include "base/clock.h"
#include "base/task_group.h"
#include "engine/control.h"

namespace ccr::engine {

class ControlSession final : public ControlReply {
 public:
  using Socket = asio::local::stream_protocol::socket;

  ControlSession(Socket socket, Clock& clock, ControlHandler& handler);

  Task<Result<void>> run();
  Task<Result<void>> progress(nlohmann::json fields) override;
  Task<Result<void>> event(nlohmann::json fields) override;
  Task<Result<void>> send(std::string line);  // with its newline

 private:
  Task<Result<std::string>> read_line();
  Task<Result<void>> read_more();
  Task<Result<void>> write(std::string line);
  Task<Result<void>> answer(ControlRequest request);
  Task<Result<void>> settle(ControlRequest request, std::string& outcome, TaskGroup& group);
  Task<Result<void>> watch_client(TaskGroup& group);

  Socket socket_;
  Clock& clock_;
  ControlHandler& handler_;
  std::array<char, 4 * KiB> piece_;  // of the read under way; apart from received_, which a stopped read leaves as it was
  std::string received_;             // not yet taken as a line
};

}  // namespace ccr::engine
