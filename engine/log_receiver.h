// LogReceiver makes log again of what a LogSender packed: the passive end of the packed log stream.
//
// It answers each ask with what the node's budget has for it, holds that until the stream ends or another is asked for, and
// believes nothing: transport/log_unpacker.h. Failure: protocol, corrupt, full; the connection ends by each. Lifetime: the context
// outlives it. Threads: the node's executor, one call at a time. Bounds: one lease; a piece of 1 MiB.
#pragma once

#include <optional>

#include "engine/node_context.h"
#include "transport/history_budget.h"
#include "transport/log_unpacker.h"
#include "transport/messages.h"

namespace ccr::engine {

class LogReceiver {
 public:
  static constexpr std::size_t inline_bytes_max = 64 * KiB;  // unpacked in 0.1 ms

  explicit LogReceiver(NodeContext& context) : context_(context) {}

  // The log that the message holds; empty for one that only agrees on a stream. `message` lives until completion.
  Task<Result<Bytes>> take(const transport::LogPacked& message);
  bool owes_answer() const noexcept { return owes_answer_; }
  void answer(transport::Watermarks& marks);  // to the last ask

 private:
  void lease(const transport::LogPacked& ask);
  Result<void> check(const transport::LogPacked& message) const;

  NodeContext& context_;
  std::uint32_t stream_ = 0;  // the last that was asked for
  transport::HistoryBudget::Lease lease_;
  std::optional<transport::LogUnpacker> unpacker_;
  bool owes_answer_ = false;
};

}  // namespace ccr::engine
