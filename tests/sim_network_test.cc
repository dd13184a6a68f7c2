// Each promise of transport/network.h on the simulated network, back-pressure, and every fault by call.
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/task_group.h"
#include "tests/sim/sim_network.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using transport::Connection;
using transport::Endpoint;
using transport::Listener;
using transport::Network;

using Made = Result<std::unique_ptr<Connection>>;

Task<Result<void>> accept_into(Listener& listener, std::unique_ptr<Connection>& accepted) {
  Made made = co_await listener.accept();
  if (!made) co_return made.error();
  accepted = std::move(*made);
  co_return Result<void>();
}

Task<Result<void>> read_to_end(Connection& connection, std::string& text, std::optional<Error>& end) {
  Bytes buffer(1000);
  for (;;) {
    const Result<std::size_t> count = co_await connection.read_some(buffer);
    if (!count) {
      end = count.error();
      co_return Result<void>();
    }
    text += to_text(ByteView(buffer).first(*count));
  }
}

Task<Result<void>> write_text(Connection& connection, std::string text, std::optional<Result<void>>& outcome) {
  const ByteView bytes = as_bytes(text);
  const std::span<const ByteView> pieces(&bytes, 1);
  outcome = co_await connection.write(pieces);
  co_return Result<void>();
}

Task<Result<void>> connect_into(Network& network, Endpoint to, std::optional<Made>& outcome) {
  outcome = co_await network.connect(to);
  co_return Result<void>();
}

class SimNetworkTest : public ::testing::Test {
 protected:
  SimNetworkTest() : world(1), network(world), tasks(world.executor()) {
    alpha = network.add_host("alpha", {"10.0.0.1", "10.1.0.1"});
    beta = network.add_host("beta", {"10.0.0.2"});
    at_alpha = network.attach(alpha);
    at_beta = network.attach(beta);
  }
  ~SimNetworkTest() override {
    tasks.stop();
    world.settle();
  }

  void listen() {
    Result<std::unique_ptr<Listener>> made = at_alpha->listen(address);
    CCR_ASSERT(made.ok());
    listener = std::move(*made);
  }
  void meet() {
    listen();
    tasks.spawn(accept_into(*listener, server));
    Made made = complete(world, at_beta->connect(address));
    CCR_ASSERT(made.ok());
    client = std::move(*made);
    auto both = [this] { return server != nullptr; };
    CCR_ASSERT(world.run_until(both, 1s) == Ended::reached);
  }
  Result<void> write(Connection& connection, const std::string& said) {
    std::optional<Result<void>> outcome;
    tasks.spawn(write_text(connection, said, outcome));
    world.run_until([&] { return outcome.has_value(); }, 1h);
    CCR_ASSERT(outcome.has_value());
    return *outcome;
  }

  World world;
  SimNetwork network;
  TaskGroup tasks;
  HostId alpha = 0, beta = 0;
  std::unique_ptr<Network> at_alpha, at_beta;
  const Endpoint address{"10.0.0.1", 7};
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Connection> client, server;
  std::string text;
  std::optional<Error> end;
};

TEST_F(SimNetworkTest, BytesArriveInOrderThenTheEnd) {
  meet();
  EXPECT_EQ(client->peer(), address);
  EXPECT_EQ(server->peer().host, "10.0.0.2");
  tasks.spawn(read_to_end(*server, text, end));
  EXPECT_TRUE(write(*client, "hello "));
  EXPECT_TRUE(write(*client, "world"));
  client->close();
  world.run_for(1s);
  EXPECT_EQ(text, "hello world");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, ErrorKind::disconnected);
}

TEST_F(SimNetworkTest, GatheredPiecesArriveAsOneStream) {
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  const std::string a = "one ", b, c(100'000, 'x');
  const std::vector<ByteView> pieces{as_bytes(a), as_bytes(b), as_bytes(c)};
  EXPECT_TRUE(complete(world, client->write(pieces)).ok());
  world.run_until([&] { return text.size() == 100'004; }, 10s);
  EXPECT_EQ(text, a + c);
}

TEST_F(SimNetworkTest, AConnectIsRefusedWhereNobodyListensAndUnansweredWhereNobodyIs) {
  const Instant begin = world.now();
  EXPECT_EQ(complete(world, at_beta->connect(address)).error().kind, ErrorKind::unreachable);
  EXPECT_LT(world.now() - begin, 10ms);
  const Endpoint nobody{"10.0.0.99", 7};
  EXPECT_EQ(complete(world, at_beta->connect(nobody)).error().kind, ErrorKind::unreachable);
  EXPECT_GE(world.now() - begin, 120s);
}

TEST_F(SimNetworkTest, WithoutDescriptorsWhatIsOpenGoesOnAndWhoWaitsIsTakenLater) {
  meet();
  network.limit_descriptors(alpha, true);
  std::unique_ptr<Connection> waits = std::move(*complete(world, at_beta->connect(address)));
  EXPECT_EQ(complete(world, listener->accept()).error().kind, ErrorKind::busy);
  const Endpoint other{"10.0.0.1", 8}, anywhere{"10.0.0.2", 7};
  EXPECT_EQ(at_alpha->listen(other).error().kind, ErrorKind::busy);
  EXPECT_EQ(complete(world, at_alpha->connect(anywhere)).error().kind, ErrorKind::busy);
  tasks.spawn(read_to_end(*server, text, end));
  EXPECT_TRUE(write(*client, "still"));
  world.run_for(1s);
  EXPECT_EQ(text, "still");
  network.limit_descriptors(alpha, false);
  EXPECT_TRUE(complete(world, listener->accept()).ok());
  EXPECT_EQ(world.fired(Fault::no_descriptors), 3u);
}

TEST_F(SimNetworkTest, APlannedListenOrAcceptFindsNoDescriptorAndWhoKnockedIsTakenByTheNextOne) {
  network.plan(alpha, {NetworkAction::listen, 1, 1});
  listen();
  const Endpoint second{"10.1.0.1", 7};
  EXPECT_EQ(at_alpha->listen(second).error().kind, ErrorKind::busy);
  EXPECT_TRUE(at_alpha->listen(second).ok());
  network.plan(alpha, {NetworkAction::accept, 0, 1});
  client = std::move(*complete(world, at_beta->connect(address)));
  EXPECT_EQ(complete(world, listener->accept()).error().kind, ErrorKind::busy);
  EXPECT_TRUE(complete(world, listener->accept()).ok());
  EXPECT_EQ(world.fired(Fault::network_error), 2u);
}

TEST_F(SimNetworkTest, APlannedConnectIsRefusedOrNotAnsweredAndTheOtherHostsPass) {
  listen();
  constexpr std::uint64_t connects = 20;
  network.plan(beta, {NetworkAction::connect, 1, connects});
  EXPECT_TRUE(complete(world, at_beta->connect(address)).ok());
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < connects; ++i) {
    const Instant begin = world.now();
    EXPECT_EQ(complete(world, at_beta->connect(address)).error().kind, ErrorKind::unreachable);
    refused += world.now() - begin < 10ms ? 1 : 0;
    EXPECT_TRUE(world.now() - begin < 10ms || world.now() - begin >= 120s);
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LT(refused, connects);
  EXPECT_TRUE(complete(world, at_beta->connect(address)).ok());
  network.plan(beta, {NetworkAction::connect, 0, 1});
  EXPECT_TRUE(complete(world, at_alpha->connect(address)).ok());
  network.clear_plans(beta);
  EXPECT_TRUE(complete(world, at_beta->connect(address)).ok());
}

TEST_F(SimNetworkTest, APlannedReadLosesWhatHadComeAndBothSidesAreReset) {
  meet();
  network.plan(alpha, {NetworkAction::read, 1, 1});
  tasks.spawn(read_to_end(*server, text, end));
  EXPECT_TRUE(write(*client, "read "));
  world.run_for(1s);
  EXPECT_TRUE(write(*client, "lost"));
  world.run_for(1s);
  EXPECT_EQ(text, "read ");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, ErrorKind::disconnected);
  EXPECT_FALSE(write(*client, "again"));
}

TEST_F(SimNetworkTest, APlannedWriteBringsAnyPartAndBothSidesAreReset) {
  const std::string said(1000, 'x');
  std::set<std::size_t> arrived;
  for (int i = 0; i < 20; ++i) {
    meet();
    network.plan(beta, {NetworkAction::write, 0, 1});
    tasks.spawn(read_to_end(*server, text, end));
    EXPECT_FALSE(write(*client, said));
    world.run_for(1s);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->kind, ErrorKind::disconnected);
    EXPECT_EQ(text, said.substr(0, text.size()));
    EXPECT_FALSE(write(*client, said));
    arrived.insert(text.size());
    text.clear();
    end.reset();
    client.reset();
    server.reset();
    listener.reset();
  }
  EXPECT_GT(arrived.size(), 10u);
  EXPECT_EQ(network.connections(), 0u);
}

TEST_F(SimNetworkTest, AnAddressIsListenedOnOnceAndOnlyByItsOwner) {
  listen();
  EXPECT_EQ(at_alpha->listen(address).error().kind, ErrorKind::busy);
  EXPECT_EQ(at_beta->listen(address).error().kind, ErrorKind::config);
  const Endpoint second{"10.1.0.1", 7};
  EXPECT_TRUE(at_alpha->listen(second).ok());
  listener.reset();
  EXPECT_TRUE(at_alpha->listen(address).ok());
}

TEST_F(SimNetworkTest, ConnectionsThatNobodyAcceptedAreResetWhenTheListenerGoes) {
  listen();
  Made made = complete(world, at_beta->connect(address));
  ASSERT_TRUE(made.ok());
  client = std::move(*made);
  listener.reset();
  tasks.spawn(read_to_end(*client, text, end));
  world.run_for(1s);
  ASSERT_TRUE(end);
  EXPECT_EQ(network.connections(), 1u);
  client.reset();
  world.run_for(1s);
  EXPECT_EQ(network.connections(), 0u);
}

TEST_F(SimNetworkTest, AWriterWaitsWhileNobodyReads) {
  meet();
  const std::string big(MiB, 'x');
  std::optional<Result<void>> outcome;
  tasks.spawn(write_text(*client, big, outcome));
  world.run_for(1h);
  EXPECT_FALSE(outcome.has_value());
  tasks.spawn(read_to_end(*server, text, end));
  world.run_for(10s);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(text.size(), MiB);
}

TEST_F(SimNetworkTest, ALinkCarriesItsBandwidthAndNoMore) {
  network.options().bytes_per_second = 1'000'000;
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  const Instant begin = world.now();
  std::optional<Result<void>> outcome;
  tasks.spawn(write_text(*client, std::string(3'000'000, 'x'), outcome));
  world.run_until([&] { return text.size() == 3'000'000; }, 1h);
  const double seconds = std::chrono::duration<double>(world.now() - begin).count();
  EXPECT_GT(seconds, 2.99);
  EXPECT_LT(seconds, 3.3);
}

TEST_F(SimNetworkTest, WaitingTasksAreStoppedAtOnce) {
  meet();
  std::unique_ptr<Connection> other;
  std::optional<Result<void>> outcome;
  std::optional<Made> connected;
  const Endpoint nobody{"10.0.0.99", 7};
  tasks.spawn(read_to_end(*server, text, end));
  tasks.spawn(accept_into(*listener, other));
  tasks.spawn(write_text(*server, std::string(MiB, 'x'), outcome));
  tasks.spawn(connect_into(*at_beta, nobody, connected));
  world.run_for(1s);
  EXPECT_EQ(tasks.running(), 4u);
  tasks.stop();
  world.settle();
  EXPECT_EQ(tasks.running(), 0u);
  EXPECT_FALSE(outcome.has_value());
  EXPECT_FALSE(connected.has_value());
}

TEST_F(SimNetworkTest, AStoppedWriteLeavesTheConnectionUnusable) {
  meet();
  std::optional<Result<void>> outcome;
  TaskGroup writer(world.executor());
  writer.spawn(write_text(*client, std::string(MiB, 'x'), outcome));
  world.run_for(1s);
  writer.stop();
  world.settle();
  EXPECT_EQ(write(*client, "more").error().kind, ErrorKind::disconnected);
}

TEST_F(SimNetworkTest, CloseFailsPendingOperationsHere) {
  meet();
  tasks.spawn(read_to_end(*client, text, end));
  world.run_for(1s);
  client->close();
  world.settle();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, ErrorKind::disconnected);
}

TEST_F(SimNetworkTest, ClosingWithUnreadBytesResetsThePeer) {
  meet();
  EXPECT_TRUE(write(*client, "nobody reads this"));
  world.run_for(1s);
  server.reset();
  tasks.spawn(read_to_end(*client, text, end));
  world.run_for(1s);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->message, "connection reset");
  EXPECT_EQ(write(*client, "x").error().kind, ErrorKind::disconnected);
}

TEST_F(SimNetworkTest, ACutResetsBothEndsAtAnyByte) {
  std::set<std::size_t> lengths;
  meet();
  for (int round = 0; round < 30; ++round) {
    text.clear();
    end.reset();
    tasks.spawn(read_to_end(*server, text, end));
    EXPECT_TRUE(write(*client, "0123456789"));
    EXPECT_EQ(network.cut(alpha, beta), 1u);
    world.run_for(1s);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->message, "connection reset");
    EXPECT_EQ(text, std::string("0123456789").substr(0, text.size()));
    EXPECT_EQ(write(*client, "x").error().kind, ErrorKind::disconnected);
    lengths.insert(text.size());
    client.reset();
    server.reset();
    tasks.spawn(accept_into(*listener, server));
    client = std::move(*complete(world, at_beta->connect(address)));
    world.run_for(1s);
  }
  EXPECT_GT(lengths.size(), 5u);
  EXPECT_EQ(world.fired(Fault::connection_cut), 30u);
}

TEST_F(SimNetworkTest, APartitionTellsNobodyAndWhatItHeldArrivesWhenItHeals) {
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  network.partition(alpha, beta);
  EXPECT_TRUE(write(*client, "late"));
  world.run_for(5min);
  EXPECT_EQ(text, "");
  EXPECT_FALSE(end);
  network.heal(alpha, beta);
  world.run_for(5s);
  EXPECT_EQ(text, "late");
}

TEST_F(SimNetworkTest, AConnectThroughAPartitionSucceedsWhenItHealsInTime) {
  listen();
  network.block(beta, alpha);
  std::optional<Made> outcome;
  tasks.spawn(connect_into(*at_beta, address, outcome));
  world.run_for(30s);
  EXPECT_FALSE(outcome.has_value());
  network.heal_all();
  world.run_for(60s);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->ok());
}

TEST_F(SimNetworkTest, AOneWayPartitionLetsTheOtherDirectionPassUntilItsBufferIsFull) {
  meet();
  std::string at_client;
  std::optional<Error> client_end;
  tasks.spawn(read_to_end(*client, at_client, client_end));
  tasks.spawn(read_to_end(*server, text, end));
  network.block(beta, alpha);
  EXPECT_TRUE(write(*client, "vanishes"));
  EXPECT_TRUE(write(*server, "arrives"));
  world.run_for(1s);
  EXPECT_EQ(text, "");
  EXPECT_EQ(at_client, "arrives");
  std::optional<Result<void>> outcome;
  tasks.spawn(write_text(*server, std::string(MiB, 'x'), outcome));
  world.run_for(1min);
  EXPECT_FALSE(outcome.has_value());  // no acknowledgement comes back
  network.heal_all();
  world.run_for(1min);
  EXPECT_TRUE(outcome.has_value());
  EXPECT_EQ(text, "vanishes");
  EXPECT_EQ(at_client.size(), MiB + 7);
}

TEST_F(SimNetworkTest, APartitionLongerThanRetransmissionEndsTheConnectionForWhoeverWrote) {
  meet();
  network.partition(alpha, beta);
  EXPECT_TRUE(write(*client, "lost"));
  std::optional<Error> client_end;
  std::string at_client;
  tasks.spawn(read_to_end(*client, at_client, client_end));
  tasks.spawn(read_to_end(*server, text, end));
  world.run_for(1h);
  EXPECT_TRUE(client_end);
  EXPECT_FALSE(end);  // it only reads: it cannot know
}

TEST_F(SimNetworkTest, AHalfOpenConnectionPassesNothingAndANewOneWorks) {
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  EXPECT_EQ(network.half_open(alpha, beta), 1u);
  EXPECT_TRUE(write(*client, "vanishes"));
  world.run_for(1min);
  EXPECT_EQ(text, "");
  EXPECT_FALSE(end);
  std::unique_ptr<Connection> second_server;
  tasks.spawn(accept_into(*listener, second_server));
  Made second = complete(world, at_beta->connect(address));
  ASSERT_TRUE(second.ok());
  world.run_for(1s);
  std::string second_text;
  tasks.spawn(read_to_end(*second_server, second_text, end));
  EXPECT_TRUE(write(**second, "passes"));
  world.run_for(1s);
  EXPECT_EQ(second_text, "passes");
  tasks.stop();
  world.settle();
}

TEST_F(SimNetworkTest, AStalledLinkDeliversEverythingLater) {
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  network.stall(beta, alpha, 7s);
  EXPECT_TRUE(write(*client, "a"));
  EXPECT_TRUE(write(*client, "b"));
  world.run_for(6900ms);
  EXPECT_EQ(text, "");
  world.run_for(1s);
  EXPECT_EQ(text, "ab");
}

TEST_F(SimNetworkTest, AKilledProcessClosesItsConnectionsAndAPowerlessMachineDoesNot) {
  meet();
  std::string at_client;
  tasks.spawn(read_to_end(*client, at_client, end));
  network.die(alpha, Death::closes);
  world.run_for(1s);
  EXPECT_TRUE(end);
  EXPECT_EQ(complete(world, at_beta->connect(address)).error().kind, ErrorKind::unreachable);
}

TEST_F(SimNetworkTest, AMachineThatCameBackAnswersOldConnectionsWithAReset) {
  meet();
  std::string at_client;
  tasks.spawn(read_to_end(*client, at_client, end));
  network.die(alpha, Death::vanishes);
  EXPECT_TRUE(write(*client, "anybody there?"));
  world.run_for(1min);
  EXPECT_FALSE(end);
  const std::unique_ptr<Network> reborn = network.attach(alpha);
  world.run_for(5s);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->message, "connection reset");
}

TEST_F(SimNetworkTest, CallsOfADeadLifeFailWithStoppedAndReachNobody) {
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  network.die(beta, Death::vanishes);
  EXPECT_EQ(complete(world, at_beta->connect(address)).error().kind, ErrorKind::stopped);
  EXPECT_EQ(at_beta->listen(Endpoint{"10.0.0.2", 9}).error().kind, ErrorKind::stopped);
  EXPECT_EQ(write(*client, "evil").error().kind, ErrorKind::stopped);
  Bytes buffer(10);
  EXPECT_EQ(complete(world, client->read_some(buffer)).error().kind, ErrorKind::stopped);
  world.run_for(1min);
  EXPECT_EQ(text, "");
  EXPECT_FALSE(end);
}

TEST_F(SimNetworkTest, FlippedBitsAreCountedAndChangeNoLength) {
  network.options().bit_flip_ppm = 1'000'000;
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  EXPECT_TRUE(write(*client, "aaaaaaaa"));
  world.run_for(1s);
  EXPECT_EQ(text.size(), 8u);
  EXPECT_NE(text, "aaaaaaaa");
  EXPECT_EQ(world.fired(Fault::bit_flip), 1u);
}

TEST_F(SimNetworkTest, LossDelaysButLosesNothing) {
  network.options().loss_ppm = 300'000;
  meet();
  tasks.spawn(read_to_end(*server, text, end));
  std::string sent;
  for (int i = 0; i < 50; ++i) {
    sent += std::to_string(i) + ",";
    EXPECT_TRUE(write(*client, std::to_string(i) + ","));
  }
  world.run_for(2min);
  EXPECT_EQ(text, sent);
}

TEST_F(SimNetworkTest, WeatherPartitionsAndHealsByItself) {
  network.options().partition_every = 10s;
  network.options().half_open_every = 20s;
  meet();
  network.start_weather();
  world.run_for(10min);
  EXPECT_GT(world.fired(Fault::partition), 20u);
  EXPECT_EQ(world.fired(Fault::half_open) > 10, true);
  network.stop_weather();
  network.heal_all();
  const std::uint64_t fired = world.faults_fired();
  world.run_for(10min);
  EXPECT_EQ(world.faults_fired(), fired);
  std::unique_ptr<Connection> second;
  tasks.spawn(accept_into(*listener, second));
  EXPECT_TRUE(complete(world, at_beta->connect(address)).ok());
  world.run_for(1s);
}

}  // namespace
}  // namespace ccr::sim
