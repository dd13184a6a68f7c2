// NodeHost, with a toy node: it appends numbered entries to a file, syncs, says 'acknowledged', and tells a peer.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/sim/node_host.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using storage::File;
using storage::OpenMode;
using transport::Connection;
using transport::Endpoint;
using transport::Listener;

constexpr std::uint64_t entry_bytes = 700;  // not a whole number of sectors, so that torn entries show

// What a client of the toy would remember.
struct Journal {
  std::uint64_t acknowledged = 0;  // entries 0 .. acknowledged - 1
  std::uint64_t heard = 0;         // bytes that any server read
};

Bytes entry_of(std::uint64_t number) { return Bytes(entry_bytes, static_cast<std::byte>(1 + number % 250)); }

Task<Result<void>> serve_one(std::unique_ptr<Connection> connection, Journal& journal) {
  Bytes buffer(4096);
  for (;;) {
    const Result<std::size_t> count = co_await connection->read_some(buffer);
    if (!count) co_return Result<void>();
    journal.heard += *count;
  }
}

Task<Result<void>> serve(std::unique_ptr<Listener> listener, Executor executor, Journal& journal) {
  TaskGroup connections(executor);
  auto accept_all = [](Listener& from, TaskGroup& into, Journal& heard) -> Task<Result<void>> {
    for (;;) {
      Result<std::unique_ptr<Connection>> connection = co_await from.accept();
      if (!connection) co_return connection.error();
      into.spawn(serve_one(std::move(*connection), heard), TaskGroup::OnError::keep_others);
    }
  };
  connections.spawn(accept_all(*listener, connections, journal));
  co_return co_await connections.join();
}

// Recovery: as many whole entries as the file has; what follows is overwritten.
Task<Result<std::uint64_t>> recover(File& file) {
  Bytes entry(entry_bytes);
  for (std::uint64_t number = 0;; ++number) {
    const Result<std::size_t> count = co_await file.read_at(number * entry_bytes, entry);
    if (!count) co_return count.error();
    if (*count < entry_bytes || entry != entry_of(number)) co_return number;
  }
}

Task<Result<void>> append(Incarnation& life, Journal& journal, bool forgets_sync) {
  Result<std::unique_ptr<File>> opened = co_await life.disk->open("/entries", OpenMode::create);
  if (!opened) co_return opened.error();
  File& file = **opened;
  CCR_CO_TRY(co_await life.disk->sync_directory("/"));
  const Result<std::uint64_t> recovered = co_await recover(file);
  if (!recovered) co_return recovered.error();
  EXPECT_EQ(*recovered < journal.acknowledged && !forgets_sync, false);
  if (*recovered < journal.acknowledged) co_return Error{ErrorKind::gap, "an acknowledged entry is gone", ""};
  for (std::uint64_t number = *recovered;; ++number) {
    const Bytes entry = entry_of(number);
    CCR_CO_TRY(co_await file.write_at(number * entry_bytes, entry));
    if (!forgets_sync) CCR_CO_TRY(co_await file.sync());
    journal.acknowledged = number + 1;
    const Event event{"appended", life.name, {{"number", std::to_string(number)}}};
    life.trace->record(event);
    co_await life.clock->sleep(1ms);
  }
}

Task<Result<void>> talk(Incarnation& life, Endpoint peer) {
  for (;;) {
    Result<std::unique_ptr<Connection>> connection = co_await life.network->connect(peer);
    while (connection.ok()) {
      const Bytes greeting(life.random.between(1, 3000), std::byte{7});
      const ByteView bytes = greeting;
      const std::span<const ByteView> pieces(&bytes, 1);
      const Result<void> written = co_await (*connection)->write(pieces);
      if (!written) break;
      co_await life.clock->sleep(2ms);
    }
    co_await life.clock->sleep(50ms);
  }
}

Task<Result<void>> toy(Incarnation& life, Endpoint own, Endpoint peer, Journal& journal, bool forgets_sync) {
  Result<std::unique_ptr<Listener>> listener = life.network->listen(own);
  if (!listener) co_return listener.error();
  TaskGroup group(life.executor);
  group.spawn(serve(std::move(*listener), life.executor, journal));
  group.spawn(append(life, journal, forgets_sync));
  group.spawn(talk(life, peer));
  co_return co_await group.join();
}

struct Pair {
  explicit Pair(std::uint64_t seed, bool forgets_sync = false)
      : world(seed),
        network(world),
        alpha(world, network, options("alpha", "10.0.0.1"), factory(0, forgets_sync)),
        beta(world, network, options("beta", "10.0.0.2"), factory(1, forgets_sync)) {
    alpha.start();
    beta.start();
  }
  static NodeHostOptions options(const std::string& name, const std::string& address) {
    NodeHostOptions made;
    made.name = name;
    made.addresses = {address};
    return made;
  }
  NodeHost::Factory factory(int number, bool forgets_sync) {
    const Endpoint own{number == 0 ? "10.0.0.1" : "10.0.0.2", 9}, peer{number == 0 ? "10.0.0.2" : "10.0.0.1", 9};
    return
        [this, number, own, peer, forgets_sync](Incarnation& life) { return toy(life, own, peer, journals[number], forgets_sync); };
  }
  NodeHost& node(std::size_t number) { return number == 0 ? alpha : beta; }

  Journal journals[2];
  World world;
  SimNetwork network;
  NodeHost alpha, beta;
};

TEST(NodeHost, NodesRunTalkAndStopPolitely) {
  Pair pair(1);
  pair.world.run_for(1s);
  EXPECT_GT(pair.journals[0].acknowledged, 100u);
  EXPECT_GT(pair.journals[1].heard, 10'000u);
  EXPECT_EQ(pair.alpha.stop(), Ended::reached);
  EXPECT_FALSE(pair.alpha.alive());
  ASSERT_TRUE(pair.alpha.outcome().has_value());
  EXPECT_TRUE(pair.alpha.outcome()->ok());
  EXPECT_TRUE(pair.beta.alive());
}

TEST(NodeHost, AKillEndsTheNodeWhileTimeStandsStill) {
  Pair pair(1);
  pair.world.run_for(100ms);
  const Instant begin = pair.world.now();
  pair.alpha.kill({Damage::random_subset, Ordering::adversarial});
  EXPECT_EQ(pair.world.now(), begin);
  EXPECT_FALSE(pair.alpha.alive());
  const std::uint64_t acknowledged = pair.journals[0].acknowledged;
  pair.world.run_for(1s);
  EXPECT_EQ(pair.journals[0].acknowledged, acknowledged);
  pair.alpha.start();
  pair.world.run_for(1s);
  EXPECT_TRUE(pair.alpha.alive());
  EXPECT_EQ(pair.alpha.lives(), 2u);
  EXPECT_GT(pair.journals[0].acknowledged, acknowledged);
}

std::uint64_t run_with_kills(std::uint64_t seed) {
  Pair pair(seed);
  Random random = pair.world.random("killer");
  for (int kill = 0; kill < 12; ++kill) {
    pair.world.run_for(Duration(random.below(40'000'000)));
    NodeHost& node = pair.node(random.below(2));
    if (random.chance(1, 4)) {
      node.freeze();
      pair.world.run_for(Duration(random.below(40'000'000)));
    }
    const CrashStyle killed{Damage::process_only, Ordering::ordered};
    node.kill(random.chance(1, 3) ? killed : draw_power_cut(random));
    if (random.chance(1, 2)) pair.world.run_for(Duration(random.below(20'000'000)));
    node.start();
  }
  pair.world.run_for(1s);
  EXPECT_TRUE(pair.alpha.alive()) << "seed " << seed;
  EXPECT_TRUE(pair.beta.alive()) << "seed " << seed;
  EXPECT_GT(pair.journals[0].acknowledged, 50u);
  return pair.world.trace_hash();
}

TEST(NodeHost, NothingAcknowledgedIsLostOverKillsAtAnyMoment) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) run_with_kills(seed);
}

TEST(NodeHost, TheSameSeedGivesTheSameTraceOfWholeNodes) {
  EXPECT_EQ(run_with_kills(7), run_with_kills(7));
  EXPECT_NE(run_with_kills(7), run_with_kills(8));
}

TEST(NodeHost, ANodeThatForgetsToSyncIsFoundOut) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Pair pair(seed, true);
    pair.world.run_for(100ms);
    pair.alpha.kill({Damage::random_subset, Ordering::adversarial});
    pair.alpha.start();
    pair.world.run_for(100ms);
    const bool failed = !pair.alpha.alive() && pair.alpha.outcome()->error().kind == ErrorKind::gap;
    found += failed ? 1 : 0;
  }
  EXPECT_GT(found, 15);
}

TEST(NodeHost, AFrozenNodeDoesNothingAndGoesOnWhereItWas) {
  Pair pair(1);
  pair.world.run_for(100ms);
  pair.alpha.freeze();
  pair.world.settle();
  const std::uint64_t acknowledged = pair.journals[0].acknowledged;
  pair.world.run_for(1min);
  EXPECT_EQ(pair.journals[0].acknowledged, acknowledged);
  EXPECT_TRUE(pair.alpha.alive());
  pair.alpha.thaw();
  pair.world.run_for(1s);
  EXPECT_GT(pair.journals[0].acknowledged, acknowledged + 100);
}

TEST(NodeHost, AFailingDiskEndsTheNodeWithItsError) {
  Pair pair(1);
  pair.world.run_for(100ms);
  DiskPlan plan;
  plan.action = DiskAction::sync;
  pair.alpha.disk().plan(plan);
  pair.world.run_for(100ms);
  EXPECT_FALSE(pair.alpha.alive());
  ASSERT_TRUE(pair.alpha.outcome().has_value());
  EXPECT_EQ(pair.alpha.outcome()->error().kind, ErrorKind::io);
  pair.alpha.start();
  pair.world.run_for(1s);
  EXPECT_TRUE(pair.alpha.alive());
}

TEST(NodeHost, EventsReachTheListenerWithTheirNode) {
  Pair pair(1);
  std::uint64_t seen = 0;
  pair.beta.trace().listener = [&seen](const std::string& node, const Event& event) {
    EXPECT_EQ(node, "beta");
    EXPECT_EQ(event.name, "appended");
    ++seen;
  };
  pair.world.run_for(100ms);
  EXPECT_EQ(seen, pair.journals[1].acknowledged);
}

TEST(NodeHost, ClocksKeepTheirPaceAndStartAgainWithThePower) {
  World world(3);
  SimNetwork network(world);
  std::vector<Instant> starts;
  NodeHostOptions options = Pair::options("gamma", "10.0.0.3");
  options.drift_ppm = 50'000;
  auto idle = [&starts](Incarnation& life) -> Task<Result<void>> {
    starts.push_back(life.clock->now());
    return [](Clock& clock) -> Task<Result<void>> {
      for (;;) co_await clock.sleep(1h);
    }(*life.clock);
  };
  NodeHost node(world, network, options, idle);
  node.start();
  world.run_for(100s);
  node.kill({Damage::process_only, Ordering::ordered});
  node.start();
  world.settle();
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ((starts[1] - starts[0]) / 1ms, 105'000);
  node.kill({Damage::lose_unsynced, Ordering::ordered});
  node.start();
  world.settle();
  ASSERT_EQ(starts.size(), 3u);
  EXPECT_LT(starts[2].nanoseconds, std::chrono::nanoseconds(5min).count());
}

}  // namespace
}  // namespace ccr::sim
