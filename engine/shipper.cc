#include "engine/shipper.h"

#include <utility>

namespace ccr::engine {

Shipper::Shipper(ActiveCopy& active, transport::FramedConnection& connection, std::string node, Position from)
    : active_(active),
      connection_(connection),
      node_(std::move(node)),
      generation_(from.generation),
      offset_(from.offset),
      reader_(active.context().disk, active.log_directory()),
      watch_(active.context().clock, active.context().config.transport),
      sender_(active.context(), connection, active.copies().of(node_)),
      counted_bytes_(connection.bytes_sent()),
      buffer_(chunk_bytes_max) {}

Task<Result<void>> Shipper::run() {
  CopyFacts& facts = active_.copies().of(node_);
  active_.copies().connected(node_);
  struct Connected {
    CopyFacts& copy;
    ~Connected() {
      copy.connected = false;
      copy.block_mode = false;
      copy.bytes_per_second = 0;
      copy.packing = {};
    }
  } connected{facts};
  facts.path = connection_.peer();
  TaskGroup group(active_.context().executor);
  group.spawn(ship());
  group.spawn(beat());
  group.spawn(listen());
  group.spawn(watch_.run(connection_));
  co_return co_await group.join();
}

Task<Result<void>> Shipper::ship() {
  CopyFacts& facts = active_.copies().of(node_);
  for (;;) {
    const Position durable = active_.tip().durable;
    storage::BlockReader::Chunk chunk;
    if (generation_.number != 0) {
      const Result<storage::BlockReader::Chunk> read = co_await reader_.read(generation_, offset_, durable, buffer_.span());
      if (!read.ok()) co_return read.error();
      chunk = *read;
    }
    if (chunk.bytes == 0) {
      facts.block_mode = true;
      if (told_ != durable) {
        CCR_CO_TRY(co_await send_tip());
      }
      if (active_.tip().durable == durable) co_await active_.tip_changed().wait();
      continue;
    }
    if (chunk.bytes == chunk_bytes_max || chunk.sealed) facts.block_mode = false;
    const Position from{chunk.generation, chunk.offset};
    const bool behind = durable.generation.number > from.generation.number + (chunk.sealed ? 1 : 0) ||
                        (!chunk.sealed && durable.offset >= from.offset + chunk.bytes + chunk_bytes_max);
    const ByteView log = buffer_.view().first(chunk.bytes);
    CCR_CO_TRY(co_await sender_.send(from, log, behind));
    count(chunk.bytes);
    offset_ = chunk.offset + chunk.bytes;
    if (chunk.sealed) {
      generation_ = generation_.next();
      offset_ = 0;
    }
  }
}

void Shipper::count(std::uint64_t log_bytes) {
  const std::uint64_t sent = connection_.bytes_sent();
  active_.copies().shipped(node_, log_bytes, sent - counted_bytes_);
  counted_bytes_ = sent;
}

Task<Result<void>> Shipper::send_tip() {
  const ActiveCopy::Tip& now = active_.tip();
  transport::Tip tip;
  tip.durable = now.durable;
  tip.commit = now.commit;
  tip.page_count = now.page_count;
  tip.root = now.root;
  tip.root_known = now.root_known;
  tip.epoch = active_.log().epoch();
  tip.wall = active_.context().clock.wall_now();
  tip.sent_at = static_cast<std::uint64_t>(active_.context().clock.now().nanoseconds);
  told_ = now.durable;
  transport::Message message(tip);
  co_return co_await connection_.send(std::move(message));
}

// Also when nothing happens: the copy then knows that it lacks nothing, and can compare roots on an idle database.
Task<Result<void>> Shipper::beat() {
  for (;;) {
    CCR_CO_TRY(co_await send_tip());
    active_.copies().of(node_).connection = connection_.facts();
    CCR_CO_TRY(co_await sender_.rest());
    count(0);
    co_await active_.context().clock.sleep(active_.context().config.transport.heartbeat_interval);
  }
}

Task<Result<void>> Shipper::listen() {
  for (;;) {
    Result<transport::Message> message = co_await connection_.receive();
    if (!message.ok()) co_return message.error();
    watch_.heard();
    const auto* watermarks = std::get_if<transport::Watermarks>(&*message);
    if (watermarks == nullptr) {
      co_return Error{ErrorKind::protocol, connection_.peer().text() + " sent a message of type " +
                                               std::to_string(transport::type_of(*message)) + " on a log connection", ""};
    }
    take(*watermarks);
  }
}

// A copy's report moves its own pins only, and never beyond what this log has.
void Shipper::take(const transport::Watermarks& watermarks) {
  active_.copies().heard(node_, watermarks);
  sender_.granted(watermarks.history_stream, watermarks.history_log);
  std::vector<storage::Pin>& pins = active_.keeper().state().pins;
  const Position durable = active_.tip().durable;
  const bool has_pages = watermarks.state != "needs_seed" && watermarks.state != "seeding";
  if (!has_pages || watermarks.inspected > durable) return;
  const storage::Pin* seed = find_pin(pins, node_, storage::Pin::Kind::seed);
  if (seed != nullptr && watermarks.state != "healthy") return;
  if (seed != nullptr) {
    // The seed is over: what the copy lacks from here on is what it has not inspected, also when the budget had dropped it before.
    remove_pin(pins, node_, storage::Pin::Kind::seed);
    remove_pin(pins, node_, storage::Pin::Kind::copy);
  }
  move_copy_pin(pins, node_, watermarks.inspected);
}

}  // namespace ccr::engine
