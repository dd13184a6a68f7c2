#include "engine/measure_client.h"

#include <utility>

#include "base/timeout.h"
#include "engine/measure_service.h"
#include "engine/peer_client.h"
#include "seed/seed_source.h"

namespace ccr::engine {

using transport::MeasureAsk;
using transport::MeasureData;
using transport::MeasureEnd;
using transport::MeasureStep;

namespace {

std::uint32_t milliseconds_of(Duration duration) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

Task<Result<std::unique_ptr<MeasureClient>>> MeasureClient::connect(NodeContext& context, std::string peer, std::uint64_t run,
                                                                    MeasureWish wish) {
  transport::Hello hello;
  hello.purpose = transport::Purpose::measure;
  Result<PeerSession> session = co_await connect_to_active(context, std::move(peer), std::move(hello));
  if (!session.ok()) co_return session.error();
  const transport::ConnectionWish mine{wish.window, name_of(wish.congestion)};
  session->connection->wish(mine);
  std::unique_ptr<MeasureClient> client(new MeasureClient(context, run, wish, std::move(session->connection)));
  // A refusal must not meet what is on its way to the peer already: its end would be reset, and the refusal lost.
  const Result<MeasureEnd> taken = co_await client->look();
  if (!taken.ok()) co_return taken.error();
  co_return std::move(client);
}

Task<Result<void>> MeasureClient::ask(MeasureAsk ask) {
  ask.run = run_;
  ask.window = wish_.window;
  ask.congestion = wish_.congestion;
  transport::Message message(std::move(ask));
  co_return co_await connection_->send(std::move(message));
}

Task<Result<MeasureEnd>> MeasureClient::end_of_step() {
  Result<transport::Message> message = co_await connection_->receive();
  if (!message.ok()) co_return message.error();
  const auto* end = std::get_if<MeasureEnd>(&*message);
  if (end == nullptr) co_return unexpected(*connection_, *message);
  co_return *end;
}

Task<Result<MeasureEnd>> MeasureClient::bounded(Duration how_long, Task<Result<MeasureEnd>> step) {
  std::string what = "a step of the measurement with " + connection_->peer().text();
  co_return co_await with_timeout(context_.clock, how_long + step_grace_max, std::move(what), std::move(step));
}

Task<Result<MeasureEnd>> MeasureClient::ask_and_wait(MeasureAsk wanted) {
  CCR_CO_TRY(co_await ask(std::move(wanted)));
  co_return co_await end_of_step();
}

Task<Result<MeasureEnd>> MeasureClient::look() {
  MeasureAsk wanted;
  Task<Result<MeasureEnd>> step = ask_and_wait(std::move(wanted));
  co_return co_await bounded(Duration::zero(), std::move(step));
}

Task<Result<MeasureEnd>> MeasureClient::disk(std::string database, std::uint32_t block_bytes, Duration how_long) {
  MeasureAsk wanted;
  wanted.step = MeasureStep::disk;
  wanted.database = std::move(database);
  wanted.message_bytes = block_bytes;
  wanted.milliseconds = milliseconds_of(how_long);
  Task<Result<MeasureEnd>> step = ask_and_wait(std::move(wanted));
  co_return co_await bounded(how_long, std::move(step));
}

Task<Result<MeasureEnd>> MeasureClient::ask_and_send(MeasureAsk wanted, StreamPlan plan, Counting counting) {
  CCR_CO_TRY(co_await ask(std::move(wanted)));
  const Result<MeasureEnd> sent =
      co_await send_stream(*connection_, context_.clock, context_.random.fork(), plan, std::move(counting));
  if (!sent.ok()) co_return sent.error();
  co_return co_await end_of_step();
}

Task<Result<MeasureEnd>> MeasureClient::send(StreamPlan plan, Counting counting) {
  MeasureAsk wanted;
  wanted.step = MeasureStep::receive;
  wanted.milliseconds = milliseconds_of(plan.how_long);
  Task<Result<MeasureEnd>> step = ask_and_send(std::move(wanted), plan, std::move(counting));
  co_return co_await bounded(plan.how_long, std::move(step));
}

Task<Result<MeasureEnd>> MeasureClient::ask_and_receive(MeasureAsk wanted, StreamPlan plan, Counting counting) {
  CCR_CO_TRY(co_await ask(std::move(wanted)));
  co_return co_await receive_stream(*connection_, context_.clock, plan.how_long, std::move(counting));
}

Task<Result<MeasureEnd>> MeasureClient::receive(StreamPlan plan, Counting counting) {
  MeasureAsk wanted;
  wanted.step = MeasureStep::send;
  wanted.milliseconds = milliseconds_of(plan.how_long);
  wanted.bytes_max = plan.bytes_max;
  wanted.message_bytes = plan.message_bytes;
  Task<Result<MeasureEnd>> step = ask_and_receive(std::move(wanted), plan, std::move(counting));
  co_return co_await bounded(plan.how_long, std::move(step));
}

Task<Result<MeasureEnd>> MeasureClient::ask_and_echo(MeasureAsk wanted, std::uint32_t bytes, LatencyHistogram& round_trips,
                                                     ProbeFile* file) {
  const Duration how_long = std::chrono::milliseconds(wanted.milliseconds);
  CCR_CO_TRY(co_await ask(std::move(wanted)));
  AlignedBuffer content(bytes);
  MeasureData data;
  Instant end;
  while (data.number < echoes_max) {
    const Instant before = context_.clock.now();
    if (file != nullptr) CCR_CO_TRY(co_await file->write_and_sync(content.view()));
    ++data.number;
    data.bytes = content.view();
    transport::Message message(data);
    CCR_CO_TRY(co_await connection_->send(std::move(message)));
    Result<transport::Message> answer = co_await connection_->receive();
    if (!answer.ok()) co_return answer.error();
    const auto* back = std::get_if<MeasureData>(&*answer);
    if (back == nullptr || back->number != data.number) co_return unexpected(*connection_, *answer);
    const Instant now = context_.clock.now();
    // The peer may have made a file before its first answer: that is no round trip.
    if (data.number == 1) {
      end = now + how_long;
      continue;
    }
    round_trips.add(now - before);
    if (now >= end) break;
  }
  transport::Message ending(MeasureEnd{});
  CCR_CO_TRY(co_await connection_->send(std::move(ending)));
  co_return co_await end_of_step();
}

Task<Result<void>> MeasureClient::echo(std::uint32_t bytes, Duration how_long, LatencyHistogram& round_trips, ProbeFile* file,
                                       std::string database) {
  MeasureAsk wanted;
  wanted.step = file == nullptr ? MeasureStep::echo : MeasureStep::sync_echo;
  wanted.milliseconds = milliseconds_of(how_long);
  wanted.database = std::move(database);
  Task<Result<MeasureEnd>> step = ask_and_echo(std::move(wanted), bytes, round_trips, file);
  const Result<MeasureEnd> ended = co_await bounded(how_long, std::move(step));
  if (!ended.ok()) co_return ended.error();
  co_return Result<void>();
}

// Until the target has let go: it says so inside the seed, and nothing follows before this side has said that it heard.
Task<Result<void>> MeasureClient::serve(SeedProbe& pages, TaskGroup& group) {
  seed::SeedLimits limits;
  limits.clock = &context_.clock;
  limits.cpu = &context_.cpu;
  limits.compression = transport::compression_setting(context_.config.transport.compression);
  const Result<void> served = co_await seed::serve_seed(*connection_, pages, context_.config.node, limits);
  group.stop();
  co_return served.ok() ? Result<void>(Error{ErrorKind::disconnected, connection_->peer().text() + " ended the seed", ""}) : served;
}

namespace {

Task<Result<void>> stop_when_released(SeedProbe& pages, TaskGroup& group) {
  co_await pages.wait_released();
  group.stop();
  co_return Result<void>();
}

}  // namespace

Task<Result<MeasureEnd>> MeasureClient::ask_and_seed(MeasureAsk wanted, SeedProbe& pages) {
  CCR_CO_TRY(co_await ask(std::move(wanted)));
  const Result<MeasureEnd> ready = co_await end_of_step();
  if (!ready.ok()) co_return ready.error();
  TaskGroup group(context_.executor);
  group.spawn(serve(pages, group));
  group.spawn(stop_when_released(pages, group));
  CCR_CO_TRY(co_await group.join());
  transport::Message ending(MeasureEnd{});
  CCR_CO_TRY(co_await connection_->send(std::move(ending)));
  co_return co_await end_of_step();
}

Task<Result<MeasureEnd>> MeasureClient::seed(SeedProbe& pages, Duration how_long, std::string database) {
  MeasureAsk wanted;
  wanted.step = MeasureStep::seed;
  wanted.milliseconds = milliseconds_of(how_long);
  wanted.bytes_max = pages.bytes();
  wanted.message_bytes = pages.page_size();
  wanted.database = std::move(database);
  Task<Result<MeasureEnd>> step = ask_and_seed(std::move(wanted), pages);
  co_return co_await bounded(how_long, std::move(step));
}

}  // namespace ccr::engine
