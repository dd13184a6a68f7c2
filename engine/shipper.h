// Shipper serves one log connection of one passive copy: tips and log go out, watermarks come in.
//
// One loop with one cursor: at the tail it is block mode, behind it is file mode; nothing that is not durable here is ever sent.
// Behind, the next chunk is read while the one before is packed and sent; at the tail it is not, so that what becomes durable
// meanwhile goes together. run() completes with the error that ended the connection. A slow copy waits in its own send; nobody else
// does. Bounds: three chunks of chunk_bytes_max per connection (read, waiting, on their way) beside the kernel's buffers; one while
// nothing flows.
#pragma once

#include <string>
#include <vector>

#include "base/queue.h"
#include "engine/active_copy.h"
#include "engine/heartbeat.h"
#include "engine/log_sender.h"
#include "storage/log_reader.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

class Shipper {
 public:
  static constexpr std::size_t chunk_bytes_max = 256 * KiB;
  static_assert(chunk_bytes_max <= transport::LogPacker::piece_bytes_max);

  // hello.wanted: next byte the copy wants; generation 0: nothing (a copy without history gets tips only).
  Shipper(ActiveCopy& active, transport::FramedConnection& connection, const transport::Hello& hello);

  Task<Result<void>> run();

 private:
  struct Piece {
    Position from;
    std::size_t bytes = 0;
    bool behind = false;  // more is waiting
    AlignedBuffer buffer;
  };

  Task<Result<void>> read_log();
  Task<Result<void>> send_log();
  Task<Result<void>> refuse(Error why);
  Task<Result<void>> rest(Position durable);
  AlignedBuffer take_buffer();
  transport::Tip tip() const;  // but for the times
  Task<Result<void>> send_tip();
  Task<Result<void>> beat();
  Task<Result<void>> listen();
  void count(std::uint64_t log_bytes);
  void take(const transport::Watermarks& watermarks);

  ActiveCopy& active_;
  transport::FramedConnection& connection_;
  std::string node_;
  Generation generation_;
  std::uint64_t offset_ = 0;
  transport::Tip told_;  // the last tip
  storage::BlockReader reader_;
  PeerWatch watch_;
  LogSender sender_;
  std::uint64_t counted_bytes_ = 0;  // of what the connection sent
  BoundedQueue<Piece> pieces_;
  std::size_t unsent_ = 0;  // in the queue, or on its way
  Signal sent_;
  std::vector<AlignedBuffer> spare_;
  std::uint64_t chunks_ = 0;
};

}  // namespace ccr::engine
