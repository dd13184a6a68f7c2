#include "engine/measure_stream.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

using transport::MeasureData;
using transport::MeasureEnd;

void StreamCounter::add(Instant at, std::uint64_t bytes) {
  if (total_ == 0) first_at_ = at, first_bytes_ = bytes;
  total_ += bytes;
  last_at_ = at;
  const Duration since = at - begun_;
  const auto slot = static_cast<std::size_t>(since / transport::measure_slot);
  if (slot < transport::measure_slots_max) {
    if (slots_.size() <= slot) slots_.resize(slot + 1);
    slots_[slot] += bytes;
  }
  if (since > warm_up_ && since <= how_long_) warm_bytes_ += bytes;
}

// The window is one of the clock, the same for all streams: they come in turns, a burst of each, and a window that begins with a
// burst of its own stream has more than its share of them.
MeasureEnd StreamCounter::counted() const {
  MeasureEnd end;
  end.slots = slots_;
  const Duration warm = std::min(last_at_ - begun_, how_long_) - warm_up_;
  const bool warmed = warm_bytes_ > 0 && warm > Duration::zero();
  end.bytes = warmed ? warm_bytes_ : total_ - first_bytes_;
  end.nanoseconds = static_cast<std::uint64_t>((warmed ? warm : last_at_ - first_at_).count());
  return end;
}

std::uint64_t processor_nanoseconds(const Clock& clock) {
  const std::optional<Duration> used = clock.processor_time();
  return used ? static_cast<std::uint64_t>(used->count()) : 0;
}

Error unexpected(const transport::FramedConnection& connection, const transport::Message& message) {
  if (const auto* refuse = std::get_if<transport::Refuse>(&message)) {
    const bool later = refuse->reason == transport::RefuseReason::busy;
    return {later ? ErrorKind::busy : ErrorKind::refused, refuse->text, refuse->hint};
  }
  return {
      ErrorKind::protocol,
      connection.peer().text() + " sent " + transport::type_name(transport::type_of(message)) + " on a connection that measures",
      ""};
}

Task<Result<MeasureEnd>> send_stream(transport::FramedConnection& connection, Clock& clock, Random random, StreamPlan plan,
                                     Counting counting) {
  AlignedBuffer content(plan.message_bytes);
  Encoder encoder(content.span());
  while (encoder.written() + 8 <= content.size()) encoder.u64(random.next());
  StreamCounter counter(clock.now(), plan.how_long);
  const Instant end = clock.now() + plan.how_long;
  MeasureData data;
  while (clock.now() < end && (plan.bytes_max == 0 || counter.total() < plan.bytes_max)) {
    ++data.number;
    data.bytes = content.view();
    transport::Message message(data);
    CCR_CO_TRY(co_await connection.send(std::move(message)));
    counter.add(clock.now(), data.bytes.size());
    if (counting) counting(data.bytes.size());
  }
  MeasureEnd sent = counter.counted();
  sent.processor_nanoseconds = processor_nanoseconds(clock);
  const transport::ConnectionFacts facts = connection.facts();
  sent.congestion = facts.congestion;
  sent.retransmits = facts.retransmits.value_or(0);
  sent.slots.clear();  // of what arrives only
  transport::Message message(sent);
  CCR_CO_TRY(co_await connection.send(std::move(message)));
  co_return sent;
}

Task<Result<MeasureEnd>> receive_stream(transport::FramedConnection& connection, Clock& clock, Duration how_long,
                                        Counting counting) {
  StreamCounter counter(clock.now(), how_long);
  MeasureEnd sent;
  for (;;) {
    Result<transport::Message> message = co_await connection.receive();
    if (!message.ok()) co_return message.error();
    if (auto* end = std::get_if<MeasureEnd>(&*message)) {
      sent = std::move(*end);
      break;
    }
    const auto* data = std::get_if<MeasureData>(&*message);
    if (data == nullptr) co_return unexpected(connection, *message);
    counter.add(clock.now(), data->bytes.size());
    if (counting) counting(data->bytes.size());
  }
  MeasureEnd received = counter.counted();
  received.congestion = std::move(sent.congestion);
  received.retransmits = sent.retransmits;
  received.processor_nanoseconds = processor_nanoseconds(clock);
  co_return received;
}

double processors_used(std::uint64_t before, std::uint64_t after, Duration elapsed) {
  if (before == 0 || after < before || elapsed <= Duration::zero()) return -1;
  return static_cast<double>(after - before) / static_cast<double>(elapsed.count());
}

}  // namespace ccr::engine
