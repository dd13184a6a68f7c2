#include "engine/log_fetch.h"

#include <utility>

#include "base/timeout.h"
#include "storage/log_reader.h"

namespace ccr::engine {

using transport::LogData;
using transport::Message;

Task<Result<void>> serve_log(NodeContext& context, transport::FramedConnection& connection, LogHeld held, Position wanted) {
  const std::string peer = connection.peer().text();
  storage::BlockReader reader(context.disk, held.directory);
  AlignedBuffer buffer(fetch_piece_bytes_max, AlignedBuffer::Content::any);
  for (;;) {
    const ByteSpan room = buffer.span();
    const Result<storage::BlockReader::Chunk> read = co_await reader.read(wanted.generation, wanted.offset, held.end, room);
    if (!read.ok()) co_return read.error();
    if (read->bytes == 0) break;
    LogData data;
    data.generation = read->generation;
    data.offset = read->offset;
    data.bytes = buffer.view().first(read->bytes);
    Message message(data);
    Task<Result<void>> sending = connection.send(std::move(message));
    CCR_CO_TRY(co_await with_timeout(context.clock, fetch_silence_max, "log to " + peer, std::move(sending)));
    wanted = read->sealed ? Position{read->generation.next(), 0} : Position{read->generation, read->offset + read->bytes};
  }
  Task<Result<Message>> ending = connection.receive();  // it goes once all is durable there
  const Result<Message> end = co_await with_timeout(context.clock, fetch_silence_max, "the end of what " + peer + " fetched", std::move(ending));
  if (end.ok()) co_return transport::unexpected(*end, "a connection that fetches log").within(peer);
  if (end.error().kind == ErrorKind::disconnected) co_return Result<void>();
  co_return end.error();
}

namespace {

// The log of one fetch. What is written is written to its end, also where the task is stopped meanwhile: the log is never cut in the middle of a call.
class Arrival {
 public:
  Arrival(NodeContext& context, storage::IncomingLog& log, Position end, std::function<void()> grew)
      : context_(context), log_(log), end_(end), grew_(std::move(grew)) {}

  bool whole() const { return log_.received() >= end_; }
  Task<Result<void>> take(const LogData& data) {
    CCR_CO_TRY(co_await undisturbed(log_.accept(data.generation, data.offset, data.bytes)));
    unsynced_ += data.bytes.size();
    if (unsynced_ >= fetch_unsynced_bytes_max || whole()) co_return co_await keep();
    co_return Result<void>();
  }
  Task<Result<void>> keep() {
    if (unsynced_ == 0) co_return Result<void>();
    CCR_CO_TRY(co_await undisturbed(log_.sync()));
    unsynced_ = 0;
    grew_();
    co_return Result<void>();
  }

 private:
  Task<Result<void>> undisturbed(Task<Result<void>> task) {
    TaskGroup disk(context_.executor);
    disk.spawn(std::move(task));
    co_return co_await disk.join_undisturbed();
  }

  NodeContext& context_;
  storage::IncomingLog& log_;
  const Position end_;
  const std::function<void()> grew_;
  std::size_t unsynced_ = 0;
};

Task<Result<void>> receive_all(Clock& clock, transport::FramedConnection& connection, Arrival& arrival) {
  const std::string peer = connection.peer().text();
  while (!arrival.whole()) {
    Task<Result<Message>> receiving = connection.receive();
    const Result<Message> message = co_await with_timeout(clock, fetch_silence_max, "log from " + peer, std::move(receiving));
    if (!message.ok()) co_return message.error();
    const auto* data = std::get_if<LogData>(&*message);
    if (data == nullptr) co_return transport::unexpected(*message, "a connection that fetches log").within(peer);
    CCR_CO_TRY(co_await arrival.take(*data));
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> receive_log(NodeContext& context, transport::FramedConnection& connection, storage::IncomingLog& log, Position end,
                               std::function<void()> grew) {
  Arrival arrival(context, log, end, std::move(grew));
  const Result<void> ended = co_await receive_all(context.clock, connection, arrival);
  const Result<void> kept = co_await arrival.keep();  // what came before is kept
  co_return ended.ok() ? kept : ended;
}

}  // namespace ccr::engine
