#include "engine/peer_client.h"

#include <algorithm>
#include <utility>

#include "base/timeout.h"
#include "transport/handshake.h"

namespace ccr::engine {
namespace {

Task<Result<PeerSession>> greet(NodeContext& context, std::unique_ptr<transport::Connection> connection, transport::Hello hello) {
  PeerSession session;
  session.connection = std::make_unique<transport::FramedConnection>(context.executor, std::move(connection));
  transport::Message greeting(hello);
  CCR_CO_TRY(co_await session.connection->send(std::move(greeting)));
  Result<transport::Message> answer = co_await session.connection->receive();
  if (!answer.ok()) co_return answer.error();
  if (const auto* refuse = std::get_if<transport::Refuse>(&*answer)) {
    using transport::RefuseReason;
    const bool later = refuse->reason == RefuseReason::not_ready || refuse->reason == RefuseReason::busy;
    co_return Error{later ? ErrorKind::busy : ErrorKind::refused, refuse->text, refuse->hint};
  }
  const auto* welcome = std::get_if<transport::Welcome>(&*answer);
  if (welcome == nullptr) co_return Error{ErrorKind::protocol, session.connection->peer().text() + " answered the hello with something else", ""};
  const Result<void> ours = transport::check_welcome(hello, *welcome);
  if (!ours.ok()) co_return ours.error().within(session.connection->peer().text());
  session.welcome = *welcome;
  session.connection->set_session(hello.session);
  co_return std::move(session);
}

// A connection to that address which has proven to be to that node.
Task<Result<std::unique_ptr<transport::Connection>>> reach(NodeContext& context, transport::Endpoint address, std::string node, Duration limit) {
  if (const std::optional<Error> parted = context.contacts.refusal(node)) co_return *parted;
  const std::string where = address.text();
  Result<std::unique_ptr<transport::Connection>> connected =
      co_await with_timeout(context.clock, limit, "connect to " + where, context.network.connect(address));
  if (!connected.ok()) co_return connected.error();
  CCR_CO_TRY(co_await with_timeout(context.clock, tls_timeout, "TLS handshake with " + node + " at " + where, (*connected)->prove()));
  const std::string proven = (*connected)->proven_node();
  if (!proven.empty() && proven != node) co_return Error{ErrorKind::identity, where + " is " + proven + ", expected " + node, ""};
  std::unique_ptr<Contacts::Attached> attached = context.contacts.attach(std::move(*connected));
  CCR_CO_TRY(attached->belongs_to(node));
  std::unique_ptr<transport::Connection> reached = std::move(attached);
  co_return std::move(reached);
}

// Nobody is there, or nothing comes back: the path, and not what the node says.
bool is_silence(ErrorKind kind) {
  return kind == ErrorKind::unreachable || kind == ErrorKind::timeout || kind == ErrorKind::disconnected;
}

void address_to(NodeContext& context, const std::string& node, transport::Hello& hello) {
  hello.cluster = context.config.cluster;
  hello.from_node = context.config.node;
  hello.to_node = node;
  hello.session = context.random.next();
}

}  // namespace

Task<Result<PeerSession>> connect_over(NodeContext& context, std::string node, transport::Endpoint address, transport::Hello hello) {
  address_to(context, node, hello);
  Result<std::unique_ptr<transport::Connection>> connected = co_await reach(context, address, node, connect_timeout);
  if (!connected.ok()) co_return connected.error();
  hello.address = address.text();
  co_return co_await with_timeout(context.clock, hello_timeout, "hello to " + node, greet(context, std::move(*connected), std::move(hello)));
}

Task<Result<PeerSession>> connect_to_active(NodeContext& context, std::string active_node, transport::Hello hello) {
  address_to(context, active_node, hello);
  Error last{ErrorKind::unreachable, "node " + active_node + " has no address", ""};
  const std::vector<transport::Endpoint> addresses = context.paths.order(active_node);
  const Duration limit = addresses.size() > 1 ? connect_timeout_of_many : connect_timeout;
  for (const transport::Endpoint& address : addresses) {
    Result<std::unique_ptr<transport::Connection>> connected = co_await reach(context, address, active_node, limit);
    if (!connected.ok()) {
      last = connected.error();
      if (is_silence(last.kind)) context.paths.suspect(active_node, address, last.message);
      continue;
    }
    hello.address = address.text();
    Result<PeerSession> session =
        co_await with_timeout(context.clock, hello_timeout, "hello to " + active_node, greet(context, std::move(*connected), std::move(hello)));
    if (!session.ok() && session.error().kind == ErrorKind::timeout) context.paths.suspect(active_node, address, session.error().message);
    co_return session;
  }
  last.kind = ErrorKind::unreachable;
  co_return last;
}

transport::Hello hello_about(transport::Purpose purpose, const DatabaseConfig& database, Signature signature, Epoch epoch) {
  transport::Hello hello;
  hello.purpose = purpose;
  hello.database = database.name;
  hello.kind = name_of(database.kind);
  hello.signature = signature;
  hello.epoch = epoch;
  return hello;
}

Task<Result<std::unique_ptr<transport::FramedConnection>>> connect_to_copy(NodeContext& context, std::string node, transport::Hello hello) {
  const Signature signature = hello.signature;
  const std::string copy = hello.database + "@" + node;
  Result<PeerSession> session = co_await connect_to_active(context, std::move(node), std::move(hello));
  if (!session.ok()) co_return session.error();
  if (session->welcome.signature != signature) co_return Error{ErrorKind::refused, copy + " is of another history", ""};
  co_return std::move(session->connection);
}

Duration Backoff::next() {
  constexpr std::int64_t first_ms = 200;
  constexpr std::int64_t most_ms = 2000;
  const std::int64_t base = std::min(most_ms, first_ms << std::min(tries_++, 8));
  return std::chrono::milliseconds(base / 2 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(base / 2 + 1))));
}

}  // namespace ccr::engine
