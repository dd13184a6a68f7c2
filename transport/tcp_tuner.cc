#include "transport/tcp_tuner.h"

#include <chrono>
#include <limits>

namespace ccr::transport {
namespace {

constexpr const char* for_losses = "bbr";

// The kernel's word for 'no sample yet' is its greatest number.
Duration least_round_trip(const TcpFacts& facts) {
  if (facts.least_rtt_microseconds == std::numeric_limits<std::uint32_t>::max()) return Duration::zero();
  return std::chrono::microseconds(facts.least_rtt_microseconds);
}

}  // namespace

void TcpTuner::crossed(int socket, std::size_t bytes) {
  if (bytes < until_look_) {
    until_look_ -= bytes;
    return;
  }
  until_look_ = look_bytes;
  look(socket);
}

void TcpTuner::change(int socket, std::uint64_t window, const std::string& congestion) {
  if (window > 0) {
    settings_.window = window;
    set_window(socket, settings_, reach_);
  }
  if (!congestion.empty()) {
    settings_.congestion = congestion;
    set_congestion(socket, congestion);
  }
}

void TcpTuner::look(int socket) {
  const TcpFacts facts = read_tcp_facts(socket);
  if (settings_.window == 0) {
    tune_buffers(socket, facts);
  } else if (facts.window_clamp != settings_.window) {
    set_window_clamp(socket, settings_.window);
  }
  if (settings_.congestion == "auto" && !lossy_) tune_congestion(socket, facts);
}

void TcpTuner::tune_buffers(int socket, const TcpFacts& facts) {
  const WindowReading reading{facts.delivery_bytes_per_second,
                              least_round_trip(facts),
                              facts.received_in_rtt,
                              {facts.send_buffer_bytes, facts.receive_buffer_bytes}};
  const BufferPair automatic{settings_.limits.send_auto_max, settings_.limits.receive_auto_max};
  const WindowMove move = next_move(reading, automatic, reach_);
  if (move.buffers.send > 0) grow_send_buffer(socket, move.buffers.send);
  if (move.buffers.receive > 0) grow_receive_buffer(socket, move.buffers.receive);
  held_ = move.held;
}

void TcpTuner::tune_congestion(int socket, const TcpFacts& facts) {
  const LossReading reading{facts.segments_sent, facts.retransmits, facts.congestion_window,
                            std::chrono::microseconds(facts.rtt_microseconds), least_round_trip(facts)};
  lossy_ = losses_.observe(reading);
  if (lossy_) set_congestion(socket, for_losses);
}

}  // namespace ccr::transport
