// TcpTuner looks after one connection while bytes cross it: the clamp of a window set by hand, the buffers of auto, the congestion
// control of auto.
//
// It has no clock and no task: it looks once for every look_bytes that crossed, so an idle connection costs nothing. One look is a
// few getsockopt of about a microsecond each. Failure: what the kernel refuses is tried again at the next look; a congestion
// control that it refuses is not. Threads: the connection's.
#pragma once

#include <cstddef>
#include <utility>

#include "transport/tcp_facts.h"
#include "transport/tcp_settings.h"

namespace ccr::transport {

class TcpTuner {
 public:
  static constexpr std::size_t first_look_bytes = 64 * KiB;  // by then the kernel has learned the peer's segments
  static constexpr std::size_t look_bytes = 1 * MiB;

  TcpTuner(TcpSettings settings, const BufferPair& reach) : settings_(std::move(settings)), reach_(reach) {}

  void crossed(int socket, std::size_t bytes);
  // Another window or congestion control than its settings', from now on; 0 and empty leave each as it is.
  void change(int socket, std::uint64_t window, const std::string& congestion);

  const TcpSettings& settings() const noexcept { return settings_; }
  const BufferPair& held() const noexcept { return held_; }  // buffers that would be needed and may not be set, at the last look
  bool lossy() const noexcept { return lossy_; }             // losses asked for another congestion control

 private:
  void look(int socket);
  void tune_buffers(int socket, const TcpFacts& facts);
  void tune_congestion(int socket, const TcpFacts& facts);

  TcpSettings settings_;
  BufferPair reach_, held_;
  LossWatch losses_;
  std::size_t until_look_ = first_look_bytes;
  bool lossy_ = false;
};

}  // namespace ccr::transport
