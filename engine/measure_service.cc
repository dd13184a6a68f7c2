#include "engine/measure_service.h"

#include <utility>

#include "base/timeout.h"
#include "engine/measure_stream.h"
#include "engine/seed_probe.h"

namespace ccr::engine {

using transport::MeasureAsk;
using transport::MeasureData;
using transport::MeasureEnd;
using transport::MeasureStep;

Result<void> MeasureTurn::join(const std::string& owner, std::uint64_t run) {
  if (connections_ > 0 && (owner != owner_ || run != run_))
    return Error{ErrorKind::busy, "a measurement of " + owner_ + " runs there",
                 "try again in a minute: a node takes part in one at a time"};
  if (connections_ == connections_max)
    return Error{ErrorKind::busy, "a measurement has at most " + std::to_string(connections_max) + " connections", ""};
  owner_ = owner;
  run_ = run;
  ++connections_;
  return {};
}

void MeasureTurn::leave() {
  CCR_ASSERT(connections_ > 0);
  --connections_;
}

const char* name_of(transport::MeasureCongestion congestion) noexcept {
  switch (congestion) {
    case transport::MeasureCongestion::as_configured:
      return "";
    case transport::MeasureCongestion::cubic:
      return "cubic";
    case transport::MeasureCongestion::bbr:
      return "bbr";
    case transport::MeasureCongestion::reno:
      return "reno";
  }
  return "";
}

std::optional<transport::MeasureCongestion> congestion_of(const std::string& name) noexcept {
  using transport::MeasureCongestion;
  for (const MeasureCongestion each :
       {MeasureCongestion::as_configured, MeasureCongestion::cubic, MeasureCongestion::bbr, MeasureCongestion::reno}) {
    if (name == name_of(each)) return each;
  }
  return std::nullopt;
}

Task<Result<void>> MeasureService::serve(std::unique_ptr<transport::FramedConnection> connection, std::string peer) {
  std::string what = "a connection of " + peer + " that measures";
  Task<Result<void>> answering = answer_asks(*connection, std::move(peer));
  const Result<void> ended = co_await with_timeout(context_.clock, connection_life_max, std::move(what), std::move(answering));
  if (!ended.ok() && ended.error().kind == ErrorKind::disconnected) co_return Result<void>();
  co_return ended;
}

Task<Result<void>> MeasureService::answer_asks(transport::FramedConnection& connection, std::string peer) {
  struct Place {
    MeasureTurn& turn;
    bool taken = false;
    ~Place() {
      if (taken) turn.leave();
    }
  } place{turn_};
  for (;;) {
    Result<transport::Message> message = co_await connection.receive();
    if (!message.ok()) co_return message.error();
    const auto* asked = std::get_if<MeasureAsk>(&*message);
    if (asked == nullptr) co_return unexpected(connection, *message);
    MeasureAsk ask = *asked;
    if (!place.taken) {
      const Result<void> joined = turn_.join(peer, ask.run);
      if (!joined.ok()) {
        transport::Message refusal(transport::Refuse{transport::RefuseReason::busy,
                                                     context_.config.node + ": " + joined.error().message, joined.error().hint});
        CCR_CO_TRY(co_await connection.send(std::move(refusal)));
        co_return joined.error();
      }
      place.taken = true;
    }
    const transport::ConnectionWish wish{ask.window, name_of(ask.congestion)};
    connection.wish(wish);
    CCR_CO_TRY(co_await take_part(connection, std::move(ask)));
  }
}

Task<Result<void>> MeasureService::take_part(transport::FramedConnection& connection, MeasureAsk ask) {
  StreamPlan plan{std::chrono::milliseconds(ask.milliseconds), ask.bytes_max, ask.message_bytes};
  if (ask.step == MeasureStep::send) {
    const Result<MeasureEnd> sent = co_await send_stream(connection, context_.clock, context_.random.fork(), plan);
    if (!sent.ok()) co_return sent.error();
    co_return Result<void>();
  }
  Result<MeasureEnd> end(MeasureEnd{});
  if (ask.step == MeasureStep::receive) {
    end = co_await receive_stream(connection, context_.clock, plan.how_long);
  } else if (ask.step == MeasureStep::disk) {
    end = co_await disk(std::move(ask));
  } else if (ask.step == MeasureStep::seed) {
    end = co_await seed(connection, std::move(ask));
  } else if (ask.step == MeasureStep::echo || ask.step == MeasureStep::sync_echo) {
    end = co_await echo(connection, std::move(ask));
  }
  if (!end.ok()) {
    if (end.error().kind == ErrorKind::disconnected) co_return end.error();
    transport::Message refusal(
        transport::Refuse{transport::RefuseReason::not_ready, context_.config.node + ": " + end.error().message, end.error().hint});
    CCR_CO_TRY(co_await connection.send(std::move(refusal)));
    co_return end.error();
  }
  end->processor_nanoseconds = processor_nanoseconds(context_.clock);
  transport::Message message(*end);
  co_return co_await connection.send(std::move(message));
}

Task<Result<MeasureEnd>> MeasureService::disk(MeasureAsk ask) {
  std::string directory = co_await probe_directory(context_, std::move(ask.database));
  Result<std::unique_ptr<ProbeFile>> file = co_await ProbeFile::open(context_.disk, std::move(directory));
  if (!file.ok()) co_return file.error();
  const Duration how_long = std::chrono::milliseconds(ask.milliseconds);
  co_return co_await probe_disk(context_.clock, **file, ask.message_bytes, how_long);
}

Task<Result<MeasureEnd>> MeasureService::seed(transport::FramedConnection& connection, MeasureAsk ask) {
  std::string directory = co_await probe_directory(context_, std::move(ask.database));
  std::string name = "probe-" + to_hex(ask.run) + "-" + std::to_string(++probes_);
  std::string what = "the seed of a measurement";
  const Duration how_long = std::chrono::milliseconds(ask.milliseconds);
  Task<Result<MeasureEnd>> seeding = take_seed_probe(context_, connection, std::move(directory), std::move(name), ask.bytes_max);
  co_return co_await with_timeout(context_.clock, how_long, std::move(what), std::move(seeding));
}

Task<Result<MeasureEnd>> MeasureService::echo(transport::FramedConnection& connection, MeasureAsk ask) {
  std::unique_ptr<ProbeFile> file;
  if (ask.step == MeasureStep::sync_echo) {
    std::string directory = co_await probe_directory(context_, std::move(ask.database));
    Result<std::unique_ptr<ProbeFile>> opened = co_await ProbeFile::open(context_.disk, std::move(directory));
    if (!opened.ok()) co_return opened.error();
    file = std::move(*opened);
  }
  MeasureEnd end;
  for (;;) {
    Result<transport::Message> message = co_await connection.receive();
    if (!message.ok()) co_return message.error();
    if (std::holds_alternative<MeasureEnd>(*message)) co_return end;
    const auto* data = std::get_if<MeasureData>(&*message);
    if (data == nullptr) co_return unexpected(connection, *message);
    MeasureData back = *data;  // its bytes stay until the next receive()
    end.bytes += back.bytes.size();
    if (file != nullptr) {
      CCR_CO_TRY(co_await file->write_and_sync(back.bytes));
      back.bytes = back.bytes.first(transport::measure_grain_bytes);
    }
    transport::Message answer(back);
    CCR_CO_TRY(co_await connection.send(std::move(answer)));
  }
}

}  // namespace ccr::engine
