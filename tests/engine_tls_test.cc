// Whole nodes over TLS in the simulator: what unproven peers can do to them, and what a node says of them. Time is virtual.
#include "tests/sim/cluster.h"
#include "tests/tls_fixture.h"
#include "transport/framed_connection.h"
#include "transport/tls_network.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using transport::Connection;
using transport::Endpoint;
using transport::TlsIdentity;

const Endpoint alpha_at{"10.77.0.1", 64327};
constexpr transport::Validity always{{1'000'000'000}, {7'000'000'000'000'000'000}};

class NodesOverTls : public testing::Test {
 protected:
  NodesOverTls() {
    options_.over_network = [this](const std::string& node, Incarnation& life) { return over(node, life); };
  }
  ~NodesOverTls() override {
    intruders_.stop();
    world.run_until([this] { return intruders_.running() == 0; }, 60s);
  }

  std::shared_ptr<const TlsIdentity> identity(const transport::KeyPair& authority, const std::string& name) {
    return transport::identity_of(authority, transport::node_of(authority, name, always));
  }
  std::unique_ptr<transport::Network> over(const std::string& node, Incarnation& life) {
    std::map<Endpoint, std::string> nodes{{alpha_at, "alpha"}, {{"10.77.0.2", 64327}, "beta"}};
    return std::make_unique<transport::TlsNetwork>(*life.network, *life.clock, std::move(nodes),
                                                   identity(authority_, certificates_[node]));
  }

  Cluster& start() {
    cluster_.emplace(world, options_);
    cluster_->start_all();
    EXPECT_TRUE(wait_for("alpha", "mounted"));
    mallory_ = cluster_->network().attach(cluster_->network().add_host("mallory", {"10.77.0.66"}));
    return *cluster_;
  }
  bool wait_for(const std::string& node, const std::string& state) {
    const bool reached = world.run_until([&] { return cluster_->state(node) == state; }, 60s) == Ended::reached;
    EXPECT_TRUE(reached) << node << " is " << cluster_->state(node) << ", not " << state << "\n" << cluster_->story();
    return reached;
  }
  void seed() {
    ASSERT_TRUE(wait_for("beta", "needs_seed"));
    Random random(7);
    for (PageNumber page = 1; page <= 100; ++page) ASSERT_TRUE(cluster_->commit(random, {page}));
    cluster_->request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  // What alpha said of connections from that host.
  std::vector<std::string> refusals(const std::string& host = "10.77.0.66") const {
    std::vector<std::string> found;
    for (const std::string& event : cluster_->events_of("connection_refused")) {
      if (event.find("peer=" + host + ":") != std::string::npos) found.push_back(event);
    }
    return found;
  }

  // Connects and holds the connection without a word.
  Task<Result<void>> stay_silent() {
    Result<std::unique_ptr<Connection>> connected = co_await mallory_->connect(alpha_at);
    if (!connected.ok()) co_return Result<void>();
    std::byte unused;
    const ByteSpan one(&unused, 1);
    (void)co_await (*connected)->read_some(one);
    ++closed_;
    co_return Result<void>();
  }

  // Proves itself as gamma would, then does `then`.
  Task<Result<void>> prove_and(std::string name, std::function<Task<void>(std::unique_ptr<Connection>)> then) {
    Result<std::unique_ptr<Connection>> connected = co_await mallory_->connect(alpha_at);
    if (!connected.ok()) co_return connected.error();
    const std::shared_ptr<const TlsIdentity> who = identity(authority_, name);
    transport::PeerExpectation expected = transport::expectation(*who, "alpha", alpha_at.text());
    auto proven = std::make_unique<transport::TlsConnection>(std::move(*connected), who, std::move(expected),
                                                             transport::TlsConnection::Side::connects, clock_);
    CCR_CO_TRY(co_await proven->prove());
    co_await then(std::move(proven));
    co_return Result<void>();
  }

  World world{1};
  transport::StillClock clock_;
  transport::KeyPair authority_ = transport::authority_of("sim", always);
  std::map<std::string, std::string> certificates_{{"alpha", "alpha"}, {"beta", "beta"}};
  ClusterOptions options_;
  std::optional<Cluster> cluster_;
  std::unique_ptr<transport::Network> mallory_;
  TaskGroup intruders_{world.executor()};
  int closed_ = 0;
};

TEST_F(NodesOverTls, ACopyIsSeededAndFollowsAndItsConnectionNamesTheCipher) {
  Cluster& cluster = start();
  seed();
  const transport::FramedConnection* connection = cluster.passive("beta")->connection();
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->facts().tls, "TLS_AES_128_GCM_SHA256");
}

TEST_F(NodesOverTls, APeerThatSaysNothingIsClosedAfterFiveSeconds) {
  start();
  const Instant before = world.now();
  intruders_.spawn(stay_silent());
  ASSERT_EQ(world.run_until([this] { return closed_ == 1; }, 60s), Ended::reached);
  EXPECT_GE(world.now() - before, Duration(5s));
  EXPECT_LT(world.now() - before, Duration(5100ms));
  ASSERT_EQ(refusals().size(), 1u);
  EXPECT_NE(refusals().front().find("TLS handshake with 10.77.0.66"), std::string::npos) << refusals().front();
}

TEST_F(NodesOverTls, AProvenPeerWithoutAHelloIsClosedAfterFiveSeconds) {
  start();
  const Instant before = world.now();
  bool closed = false;
  intruders_.spawn(prove_and("beta", [&](std::unique_ptr<Connection> connection) -> Task<void> {
    std::byte unused;
    const ByteSpan one(&unused, 1);
    (void)co_await connection->read_some(one);
    closed = true;
  }));
  ASSERT_EQ(world.run_until([&] { return closed; }, 60s), Ended::reached);
  EXPECT_GE(world.now() - before, Duration(5s));
  EXPECT_LT(world.now() - before, Duration(5200ms));
  ASSERT_EQ(refusals().size(), 1u);
  EXPECT_NE(refusals().front().find("hello of 10.77.0.66"), std::string::npos) << refusals().front();
}

TEST_F(NodesOverTls, AHelloInAnothersNameIsRefused) {
  start();
  std::string answer;
  intruders_.spawn(prove_and("beta", [&](std::unique_ptr<Connection> proven) -> Task<void> {
    transport::FramedConnection connection(world.executor(), std::move(proven));
    transport::Hello hello = transport::sample_hello();
    hello.cluster = "sim";
    hello.from_node = "gamma";
    transport::Message message(std::move(hello));
    (void)co_await connection.send(std::move(message));
    const Result<transport::Message> received = co_await connection.receive();
    const auto* refuse = received.ok() ? std::get_if<transport::Refuse>(&*received) : nullptr;
    answer = refuse == nullptr ? "no refusal" : refuse->text;
  }));
  ASSERT_EQ(world.run_until([&] { return !answer.empty(); }, 60s), Ended::reached);
  EXPECT_EQ(answer, "the hello says that node 'gamma' speaks, its certificate names 'beta'");
}

TEST_F(NodesOverTls, AFloodHoldsEightPlacesAndTouchesNoOpenSession) {
  Cluster& cluster = start();
  seed();
  world.run_for(2s);  // what was said of the beginning is of another second
  const std::uint64_t session_bytes = cluster.passive("beta")->connection()->bytes_received();
  for (int i = 0; i < 60; ++i) intruders_.spawn(stay_silent());
  ASSERT_EQ(world.run_until([this] { return closed_ >= 52; }, 2s), Ended::reached) << closed_;
  EXPECT_EQ(closed_, 52);
  world.run_for(3s);
  EXPECT_EQ(closed_, 52);
  EXPECT_EQ(cluster.state("beta"), "healthy");
  EXPECT_GT(cluster.passive("beta")->connection()->bytes_received(), session_bytes);
  ASSERT_EQ(refusals().size(), 10u);  // of 52 in one second
  EXPECT_NE(refusals().front().find("10.77.0.66"), std::string::npos);
  // The other node may come and go meanwhile.
  cluster.host("beta").stop();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  ASSERT_EQ(world.run_until([this] { return closed_ == 60; }, 10s), Ended::reached);
}

TEST_F(NodesOverTls, AnotherNodesCertificateAtTheAddressIsTheCauseOfDisconnected) {
  certificates_["alpha"] = "alpha";
  Cluster& cluster = start();
  seed();
  certificates_["alpha"] = "gamma";
  cluster.host("alpha").stop();
  cluster.host("alpha").start();
  const std::string expected = "certificate of 10.77.0.1:64327 names ccr://sim/gamma, expected ccr://sim/alpha";
  const auto cause = [&] { return cluster.node("beta")->find(Cluster::database)->standing->cause(); };
  ASSERT_EQ(world.run_until([&] { return cause() == expected; }, 60s), Ended::reached) << cause();
  EXPECT_EQ(cluster.state("beta"), "disconnected");
  const auto told = [&] {
    const std::vector<std::string> found = refusals("10.77.0.2");
    return !found.empty() && found.back().find("refused our certificate: it does not bear the name, or not the key, that is expected there") != std::string::npos;
  };
  EXPECT_EQ(world.run_until(told, 10s), Ended::reached) << cluster.story();
}

TEST_F(NodesOverTls, ARefusedCopySaysWhatTheActiveNodeHadAgainstIt) {
  certificates_["beta"] = "gamma";
  Cluster& cluster = start();
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  cluster.request_seed("beta");
  const auto cause = [&] { return cluster.node("beta")->find(Cluster::database)->standing->cause(); };
  const std::string expected = "10.77.0.1:64327: alpha refused our certificate: it does not bear the name, or not the key, that is expected there";
  ASSERT_EQ(world.run_until([&] { return cause() == expected; }, 60s), Ended::reached) << cause() << "\n" << cluster.story();
  ASSERT_FALSE(refusals("10.77.0.2").empty());
  EXPECT_NE(refusals("10.77.0.2").back().find("names ccr://sim/gamma, which is no node of the configuration here"), std::string::npos);
}

}  // namespace
}  // namespace ccr::sim
