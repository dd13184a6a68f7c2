// ControlClient asks the daemon over its control socket: blocking, one request, then it is used up.
//
// call() completes with the result, the daemon's own error, or: unreachable (nobody answered, or not in time), protocol,
// disconnected (the daemon ended meanwhile), stopped (the interrupt descriptor became readable; the daemon's work goes on). Bounds:
// a line of the daemon is at most line_bytes_max.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace ccr::tools {

class ControlClient {
 public:
  static constexpr std::size_t line_bytes_max = 64 * MiB;  // a status of ten thousand copies, several times over

  struct Watch {
    std::function<void(const nlohmann::json&)> on_progress;
    std::function<void(const nlohmann::json&)> on_event;
    Duration silence_max = std::chrono::seconds(10);  // 0: the daemon may be silent for as long as it likes
    int interrupt = -1;                               // -1: none
  };

  // not_found: no socket, or nobody behind it: the daemon does not run. unreachable: anything else.
  static Result<ControlClient> connect(const std::string& socket_path);
  ControlClient(ControlClient&& other) noexcept;
  ControlClient& operator=(ControlClient&&) = delete;
  ~ControlClient();

  Result<nlohmann::json> call(const nlohmann::json& request, const Watch& watch);
  // Work that ends when this client does: begin() asks for it, goes_on() reads what came since, without waiting: false when the daemon
  // ended it in order, else its error.
  Result<void> begin(const nlohmann::json& request);
  Result<bool> goes_on();
  Result<std::optional<nlohmann::json>> ended();  // the same; its result once it is there
  std::optional<int> peer_process() const;        // of the daemon; nullopt: in another namespace

 private:
  explicit ControlClient(int descriptor) : descriptor_(descriptor) {}
  Result<void> send(const std::string& line);
  Result<std::string> read_line(const Watch& watch);
  Result<std::optional<nlohmann::json>> take(const std::string& text, const Watch& watch);  // nullopt: not the last line
  Result<void> wait_readable(const Watch& watch);

  int descriptor_;
  std::string received_;
  std::size_t searched_ = 0;  // of received_, for its newline
};

}  // namespace ccr::tools
