#include "engine/copier.h"

#include <utility>

namespace ccr::engine {

Copier::Copier(NodeContext& context, storage::IncomingLog* incoming, transport::FramedConnection& connection, CopierOwner& owner)
    : context_(context),
      incoming_(incoming),
      connection_(connection),
      owner_(owner),
      queue_(context.executor, queue_items_max),
      watch_(context.clock, context.config.transport) {}

Task<Result<void>> Copier::run() {
  TaskGroup group(context_.executor);
  group.spawn(listen());
  if (incoming_ != nullptr) group.spawn(write());
  group.spawn(beat());
  group.spawn(watch_.run(connection_));
  co_return co_await group.join();
}

Task<Result<void>> Copier::listen() {
  for (;;) {
    Result<transport::Message> message = co_await connection_.receive();
    if (!message.ok()) co_return message.error();
    watch_.heard();
    if (const auto* tip = std::get_if<transport::Tip>(&*message)) {
      last_echo_ = tip->sent_at;
      last_tip_ = tip->durable;
      owner_.tip_heard(*tip);
      continue;
    }
    const auto* data = std::get_if<transport::LogData>(&*message);
    if (data == nullptr || incoming_ == nullptr) {
      co_return Error{ErrorKind::protocol,
                      connection_.peer().text() + " sent a message of type " + std::to_string(transport::type_of(*message)) + " on a log connection", ""};
    }
    Blocks blocks;
    blocks.generation = data->generation;
    blocks.offset = data->offset;
    blocks.bytes.assign(data->bytes.begin(), data->bytes.end());
    watch_.reading(false);
    const bool taken = co_await queue_.push(std::move(blocks));
    watch_.reading(true);
    CCR_ASSERT(taken);
  }
}

// One sync covers everything that came while the last one ran.
Task<Result<void>> Copier::write() {
  for (;;) {
    std::optional<Blocks> blocks = co_await queue_.pop();
    CCR_ASSERT(blocks.has_value());
    CCR_CO_TRY(co_await incoming_->accept(blocks->generation, blocks->offset, blocks->bytes));
    unsynced_bytes_ += blocks->bytes.size();
    if (queue_.size() > 0 && unsynced_bytes_ < unsynced_bytes_max) continue;
    CCR_CO_TRY(co_await incoming_->sync());
    unsynced_bytes_ = 0;
    owner_.log_durable();
    CCR_CO_TRY(co_await report());
  }
}

Task<Result<void>> Copier::report() {
  transport::Watermarks watermarks = owner_.watermarks();
  watermarks.echo = last_echo_;
  if (last_tip_ <= watermarks.durable) covered_echo_ = last_echo_;
  watermarks.echo_of_data = covered_echo_;
  transport::Message message(std::move(watermarks));
  co_return co_await connection_.send(std::move(message));
}

Task<Result<void>> Copier::beat() {
  for (;;) {
    CCR_CO_TRY(co_await report());
    co_await context_.clock.sleep(context_.config.transport.heartbeat_interval);
  }
}

}  // namespace ccr::engine
