#include "engine/shipper.h"

#include <utility>

namespace ccr::engine {

Shipper::Shipper(ActiveCopy& active, transport::FramedConnection& connection, const transport::Hello& hello)
    : active_(active),
      connection_(connection),
      node_(hello.from_node),
      generation_(hello.wanted.generation),
      offset_(hello.wanted.offset),
      reader_(active.context().disk, active.log_directory()),
      watch_(active.context().executor, active.context().clock, active.context().config.transport,
             active.context().pulses.of(node_, hello.address, Pulses::Dialled::there)),
      sender_(active.context(), connection, active.copies().of(node_)),
      counted_bytes_(connection.bytes_sent()),
      pieces_(active.context().executor, 1),
      sent_(active.context().executor) {}

Task<Result<void>> Shipper::run() {
  CopyFacts& facts = active_.copies().of(node_);
  struct Connected {
    CopyFacts& copy;
    const std::uint64_t number;
    ~Connected() {
      if (copy.connection_number != number) return;  // another took its place
      copy.heard_at = last_heard(copy);
      copy.pulse.reset();
      copy.connected = false;
      copy.block_mode = false;
      copy.bytes_per_second = 0;
      copy.packing = {};
    }
  } connected{facts, active_.copies().connected(node_)};
  facts.path = connection_.peer();
  facts.pulse = watch_.pulse();
  TaskGroup group(active_.context().executor);
  group.spawn(read_log());
  group.spawn(send_log());
  group.spawn(beat());
  group.spawn(listen());
  group.spawn(watch_.run(connection_));
  co_return co_await group.join();
}

AlignedBuffer Shipper::take_buffer() {
  if (spare_.empty()) return AlignedBuffer(chunk_bytes_max, AlignedBuffer::Content::any);
  AlignedBuffer buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

Task<Result<void>> Shipper::read_log() {
  CopyFacts& facts = active_.copies().of(node_);
  for (;;) {
    const Position durable = active_.tip().durable;
    storage::BlockReader::Chunk chunk;
    AlignedBuffer buffer = take_buffer();
    if (generation_.number != 0) {
      const ByteSpan room = buffer.span();
      const Result<storage::BlockReader::Chunk> read = co_await reader_.read(generation_, offset_, durable, room);
      if (!read.ok()) co_return co_await refuse(read.error());
      chunk = *read;
    }
    if (chunk.bytes == 0) {
      spare_.clear();
      spare_.push_back(std::move(buffer));
      CCR_CO_TRY(co_await rest(durable));
      continue;
    }
    ++chunks_;
    if (chunk.bytes == chunk_bytes_max || chunk.sealed) facts.block_mode = false;
    generation_ = chunk.sealed ? chunk.generation.next() : chunk.generation;
    offset_ = chunk.sealed ? 0 : chunk.offset + chunk.bytes;
    Piece piece;
    piece.from = {chunk.generation, chunk.offset};
    piece.bytes = chunk.bytes;
    piece.behind =
        durable.generation > generation_ || (durable.generation == generation_ && durable.offset >= offset_ + chunk_bytes_max);
    piece.buffer = std::move(buffer);
    const bool behind = piece.behind;
    ++unsent_;
    if (!co_await pieces_.push(std::move(piece))) co_return Result<void>();
    while (!behind && unsent_ > 0) co_await sent_.wait();
  }
}

// The copy is told what is the matter with the log here: it is no fault of the path, and nothing that another attempt soon would change.
Task<Result<void>> Shipper::refuse(Error why) {
  while (unsent_ > 0) co_await sent_.wait();
  transport::Message message(transport::Refuse{transport::RefuseReason::damaged, active_.context().config.node + " cannot read its log: " + why.message, why.hint});
  CCR_CO_TRY(co_await connection_.send(std::move(message)));
  co_return why;
}

// At the tail: the copy learns where the log ends, and what comes next is waited for.
Task<Result<void>> Shipper::rest(Position durable) {
  active_.copies().of(node_).block_mode = true;
  if (told_ != tip()) CCR_CO_TRY(co_await send_tip());
  if (active_.tip().durable == durable) co_await active_.tip_changed().wait();
  co_return Result<void>();
}

Task<Result<void>> Shipper::send_log() {
  for (;;) {
    std::optional<Piece> piece = co_await pieces_.pop();
    if (!piece) co_return Result<void>();
    watch_.stir();
    const ByteView log = piece->buffer.view().first(piece->bytes);
    CCR_CO_TRY(co_await sender_.send(piece->from, log, piece->behind));
    count(piece->bytes);
    spare_.push_back(std::move(piece->buffer));
    --unsent_;
    sent_.notify();
  }
}

void Shipper::count(std::uint64_t log_bytes) {
  const std::uint64_t sent = connection_.bytes_sent();
  active_.copies().shipped(node_, log_bytes, sent - counted_bytes_);
  counted_bytes_ = sent;
}

transport::Tip Shipper::tip() const {
  const ActiveCopy::Tip& now = active_.tip();
  transport::Tip tip;
  tip.durable = now.durable;
  tip.commit = now.commit;
  tip.page_count = now.page_count;
  tip.root = now.root;
  tip.root_known = now.root_known;
  tip.epoch = active_.log().epoch();
  return tip;
}

Task<Result<void>> Shipper::send_tip() {
  transport::Tip tip = this->tip();
  const bool news = tip != told_;
  told_ = tip;
  if (news) watch_.stir();
  tip.wall = active_.context().clock.wall_now();
  tip.sent_at = static_cast<std::uint64_t>(active_.context().clock.now().nanoseconds);
  tip.at_rest = watch_.rests();
  transport::Message message(tip);
  co_return co_await connection_.send(std::move(message));
}

// Also when nothing happens: the copy then knows that it lacks nothing, and can compare roots on an idle database.
Task<Result<void>> Shipper::beat() {
  for (std::uint64_t seen = chunks_;; seen = chunks_) {
    if (unsent_ == 0 && seen == chunks_) {
      for (AlignedBuffer& buffer : spare_) buffer.forget();
    }
    watch_.try_rest();
    CCR_CO_TRY(co_await send_tip());
    active_.copies().of(node_).connection = connection_.facts();
    CCR_CO_TRY(co_await sender_.rest());
    count(0);
    co_await watch_.pause();
  }
}

Task<Result<void>> Shipper::listen() {
  for (;;) {
    Result<transport::Message> message = co_await connection_.receive();
    if (!message.ok()) co_return message.error();
    const auto* watermarks = std::get_if<transport::Watermarks>(&*message);
    watch_.heard(watermarks != nullptr && watermarks->at_rest);
    if (watermarks == nullptr) co_return transport::unexpected(*message, "a log connection").within(connection_.peer().text());
    take(*watermarks);
  }
}

// A copy's report moves its own pins only, and never beyond what this log has.
void Shipper::take(const transport::Watermarks& watermarks) {
  active_.copies().heard(node_, watermarks);
  active_.watermarks_heard().notify();
  sender_.granted(watermarks.history_stream, watermarks.history_log);
  std::vector<storage::Pin>& pins = active_.keeper().state().pins;
  const Position durable = active_.tip().durable;
  if (watermarks.state == "needs_seed") remove_pin(pins, node_, storage::Pin::Kind::copy);  // what has no pages needs no log
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
