// What two nodes do on one connection while a link is measured: one sends as fast as it can, the other counts; or one asks and the
// other echoes.
//
// A stream is counted where it arrives. Its rate is that of the time behind the warm-up, the first fifth, in which TCP finds its
// speed, and not of what its buffers held at the end, which comes after the time and beside fewer streams; its slots are of all of
// it. Messages are of random bytes, made once. Completion: send_stream() when the last message is handed to the kernel;
// receive_stream() with the MeasureEnd of the sender. Bounds: one message in flight besides the kernel's buffers;
// measure_slots_max; whoever calls bounds the time.
#pragma once

#include <functional>

#include "base/random.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

struct StreamPlan {
  Duration how_long{0};
  std::uint64_t bytes_max = 0;             // 0: no limit
  std::uint32_t message_bytes = 64 * KiB;  // 5 ms of 100 Mbit/s: many to each measure_slot
};

// Pure: arrivals in, counts out.
class StreamCounter {
 public:
  // `begun`: when the step began, which is the same for all streams of a run.
  StreamCounter(Instant begun, Duration how_long) : begun_(begun), warm_up_(how_long / 5), how_long_(how_long) {}
  void add(Instant at, std::uint64_t bytes);
  // bytes and nanoseconds behind the warm-up, or behind the first arrival where all came within it; slots of all.
  transport::MeasureEnd counted() const;
  std::uint64_t total() const noexcept { return total_; }

 private:
  Instant begun_;
  Duration warm_up_, how_long_;
  Instant first_at_, last_at_;
  std::uint64_t first_bytes_ = 0, warm_bytes_ = 0, total_ = 0;
  std::vector<std::uint64_t> slots_;
};

using Counting = std::function<void(std::uint64_t bytes)>;  // told of each message, for whoever watches

Task<Result<transport::MeasureEnd>> send_stream(transport::FramedConnection& connection, Clock& clock, Random random,
                                                StreamPlan plan, Counting counting = {});
Task<Result<transport::MeasureEnd>> receive_stream(transport::FramedConnection& connection, Clock& clock, Duration how_long,
                                                   Counting counting = {});
// 0: not known.
std::uint64_t processor_nanoseconds(const Clock& clock);
// What a peer sent instead of the message that was due.
Error unexpected(const transport::FramedConnection& connection, const transport::Message& message);

// Processors in use between two readings of what a process used; below 0 where one is not known.
double processors_used(std::uint64_t before, std::uint64_t after, Duration elapsed);

}  // namespace ccr::engine
