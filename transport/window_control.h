// What a connection under window = "auto" asks of its kernel. Pure: facts of the connection in, a move out.
//
// The kernel tunes both buffers by itself, up to the third words of tcp_rmem and tcp_wmem, and does it well: below those nothing is
// touched, and no move ever makes a buffer smaller than it is or than they are. Beyond them a buffer follows rate x round trip with
// head room, each step at most that much further, until the link and not the buffer decides. The least round trip counts, not the
// present one: a queue that our own bytes fill would else make room for more of them. What may be set is bounded by `reach`; what
// would be needed beyond it is told as `held`.
//
// Congestion control: cubic takes every loss for a full queue. Where packets are lost and no queue stands (the present round trip
// is the least one), it is wrong, and on a long path that costs most of the rate: 87 of 941 Mbit/s at 20 ms with one packet in
// 10,000 lost, where bbr carries 916. auto begins with cubic; LossWatch says when losses ask for bbr.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace ccr::transport {

// Buffers as the kernel counts them, its own overhead included. 0: not known.
struct BufferPair {
  std::uint64_t send = 0, receive = 0;
  bool operator==(const BufferPair&) const = default;
};

struct WindowReading {
  std::uint64_t delivery_bytes_per_second = 0;  // of what was sent
  Duration least_round_trip{0};
  std::uint64_t received_in_round_trip = 0;  // bytes that were read here in one round trip
  BufferPair buffers;
};

struct WindowMove {
  BufferPair buffers;  // to set; 0: leave it as it is
  BufferPair held;     // would be needed, and may not be set; 0: nothing is missing
};

inline constexpr std::uint64_t auto_window_max = 64 * MiB;  // 5 Gbit/s at 100 ms; what a peer may pile up in this kernel
inline constexpr std::uint64_t auto_buffer_max = 2 * auto_window_max;

// `automatic`: as far as the kernel goes by itself; where it is 0 nothing is done. `reach`: as far as this process may go.
WindowMove next_move(const WindowReading& reading, const BufferPair& automatic, const BufferPair& reach) noexcept;

// For a window by hand: what to set a buffer to, or 0, where less may be set than the kernel's own tuning may come to.
std::uint64_t buffer_by_hand(std::uint64_t wanted, std::uint64_t automatic, std::uint64_t reach) noexcept;
// The largest window that one set by hand can become on this host, at most the one that was asked.
std::uint64_t window_by_hand(std::uint64_t asked, std::uint64_t automatic, std::uint64_t reach) noexcept;

struct LossReading {
  std::uint64_t sent = 0, resent = 0;   // segments since the connection began
  std::uint64_t congestion_window = 0;  // segments
  Duration round_trip{0}, least_round_trip{0};
};

class LossWatch {
 public:
  static constexpr int losses_max = 3;                                  // times that something was lost and no queue stood
  static constexpr std::uint64_t recovery_windows = 4;                  // what is lost within so many windows was lost at one time
  static constexpr std::uint64_t segments_max = 200'000;                // within so many: a loss in a week says nothing
  static constexpr Duration short_path = std::chrono::milliseconds(2);  // below it any congestion control is back in no time

  // True from the moment when losses without a queue are too many.
  bool observe(const LossReading& reading) noexcept;

 private:
  LossReading last_;
  std::uint64_t counted_from_ = 0, recovered_at_ = 0;
  int losses_ = 0;
  bool lossy_ = false;
};

}  // namespace ccr::transport
