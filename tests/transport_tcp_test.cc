// TcpNetwork over loopback: real sockets, ports chosen by the kernel.
#include <sys/resource.h>

#include <array>
#include <cstring>

#include <asio/ip/tcp.hpp>

#include "base/system_clock.h"
#include "base/task_group.h"
#include "base/timeout.h"
#include "tests/tcp_pair.h"
#include "tests/transport_samples.h"
#include "transport/framed_connection.h"
#include "transport/tcp_network.h"

namespace ccr::transport::transport_tcp_test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t session = 0x51;

Task<Result<TcpPair>> connected(Executor executor, std::string host) { return connect_pair(std::move(executor), std::move(host), TcpSettings()); }

Task<Result<void>> send_log(FramedConnection& connection, ByteView content) {
  constexpr std::size_t piece = MiB;
  for (std::size_t at = 0; at < content.size(); at += piece) {
    LogData log;
    log.generation = {1 + at / piece};
    log.bytes = content.subspan(at, piece);
    CCR_CO_TRY(co_await connection.send(log));
  }
  co_return Result<void>();
}

void log_crosses(std::string host) {
  run([&](Executor executor) -> Task<void> {
    Result<TcpPair> pair = co_await connected(executor, host);
    EXPECT_TRUE(pair.ok());
    if (!pair.ok()) co_return;
    FramedConnection left(executor, std::move(pair->client)), right(executor, std::move(pair->server));
    left.set_session(session);
    right.set_session(session);
    const Bytes content = random_bytes(64 * MiB, 7);
    TaskGroup group(executor);
    group.spawn(send_log(left, content));
    for (std::size_t at = 0; at < content.size(); at += MiB) {
      const Result<Message> received = co_await right.receive();
      EXPECT_TRUE(received.ok());
      if (!received.ok()) break;
      const LogData& log = std::get<LogData>(*received);
      EXPECT_EQ(log.generation.number, 1 + at / MiB);
      EXPECT_EQ(log.bytes.size(), MiB);
      EXPECT_EQ(std::memcmp(log.bytes.data(), content.data() + at, MiB), 0);
    }
    const Result<void> sent = co_await group.join();
    EXPECT_TRUE(sent.ok());
    const ConnectionFacts facts = left.facts();
    EXPECT_GE(facts.window_granted, 1024u);
    EXPECT_GE(facts.send_scale, 0);
    EXPECT_LE(facts.send_scale, 14);  // RFC 7323
    EXPECT_GE(facts.receive_scale, 0);
    EXPECT_LE(facts.receive_scale, 14);
    EXPECT_GT(facts.rtt_seconds, 0);
    EXPECT_LT(facts.rtt_seconds, 10);
    EXPECT_GT(facts.delivery_bytes_per_second, 0u);
    EXPECT_FALSE(facts.congestion.empty());
    left.close();
    EXPECT_EQ(left.facts().send_scale, -1);
  });
}

TEST(TcpNetwork, SixtyFourMebibytesOfLogCrossUnchangedAndTheKernelsFactsArePlausible) { log_crosses("127.0.0.1"); }

TEST(TcpNetwork, ServesIpv6) {
  bool available = false;
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint at{"::1", 0};
    available = network.listen(at).ok();
    co_return;
  });
  if (!available) GTEST_SKIP() << "this host has no IPv6 loopback";
  log_crosses("::1");
}

TEST(TcpNetwork, BothEndsKnowTheirPeer) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    Result<std::unique_ptr<Listener>> listener = network.listen(any);
    EXPECT_TRUE(listener.ok());
    if (!listener.ok()) co_return;
    const Endpoint local = (*listener)->local();
    EXPECT_EQ(local.host, "127.0.0.1");
    EXPECT_NE(local.port, 0);
    Result<std::unique_ptr<Connection>> client = co_await network.connect(local);
    EXPECT_TRUE(client.ok());
    if (client.ok()) {
      EXPECT_EQ((*client)->peer(), local);
    }
    Result<std::unique_ptr<Connection>> server = co_await (*listener)->accept();
    EXPECT_TRUE(server.ok());
    if (server.ok()) {
      EXPECT_EQ((*server)->peer().host, "127.0.0.1");
    }
  });
}

// Whoever accepts is told, since only it knows what else there is to do; the next accept() goes on behind them.
TEST(TcpNetwork, ConnectionsThatAreGoneBeforeTheyAreTakenAreToldAsThatAndHoldNobodyUp) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    Result<std::unique_ptr<Listener>> listener = network.listen(any);
    EXPECT_TRUE(listener.ok());
    if (!listener.ok()) co_return;
    const Endpoint local = (*listener)->local();
    const asio::ip::tcp::endpoint target(asio::ip::make_address(local.host), local.port);
    constexpr int gone = 64;
    for (int i = 0; i < gone; ++i) {
      asio::ip::tcp::socket socket(executor);
      co_await socket.async_connect(target, asio::use_awaitable);
      socket.set_option(asio::socket_base::linger(true, 0));  // its end is a reset
      socket.close();
    }
    Result<std::unique_ptr<Connection>> client = co_await network.connect(local);
    EXPECT_TRUE(client.ok());
    const Result<std::unique_ptr<Connection>> first = co_await (*listener)->accept();
    expect_kind(first, ErrorKind::disconnected);
    const Result<std::unique_ptr<Connection>> second = co_await (*listener)->accept();
    EXPECT_TRUE(second.ok());
  });
}

// The process opens nothing more until this is gone; what is open stays open.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 0;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST(TcpNetwork, WithoutDescriptorsAllIsBusyAndTheListenerTakesLaterWhoWaited) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    Result<std::unique_ptr<Listener>> listener = network.listen(any);
    EXPECT_TRUE(listener.ok());
    if (!listener.ok()) co_return;
    const Endpoint local = (*listener)->local();
    Result<std::unique_ptr<Connection>> client = co_await network.connect(local);
    EXPECT_TRUE(client.ok());
    {
      const NoDescriptors none;
      constexpr int tries = 3;
      for (int i = 0; i < tries; ++i) {
        const Result<std::unique_ptr<Connection>> accepted = co_await (*listener)->accept();
        expect_kind(accepted, ErrorKind::busy);
      }
      const Result<std::unique_ptr<Connection>> another = co_await network.connect(local);
      expect_kind(another, ErrorKind::busy);
      expect_kind(network.listen(any), ErrorKind::busy);
    }
    const Result<std::unique_ptr<Connection>> server = co_await (*listener)->accept();
    EXPECT_TRUE(server.ok());
  });
}

TEST(TcpNetwork, ACutInTheMiddleOfAFrameIsADisconnectionOnTheOtherSide) {
  run([&](Executor executor) -> Task<void> {
    Result<TcpPair> pair = co_await connected(executor, "127.0.0.1");
    EXPECT_TRUE(pair.ok());
    if (!pair.ok()) co_return;
    FramedConnection framed(executor, std::move(pair->server));
    framed.set_session(session);
    const Bytes half(frame_header_bytes / 2, std::byte{'C'});
    const ByteView view(half);
    const std::span<const ByteView> pieces(&view, 1);
    const Result<void> written = co_await pair->client->write(pieces);
    EXPECT_TRUE(written.ok());
    pair->client->close();
    const Result<Message> received = co_await framed.receive();
    expect_kind(received, ErrorKind::disconnected);
  });
}

TEST(TcpNetwork, AResetWhileLogFlowsIsADisconnectionForTheSender) {
  run([&](Executor executor) -> Task<void> {
    Result<TcpPair> pair = co_await connected(executor, "127.0.0.1");
    EXPECT_TRUE(pair.ok());
    if (!pair.ok()) co_return;
    FramedConnection left(executor, std::move(pair->client));
    left.set_session(session);
    const Bytes content = random_bytes(32 * MiB, 8);
    TaskGroup group(executor);
    group.spawn(send_log(left, content));
    Bytes some(4096);
    const Result<std::size_t> count = co_await pair->server->read_some(some);
    EXPECT_TRUE(count.ok());
    pair->server.reset();  // unread bytes are there: the kernel answers with RST
    const Result<void> sent = co_await group.join();
    expect_kind(sent, ErrorKind::disconnected);
  });
}

TEST(TcpNetwork, GarbageOnTheListenerEndsThatConnectionOnly) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    Result<std::unique_ptr<Listener>> listener = network.listen(any);
    EXPECT_TRUE(listener.ok());
    if (!listener.ok()) co_return;
    const Endpoint local = (*listener)->local();
    Random random(9);
    for (int round = 0; round < 200; ++round) {
      Result<std::unique_ptr<Connection>> client = co_await network.connect(local);
      Result<std::unique_ptr<Connection>> server = co_await (*listener)->accept();
      EXPECT_TRUE(client.ok() && server.ok());
      if (!client.ok() || !server.ok()) co_return;
      FramedConnection framed(executor, std::move(*server));
      Bytes garbage = random_bytes(1 + random.below(20'000), random.next());
      if (round % 2 == 0 && garbage.size() > 4) std::memcpy(garbage.data(), "CCRF", 4);
      const ByteView view(garbage);
      const std::span<const ByteView> pieces(&view, 1);
      const Result<void> written = co_await (*client)->write(pieces);
      EXPECT_TRUE(written.ok());
      (*client)->close();
      const Result<Message> received = co_await framed.receive();
      EXPECT_FALSE(received.ok());
    }
  });
}

TEST(TcpNetwork, APortWhereNobodyListensIsUnreachable) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    Result<std::unique_ptr<Listener>> listener = network.listen(any);
    EXPECT_TRUE(listener.ok());
    if (!listener.ok()) co_return;
    const Endpoint local = (*listener)->local();
    (*listener).reset();
    const Result<std::unique_ptr<Connection>> client = co_await network.connect(local);
    expect_kind(client, ErrorKind::unreachable);
    expect_message(client, "connect to " + local.text() + ": Connection refused");
  });
}

TEST(TcpNetwork, ANameInsteadOfAnAddressIsAConfigurationError) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint name{"localhost", 1};
    const Result<std::unique_ptr<Connection>> client = co_await network.connect(name);
    expect_message(client, "'localhost' is not an IPv4 or IPv6 address");
    const Result<std::unique_ptr<Listener>> listener = network.listen(name);
    expect_kind(listener, ErrorKind::config);
  });
}

TEST(TcpNetwork, ListeningOnATakenPortIsBusyAndOnAForeignAddressAConfigurationError) {
  run([&](Executor executor) -> Task<void> {
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    const Result<std::unique_ptr<Listener>> first = network.listen(any);
    EXPECT_TRUE(first.ok());
    if (!first.ok()) co_return;
    const Result<std::unique_ptr<Listener>> second = network.listen((*first)->local());
    expect_kind(second, ErrorKind::busy);
    const Endpoint foreign{"192.0.2.1", 0};  // TEST-NET-1, RFC 5737
    const Result<std::unique_ptr<Listener>> third = network.listen(foreign);
    expect_kind(third, ErrorKind::config);
  });
}

TEST(TcpNetwork, AReadAndAnAcceptEndWhenTheirTaskIsStopped) {
  run([&](Executor executor) -> Task<void> {
    SystemClock clock;
    TcpNetwork network(executor);
    const Endpoint any{"127.0.0.1", 0};
    Result<std::unique_ptr<Listener>> listener = network.listen(any);
    EXPECT_TRUE(listener.ok());
    if (!listener.ok()) co_return;
    const Result<std::unique_ptr<Connection>> accepted =
        co_await with_timeout(clock, 5ms, std::string("accept"), (*listener)->accept());
    expect_kind(accepted, ErrorKind::timeout);

    Result<TcpPair> pair = co_await connected(executor, "127.0.0.1");
    EXPECT_TRUE(pair.ok());
    if (!pair.ok()) co_return;
    Bytes room(16);
    const Result<std::size_t> count = co_await with_timeout(clock, 5ms, std::string("read"), pair->client->read_some(room));
    expect_kind(count, ErrorKind::timeout);
  });
}

Task<Result<void>> write_for_ever(Connection& connection, ByteView bytes) {
  const std::array<ByteView, 1> pieces{bytes};
  for (;;) {
    const std::span<const ByteView> view(pieces);
    CCR_CO_TRY(co_await connection.write(view));
  }
}

TEST(TcpNetwork, AWriteToAPeerThatDoesNotReadEndsWhenItsTaskIsStopped) {
  run([&](Executor executor) -> Task<void> {
    SystemClock clock;
    Result<TcpPair> pair = co_await connected(executor, "127.0.0.1");
    EXPECT_TRUE(pair.ok());
    if (!pair.ok()) co_return;
    const Bytes bytes(MiB);
    const Result<void> written = co_await with_timeout(clock, 50ms, std::string("write"), write_for_ever(*pair->client, bytes));
    expect_kind(written, ErrorKind::timeout);
  });
}

Task<Result<void>> expect_read_disconnected(Connection& connection, bool& ended) {
  Bytes room(16);
  const Result<std::size_t> count = co_await connection.read_some(room);
  expect_kind(count, ErrorKind::disconnected);
  ended = true;
  co_return Result<void>();
}

TEST(TcpNetwork, CloseEndsAWaitingReadWithDisconnected) {
  run([&](Executor executor) -> Task<void> {
    Result<TcpPair> pair = co_await connected(executor, "127.0.0.1");
    EXPECT_TRUE(pair.ok());
    if (!pair.ok()) co_return;
    TaskGroup group(executor);
    bool ended = false;
    group.spawn(expect_read_disconnected(*pair->client, ended));
    co_await let_others_run();
    EXPECT_FALSE(ended);
    pair->client->close();
    const Result<void> joined = co_await group.join();
    EXPECT_TRUE(joined.ok());
    EXPECT_TRUE(ended);
  });
}

}  // namespace
}  // namespace ccr::transport::transport_tcp_test
