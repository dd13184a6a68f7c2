// Messages of a connection that measures (transport/messages.h has the rest): one side asks for a step, the other takes part in it.
//
// The side that connected asks, one step after another. A step that the other will not take part in is answered by Refuse.
//
//   step        then                                                                  ends with
//   look                                                                              MeasureEnd of the asked: its processor time
//   disk                                                                              MeasureEnd: writes and syncs on its disk
//   receive     the asker sends MeasureData, at last a MeasureEnd of its own          MeasureEnd: what came, and when
//   send        the asked sends MeasureData for so long, or so many bytes             MeasureEnd: what it sent
//   echo        each MeasureData of the asker comes back, until it sends MeasureEnd   MeasureEnd
//   sync_echo   each is written and synced by the asked; its first grain comes back   MeasureEnd
//   seed        MeasureEnd of the asked, once it is ready: it seeds itself from the   MeasureEnd: what is on its disk, and its root
//               asker, then each says MeasureEnd, the asker first
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/latency_histogram.h"

namespace ccr::transport {

inline constexpr std::uint32_t measure_milliseconds_max = 60'000;
inline constexpr std::uint32_t measure_message_bytes_max = 4 * MiB;  // of a step on a disk; what crosses is at most tail_bytes_max
inline constexpr std::uint64_t measure_window_max = 64 * MiB;
inline constexpr std::size_t measure_grain_bytes = 64;  // what crosses is whole grains of it
inline constexpr Duration measure_slot = std::chrono::milliseconds(100);
inline constexpr std::size_t measure_slots_max = 1'024;

enum class MeasureStep : std::uint8_t { look = 1, disk, receive, send, echo, sync_echo, seed };
// A closed list: a name from the wire would have the kernel load a module of that name.
enum class MeasureCongestion : std::uint8_t { as_configured = 1, cubic, bbr, reno };

struct MeasureAsk {
  MeasureStep step = MeasureStep::look;
  std::uint64_t run = 0;            // random, the same for all connections of one measurement
  std::uint32_t milliseconds = 0;   // how long
  std::uint64_t bytes_max = 0;      // of send, where 0 is no limit; of seed, all of them
  std::uint32_t message_bytes = 0;  // of each MeasureData of send, of each write of disk, of a page of seed
  std::uint64_t window = 0;         // of the asked's end of this connection; 0: as configured
  MeasureCongestion congestion = MeasureCongestion::as_configured;
  std::string database;  // whose log directory disk, sync_echo and seed write to; empty: the state directory
};

struct MeasureData {
  std::uint64_t number = 0;  // from 1; an echo repeats it
  ByteView bytes;            // views the frame
};

struct MeasureEnd {
  std::uint64_t bytes = 0;
  std::uint64_t nanoseconds = 0;            // from the first to the last of them, by the clock of who says it
  std::uint64_t processor_nanoseconds = 0;  // of the process since it began; 0: not known
  LatencySummary latency;                   // of disk: a write and its sync
  std::string congestion;                   // of the end that sent; empty: not known
  std::uint64_t retransmits = 0;            // segments, of the same; 0 too where they are not known
  std::vector<std::uint64_t> slots;         // of receive, disk and seed: bytes of each measure_slot
  std::uint64_t root = 0;                   // of seed: over the pages that came
};

}  // namespace ccr::transport
