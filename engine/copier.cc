#include "engine/copier.h"

#include <system_error>
#include <utility>

namespace ccr::engine {

Copier::Copier(NodeContext& context, storage::IncomingLog* incoming, transport::FramedConnection& connection,
               std::shared_ptr<Pulse> pulse, CopierOwner& owner)
    : context_(context),
      incoming_(incoming),
      connection_(connection),
      owner_(owner),
      queue_(context.executor, queue_items_max),
      watch_(context.executor, context.clock, context.config.transport, std::move(pulse)),
      receiver_(context),
      counted_bytes_(connection.bytes_received()) {}

// However the connection ends, what was received is written and synced to its end: the log is never cut in the middle of a call.
Task<Result<void>> Copier::run() {
  TaskGroup peer(context_.executor);
  TaskGroup disk(context_.executor);
  peer.spawn(listen());
  peer.spawn(beat());
  peer.spawn(tell_changes());
  peer.spawn(watch_.run(connection_));
  if (incoming_ != nullptr) disk.spawn(write(peer));
  Result<void> ended;
  bool stopped = false;
  try {
    ended = co_await peer.join();
  } catch (const std::exception& exception) {
    if (!is_stopped(exception)) throw;
    stopped = true;
  }
  queue_.close();
  if (stopped) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const Result<void> written = co_await disk.join_undisturbed();
  if (stopped) throw std::system_error(asio::error::operation_aborted);
  co_return written.ok() ? ended : written;
}

Task<Result<void>> Copier::listen() {
  for (;;) {
    Result<transport::Message> message = co_await connection_.receive();
    if (!message.ok()) co_return message.error();
    const auto* tip = std::get_if<transport::Tip>(&*message);
    watch_.heard(tip != nullptr && tip->at_rest);
    if (tip != nullptr) {
      last_echo_ = tip->sent_at;
      last_tip_ = tip->durable;
      owner_.tip_heard(*tip);
      continue;
    }
    watch_.stir();
    Result<Blocks> blocks = co_await blocks_of(std::move(*message));
    if (!blocks.ok()) co_return blocks.error().within(connection_.peer().text());
    if (receiver_.owes_answer()) CCR_CO_TRY(co_await report());
    count(blocks->bytes.size());
    if (!blocks->bytes.empty()) CCR_CO_TRY(co_await take(std::move(*blocks)));
  }
}

// The message's views live until the next receive().
Task<Result<Copier::Blocks>> Copier::blocks_of(transport::Message message) {
  Blocks blocks;
  const auto* data = std::get_if<transport::LogData>(&message);
  const auto* packed = std::get_if<transport::LogPacked>(&message);
  if (const auto* refuse = std::get_if<transport::Refuse>(&message)) co_return Error{ErrorKind::refused, refuse->text, refuse->hint};
  if (incoming_ == nullptr || (data == nullptr && packed == nullptr)) {
    co_return transport::unexpected(message, "a log connection");
  }
  if (data != nullptr) {
    blocks.generation = data->generation;
    blocks.offset = data->offset;
    blocks.bytes = data->bytes;
    if (data->bytes.size() >= lent_bytes_min) {
      blocks.memory = connection_.take_memory();
      co_return std::move(blocks);
    }
    blocks.own.assign(data->bytes.begin(), data->bytes.end());
  } else {
    Result<Bytes> log = co_await receiver_.take(*packed);
    if (!log.ok()) co_return log.error();
    blocks.generation = packed->generation;
    blocks.offset = packed->offset;
    blocks.own = std::move(*log);
  }
  blocks.bytes = blocks.own;
  co_return std::move(blocks);
}

Task<Result<void>> Copier::take(Blocks blocks) {
  watch_.reading(false);
  const bool taken = co_await queue_.push(std::move(blocks));
  watch_.reading(true);
  if (!taken) co_return Error{ErrorKind::disconnected, "the connection is ending", ""};
  co_return Result<void>();
}

void Copier::count(std::uint64_t log_bytes) {
  const std::uint64_t received = connection_.bytes_received();
  owner_.log_received(log_bytes, received - counted_bytes_);
  counted_bytes_ = received;
}

Task<Result<void>> Copier::write(TaskGroup& peer) {
  const Result<void> ended = co_await write_blocks();
  if (!ended.ok()) peer.stop();
  co_return ended;
}

// One sync covers everything that came while the last one ran.
Task<Result<void>> Copier::write_blocks() {
  for (;;) {
    std::optional<Blocks> blocks = co_await queue_.pop();
    if (blocks) {
      CCR_CO_TRY(co_await incoming_->accept(blocks->generation, blocks->offset, blocks->bytes));
      unsynced_bytes_ += blocks->bytes.size();
      if (queue_.size() > 0 && unsynced_bytes_ < unsynced_bytes_max) continue;
    }
    if (unsynced_bytes_ > 0) {
      CCR_CO_TRY(co_await incoming_->sync());
      unsynced_bytes_ = 0;
      owner_.log_durable();
    }
    if (!blocks) co_return Result<void>();
    const Result<void> told = co_await report();
    if (!told.ok()) continue;  // the connection's own tasks end it
  }
}

Task<Result<void>> Copier::report() {
  transport::Watermarks watermarks = owner_.watermarks();
  told_changes_ = owner_.standing().changes();
  const bool news = watermarks != told_;
  told_ = watermarks;
  if (news) watch_.stir();
  watermarks.at_rest = watch_.rests();
  watermarks.echo = last_echo_;
  if (last_tip_ <= watermarks.durable) covered_echo_ = last_echo_;
  watermarks.echo_of_data = covered_echo_;
  receiver_.answer(watermarks);
  transport::Message message(std::move(watermarks));
  co_return co_await connection_.send(std::move(message));
}

Task<Result<void>> Copier::beat() {
  for (;;) {
    watch_.try_rest();
    CCR_CO_TRY(co_await report());
    co_await watch_.pause();
  }
}

// A new state is news for whoever asks the active node; it does not wait for the next beat.
Task<Result<void>> Copier::tell_changes() {
  for (;;) {
    while (owner_.standing().changes() == told_changes_) co_await owner_.changed().wait();
    CCR_CO_TRY(co_await report());
  }
}

}  // namespace ccr::engine
