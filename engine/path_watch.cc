#include "engine/path_watch.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/timeout.h"
#include "engine/peer_client.h"

namespace ccr::engine {
namespace {

Task<Result<transport::PathBeat>> receive_beat(transport::FramedConnection& connection) {
  Result<transport::Message> message = co_await connection.receive();
  if (!message.ok()) co_return message.error();
  const auto* beat = std::get_if<transport::PathBeat>(&*message);
  if (beat == nullptr) co_return transport::unexpected(*message, "a connection for heartbeats").within(connection.peer().text());
  co_return *beat;
}

Task<Result<void>> exchange_beats(transport::FramedConnection& connection, std::uint64_t number, Pulse& pulse) {
  transport::Message beat(pulse.beat(number));
  CCR_CO_TRY(co_await connection.send(std::move(beat)));
  const Result<transport::PathBeat> answer = co_await receive_beat(connection);
  if (!answer.ok()) co_return answer.error();
  if (answer->number != number) co_return Error{ErrorKind::protocol, connection.peer().text() + " answered another heartbeat than the last", ""};
  pulse.heard(*answer);
  co_return Result<void>();
}

Task<Result<void>> beat_until_lost(NodeContext& context, std::string peer, transport::Endpoint address) {
  transport::Hello hello;
  hello.purpose = transport::Purpose::path;
  Result<PeerSession> session = co_await connect_over(context, peer, address, std::move(hello));
  if (!session.ok()) co_return session.error();
  transport::FramedConnection& connection = *session->connection;
  const Duration interval = context.config.transport.heartbeat_interval;
  const std::shared_ptr<Pulse> pulse = context.pulses.of(peer, address.text(), Pulses::Dialled::here);
  std::optional<Pulse::Beating> beating;
  for (std::uint64_t number = 1;; ++number) {
    const Instant sent = context.clock.now();
    CCR_CO_TRY(co_await with_timeout(context.clock, context.config.transport.silence_max() - interval, "the answer to a heartbeat from " + address.text(),
                                     exchange_beats(connection, number, *pulse)));
    if (!beating) beating.emplace(pulse);
    context.paths.beat(peer, address, context.clock.now() - sent);
    co_await context.clock.sleep(interval);
  }
}

}  // namespace

Task<Result<void>> watch_path(NodeContext& context, std::string peer, transport::Endpoint address) {
  Backoff backoff(context.random.fork());
  for (;;) {
    const Instant begun = context.clock.now();
    const Result<void> ended = co_await beat_until_lost(context, peer, address);
    CCR_ASSERT(!ended.ok());
    context.paths.lost(peer, address, ended.error().message);
    if (context.clock.now() - begun > context.config.transport.silence_max()) backoff.reset();
    co_await context.clock.sleep(backoff.next());
  }
}

Task<Result<void>> serve_path(NodeContext& context, transport::FramedConnection& connection, transport::Hello hello) {
  const std::shared_ptr<Pulse> pulse = context.pulses.of(hello.from_node, hello.address, Pulses::Dialled::there);
  const Pulse::Beating beating(pulse);
  for (;;) {
    const Result<transport::PathBeat> beat = co_await with_timeout(context.clock, context.config.transport.silence_max(),
                                                                   "the silence of " + connection.peer().text(), receive_beat(connection));
    if (!beat.ok()) co_return beat.error();
    pulse->heard(*beat);
    transport::Message answer(pulse->beat(beat->number));
    CCR_CO_TRY(co_await with_timeout(context.clock, context.config.transport.silence_max(), "a heartbeat to " + connection.peer().text(), connection.send(std::move(answer))));
  }
}

}  // namespace ccr::engine
