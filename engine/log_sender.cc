#include "engine/log_sender.h"

#include <utility>

namespace ccr::engine {

using transport::LogPacked;
using transport::LogPacker;

LogSender::LogSender(NodeContext& context, transport::FramedConnection& connection, CopyFacts& facts)
    : context_(context),
      connection_(connection),
      facts_(facts),
      plan_(transport::compression_setting(context.config.transport.compression)),
      ask_again_at_(context.clock.now()) {
  tell();
}

Task<Result<void>> LogSender::send(Position from, ByteView log, bool behind) {
  CCR_ASSERT(!log.empty() && log.size() <= LogPacker::piece_bytes_max);
  transport::SentPiece piece;
  piece.raw_bytes = log.size();
  piece.behind = behind;
  const Instant began = context_.clock.now();
  const std::uint64_t bytes_before = connection_.bytes_sent();
  const bool wanted = plan_.packs(behind);
  if (wanted && !stream_ && began >= ask_again_at_) CCR_CO_TRY(co_await ask());
  if (wanted && ready()) {
    CCR_CO_TRY(co_await send_packed(from, log, piece));
  } else {
    CCR_CO_TRY(co_await send_as_it_is(from, log));
  }
  piece.wire_bytes = connection_.bytes_sent() - bytes_before;  // a tip that went between counts too, and hardly
  piece.at = context_.clock.now();
  piece.sending = piece.at - began - piece.packing;
  plan_.sent(piece);
  packed_last_ = piece.packed;
  tell();
  co_return Result<void>();
}

Task<Result<void>> LogSender::ask() {
  Stream stream;
  stream.lease = context_.histories.lease_packing(plan_.level(), transport::history_log_max);
  if (stream.lease.history_log() == 0) {
    give_up(context_.clock.now());
    co_return Result<void>();
  }
  stream.number = ++streams_asked_;
  LogPacked ask;
  ask.step = LogPacked::Step::ask;
  ask.stream = stream.number;
  ask.history_log = static_cast<std::uint8_t>(stream.lease.history_log());
  stream_.emplace(std::move(stream));
  packed_at_ = context_.clock.now();
  transport::Message message(ask);
  co_return co_await connection_.send(std::move(message));
}

void LogSender::granted(std::uint32_t stream, int history_log) {
  if (!stream_ || stream_->number != stream || stream_->granted) return;
  stream_->granted = history_log;
}

void LogSender::give_up(Instant now) {
  stream_.reset();
  ask_again_at_ = now + ask_pause;
}

// Begins the stream when it was granted, and begins it anew where the plan has another level.
bool LogSender::ready() {
  if (!stream_ || !stream_->granted) return false;
  if (*stream_->granted == 0) {
    give_up(context_.clock.now());
    return false;
  }
  if (!stream_->packer || stream_->packer->level() != plan_.level()) {
    const int history_log = std::min(*stream_->granted, stream_->lease.history_log());
    if (!stream_->packer && history_log < stream_->lease.history_log()) {
      stream_->lease.release();
      stream_->lease = context_.histories.lease_packing(plan_.level(), history_log);
    }
    if (stream_->lease.history_log() == 0) {
      give_up(context_.clock.now());  // the ask that follows takes the place of this one over there
      return false;
    }
    stream_->packer.emplace(plan_.level(), stream_->lease.history_log());
  }
  return true;
}

Task<Result<void>> LogSender::send_packed(Position from, ByteView log, transport::SentPiece& piece) {
  struct Held {
    bool& flag;
    explicit Held(bool& f) : flag(f) { flag = true; }
    ~Held() { flag = false; }
  } held(packing_);
  LogPacker& packer = *stream_->packer;
  LogPacked packed;
  packed.generation = from.generation;
  packed.offset = from.offset;
  packed.stream = stream_->number;
  packed.step = packer.fresh() ? LogPacked::Step::fresh : LogPacked::Step::more;
  packed.history_log = static_cast<std::uint8_t>(packer.fresh() ? packer.history_log() : 0);
  packed.raw_bytes = static_cast<std::uint32_t>(log.size());
  const Instant began = context_.clock.now();
  Result<ByteView> bytes = ByteView{};
  if (log.size() <= inline_bytes_max) {
    bytes = packer.pack(log);
  } else {
    auto work = [&bytes, &packer, log] { bytes = packer.pack(log); };
    std::function<void()> on_pool(work);
    co_await context_.cpu.run(std::move(on_pool));
  }
  packed_at_ = context_.clock.now();
  piece.packing = packed_at_ - began;
  if (!bytes.ok()) {
    give_up(packed_at_);
    co_return co_await send_as_it_is(from, log);
  }
  packed.packed = *bytes;
  piece.packed = true;
  transport::Message message(packed);
  co_return co_await connection_.send(std::move(message));
}

Task<Result<void>> LogSender::send_as_it_is(Position from, ByteView log) {
  transport::LogData data;
  data.generation = from.generation;
  data.offset = from.offset;
  data.bytes = log;
  transport::Message message(data);
  co_return co_await connection_.send(std::move(message));
}

Task<Result<void>> LogSender::rest() {
  if (!stream_ || packing_ || context_.clock.now() - packed_at_ < rest_max) co_return Result<void>();
  LogPacked end;
  end.step = LogPacked::Step::end;
  end.stream = stream_->number;
  stream_.reset();
  tell();
  transport::Message message(end);
  co_return co_await connection_.send(std::move(message));
}

void LogSender::tell() {
  PackingFacts& told = facts_.packing;
  const bool open = packed_last_ && stream_ && stream_->packer;
  told.level = open ? stream_->packer->level() : 0;
  told.history_bytes = open ? std::uint64_t(1) << stream_->packer->history_log() : 0;
  told.reason = plan_.reason();
}

}  // namespace ccr::engine
