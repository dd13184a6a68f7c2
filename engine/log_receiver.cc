#include "engine/log_receiver.h"

#include <string>
#include <utility>

namespace ccr::engine {

using Step = transport::LogPacked::Step;

Task<Result<Bytes>> LogReceiver::take(const transport::LogPacked& message) {
  Bytes log;
  if (message.step == Step::ask) {
    lease(message);
    co_return log;
  }
  CCR_CO_TRY(check(message));
  if (message.step == Step::end) {
    unpacker_.reset();
    lease_.release();
    co_return log;
  }
  if (message.step == Step::fresh) {
    unpacker_.emplace(lease_.history_log());
    CCR_CO_TRY(unpacker_->begin(message.packed));
  }
  if (!unpacker_) co_return Error{ErrorKind::protocol, "packed log of a stream that did not begin", ""};
  log.resize(message.raw_bytes);
  Result<void> unpacked;
  auto work = [&unpacked, &log, &message, this] { unpacked = unpacker_->unpack(message.packed, log); };
  if (log.size() <= inline_bytes_max) {
    work();
  } else {
    std::function<void()> on_pool(work);
    co_await context_.cpu.run(std::move(on_pool));
  }
  if (!unpacked.ok()) co_return unpacked.error();
  co_return log;
}

void LogReceiver::lease(const transport::LogPacked& ask) {
  unpacker_.reset();
  lease_.release();
  stream_ = ask.stream;
  owes_answer_ = true;
  if (context_.config.transport.compression == "none") return;
  lease_ = context_.histories.lease_unpacking(ask.history_log);
}

// A stream is what this end granted, and no more.
Result<void> LogReceiver::check(const transport::LogPacked& message) const {
  if (message.stream != stream_) {
    return Error{ErrorKind::protocol,
                 "packed log of stream " + std::to_string(message.stream) + ", asked for was " + std::to_string(stream_), ""};
  }
  if (message.step == Step::end) return {};
  if (lease_.history_log() == 0) return Error{ErrorKind::protocol, "packed log, and nothing was granted for it", ""};
  if (message.history_log > lease_.history_log()) {
    return Error{ErrorKind::protocol,
                 "packed log with a history of 2^" + std::to_string(message.history_log) + " bytes, granted were 2^" +
                     std::to_string(lease_.history_log()),
                 ""};
  }
  return {};
}

void LogReceiver::answer(transport::Watermarks& marks) {
  marks.history_stream = stream_;
  marks.history_log = static_cast<std::uint8_t>(lease_.history_log());
  owes_answer_ = false;
}

}  // namespace ccr::engine
