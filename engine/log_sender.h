// LogSender sends the pieces of one log connection, packed or as they are: the active end of the packed log stream.
//
// What is packed, and why, transport/compression_plan.h decides from what the pieces before took. Packing needs a history at both
// ends: this end leases one out of the node's budget, asks, and packs once the other end granted (transport/README.md, 'The packed
// log stream'). Until then, and where there is no memory, log goes as it is. A stream that rests for rest_max is ended, and both
// give back what it held.
//
// Completion: send() when the piece is handed to the connection. Failure: that of the connection, which has then ended; that memory
// is missing is none: log goes as it is. Lifetime: context, connection and facts outlive it. Threads: the node's executor; send()
// from one task, rest() and granted() from others. Bounds: one piece at a time, LogPacker::piece_bytes_max; one lease.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/copy_table.h"
#include "engine/node_context.h"
#include "transport/compression_plan.h"
#include "transport/framed_connection.h"
#include "transport/history_budget.h"
#include "transport/log_packer.h"

namespace ccr::engine {

class LogSender {
 public:
  static constexpr Duration rest_max = std::chrono::seconds(10);  // more than a heartbeat: a stream that beats with commits goes on
  static constexpr Duration ask_pause = std::chrono::seconds(10);  // after a refusal, here or there
  static constexpr std::size_t inline_bytes_max = 32 * KiB;  // packed in 0.1 ms: less than a turn through the pool costs a commit

  LogSender(NodeContext& context, transport::FramedConnection& connection, CopyFacts& facts);

  // `behind`: more log is waiting than this piece.
  Task<Result<void>> send(Position from, ByteView log, bool behind);
  void granted(std::uint32_t stream, int history_log);  // as Watermarks tell it
  Task<Result<void>> rest();                            // now and then: ends a stream that nobody needs

 private:
  struct Stream {
    std::uint32_t number = 0;  // of the ask
    transport::HistoryBudget::Lease lease;
    std::optional<int> granted;                  // nullopt: not answered yet
    std::optional<transport::LogPacker> packer;  // once it was
  };

  Task<Result<void>> ask();
  bool ready();  // there is a packer
  Task<Result<void>> send_packed(Position from, ByteView log, transport::SentPiece& piece);
  Task<Result<void>> send_as_it_is(Position from, ByteView log);
  void give_up(Instant now);
  void tell();

  NodeContext& context_;
  transport::FramedConnection& connection_;
  CopyFacts& facts_;
  transport::CompressionPlan plan_;
  std::optional<Stream> stream_;
  std::uint32_t streams_asked_ = 0;
  Instant ask_again_at_;
  Instant packed_at_;     // the last piece
  bool packing_ = false;  // somebody holds the packer
  bool packed_last_ = false;
};

}  // namespace ccr::engine
