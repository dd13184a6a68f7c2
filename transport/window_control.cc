#include "transport/window_control.h"

#include <algorithm>

namespace ccr::transport {
namespace {

// Twice what is in flight: what a rate that still grows will need by the next look.
constexpr std::uint64_t flight_head_room = 2;
// Of a send buffer two thirds are in flight, of a receive buffer half is window; the kernel counts its overhead into both.
constexpr std::uint64_t send_overhead_halves = 3;
constexpr std::uint64_t receive_overhead = 2;

struct Half {
  std::uint64_t wanted = 0, buffer = 0, automatic = 0, reach = 0;
};

struct HalfMove {
  std::uint64_t set = 0, held = 0;
};

HalfMove move_of(const Half& half) noexcept {
  if (half.automatic == 0 || half.buffer < half.automatic) return {};  // the kernel still has room of its own
  const std::uint64_t wanted = std::min(half.wanted, auto_buffer_max);
  if (wanted <= half.buffer + half.buffer / 4) return {};  // not worth a step
  const std::uint64_t target = std::min(wanted, half.reach);
  HalfMove move;
  if (target > half.buffer) move.set = target;
  if (wanted > half.reach) move.held = wanted;
  return move;
}

// Losses of a queue that is full come with a round trip far above the least; a quarter and a millisecond are jitter.
bool queue_stands(const LossReading& reading) noexcept {
  return reading.round_trip > reading.least_round_trip + reading.least_round_trip / 4 + std::chrono::milliseconds(1);
}

}  // namespace

WindowMove next_move(const WindowReading& reading, const BufferPair& automatic, const BufferPair& reach) noexcept {
  const double in_flight =
      static_cast<double>(reading.delivery_bytes_per_second) * std::chrono::duration<double>(reading.least_round_trip).count();
  const std::uint64_t flight = static_cast<std::uint64_t>(std::min(in_flight, static_cast<double>(auto_window_max)));
  const std::uint64_t received = std::min(reading.received_in_round_trip, auto_window_max);
  const HalfMove send =
      move_of({flight * flight_head_room * send_overhead_halves / 2, reading.buffers.send, automatic.send, reach.send});
  const HalfMove receive =
      move_of({received * flight_head_room * receive_overhead, reading.buffers.receive, automatic.receive, reach.receive});
  return {{send.set, receive.set}, {send.held, receive.held}};
}

std::uint64_t buffer_by_hand(std::uint64_t wanted, std::uint64_t automatic, std::uint64_t reach) noexcept {
  const std::uint64_t most = std::min(wanted, reach);
  return most == wanted || most >= automatic ? most : 0;
}

std::uint64_t window_by_hand(std::uint64_t asked, std::uint64_t automatic, std::uint64_t reach) noexcept {
  const std::uint64_t set = buffer_by_hand(asked * receive_overhead, automatic, reach);
  return std::min(asked, (set > 0 ? set : automatic) / receive_overhead);
}

bool LossWatch::observe(const LossReading& reading) noexcept {
  const bool lost = reading.resent > last_.resent;
  last_ = reading;
  if (reading.sent - std::min(reading.sent, counted_from_) > segments_max) {
    counted_from_ = reading.sent;
    losses_ = 0;
  }
  if (lost && reading.sent >= recovered_at_) {
    recovered_at_ = reading.sent + recovery_windows * reading.congestion_window;
    if (reading.least_round_trip >= short_path && !queue_stands(reading)) ++losses_;
  }
  lossy_ = lossy_ || losses_ >= losses_max;
  return lossy_;
}

}  // namespace ccr::transport
