// TlsNetwork over real sockets: who is reached, and an identity that is replaced while sessions go on.
#include "tests/tls_fixture.h"
#include "transport/tcp_network.h"
#include "transport/tls_network.h"

namespace ccr::transport {
namespace {

struct Met {
  std::unique_ptr<Connection> left, right;
  Result<void> left_proof, right_proof;
};

Task<Result<void>> prove_left(Met& met) {
  met.left_proof = co_await met.left->prove();
  co_return Result<void>();
}

Task<Result<void>> accept_right(Listener& listener, Met& met) {
  Result<std::unique_ptr<Connection>> accepted = co_await listener.accept();
  if (!accepted.ok()) co_return accepted.error();
  met.right = std::move(*accepted);
  met.right_proof = co_await met.right->prove();
  if (!met.right_proof.ok()) met.right->close();
  co_return Result<void>();
}

Task<Result<void>> meet(Executor executor, TlsNetwork& from, Listener& listener, Endpoint at, Met& met) {
  Result<std::unique_ptr<Connection>> connected = co_await from.connect(at);
  if (!connected.ok()) co_return connected.error();
  met.left = std::move(*connected);
  TaskGroup group(executor);
  group.spawn(prove_left(met));
  group.spawn(accept_right(listener, met));
  co_return co_await group.join();
}

Task<Result<void>> one_byte_crosses(Connection& from, Connection& to) {
  const std::byte sent{42};
  std::byte received{};
  const ByteView view(&sent, 1);
  const std::span<const ByteView> pieces(&view, 1);
  CCR_CO_TRY(co_await from.write(pieces));
  const ByteSpan room(&received, 1);
  const Result<std::size_t> count = co_await to.read_some(room);
  CCR_CO_TRY(count);
  EXPECT_EQ(received, sent);
  co_return Result<void>();
}

class TlsNetworkTest : public testing::Test {
 protected:
  // alpha listens, beta looks for it there.
  void with_nodes(std::function<Task<void>(Executor, TlsNetwork& alpha, TlsNetwork& beta, Listener&, Endpoint)> body) {
    run([&](Executor executor) -> Task<void> {
      TcpNetwork tcp(executor);
      const Endpoint nowhere{"127.0.0.1", 1};
      TlsNetwork alpha(tcp, clock_, {{nowhere, "beta"}}, identity_of(authority_, node_of(authority_, "alpha")));
      const Endpoint any{"127.0.0.1", 0};
      Result<std::unique_ptr<Listener>> listener = alpha.listen(any);
      EXPECT_TRUE(listener.ok());
      if (!listener.ok()) co_return;
      const Endpoint at = (*listener)->local();
      const KeyPair pair = node_of(authority_, "beta");
      beta_number_ = facts_of(*pair.certificate).serial;
      beta_key_ = facts_of(*pair.certificate).key_fingerprint;
      TlsNetwork beta(tcp, their_clock_, {{at, "alpha"}}, identity_of(authority_, pair));
      co_await body(executor, alpha, beta, **listener, at);
    });
  }

  StillClock clock_, their_clock_;
  KeyPair authority_ = authority_of("lab");
  std::string beta_number_, beta_key_;
};

TEST_F(TlsNetworkTest, TheNodeOfTheAddressIsReachedAndBothAreNamed) {
  with_nodes([](Executor executor, TlsNetwork& alpha, TlsNetwork& beta, Listener& listener, Endpoint at) -> Task<void> {
    Met met;
    const Result<void> ended = co_await meet(executor, beta, listener, at, met);
    EXPECT_TRUE(ended.ok() && met.left_proof.ok() && met.right_proof.ok());
    if (!met.right_proof.ok() || !met.left_proof.ok()) co_return;
    EXPECT_EQ(met.left->proven_node(), "alpha");
    EXPECT_EQ(met.right->proven_node(), "beta");
    EXPECT_EQ(met.left->peer(), at);
    EXPECT_GT(met.left->facts().window_granted, 0u);
    const Result<void> crossed = co_await one_byte_crosses(*met.left, *met.right);
    EXPECT_TRUE(crossed.ok());
    EXPECT_EQ(alpha.own_certificate()->name, "ccr://lab/alpha");
  });
}

TEST_F(TlsNetworkTest, AnAddressOfNoNodeIsNotConnectedTo) {
  with_nodes([](Executor, TlsNetwork&, TlsNetwork& beta, Listener&, Endpoint) -> Task<void> {
    const Endpoint elsewhere{"127.0.0.1", 2};
    const Result<std::unique_ptr<Connection>> connected = co_await beta.connect(elsewhere);
    expect_message(connected, "127.0.0.1:2 is the address of no node");
  });
}

TEST_F(TlsNetworkTest, ANewIdentityIsForNewConnectionsAndOpenSessionsGoOn) {
  with_nodes([&](Executor executor, TlsNetwork& alpha, TlsNetwork& beta, Listener& listener, Endpoint at) -> Task<void> {
    Met before;
    const Result<void> met_before = co_await meet(executor, beta, listener, at, before);
    EXPECT_TRUE(met_before.ok() && before.left_proof.ok() && before.right_proof.ok());
    if (!before.right_proof.ok() || !before.left_proof.ok()) co_return;
    const std::string old_print = alpha.own_certificate()->fingerprint;
    const KeyPair other = authority_of("lab");
    alpha.use(identity_of(other, node_of(other, "alpha")));
    EXPECT_NE(alpha.own_certificate()->fingerprint, old_print);
    const Result<void> crossed = co_await one_byte_crosses(*before.left, *before.right);
    EXPECT_TRUE(crossed.ok());
    Met refused;
    (void)co_await meet(executor, beta, listener, at, refused);
    expect_kind(refused.left_proof, ErrorKind::identity);
    beta.use(identity_of(other, node_of(other, "beta")));
    Met after;
    (void)co_await meet(executor, beta, listener, at, after);
    EXPECT_TRUE(after.left_proof.ok() && after.right_proof.ok());
  });
}

TEST_F(TlsNetworkTest, ADeniedCertificateIsCutOffInOpenSessionsAndRefusedInNewOnes) {
  with_nodes([&](Executor executor, TlsNetwork& alpha, TlsNetwork& beta, Listener& listener, Endpoint at) -> Task<void> {
    Met open;
    (void)co_await meet(executor, beta, listener, at, open);
    EXPECT_TRUE(open.left_proof.ok() && open.right_proof.ok());
    if (!open.right_proof.ok() || !open.left_proof.ok()) co_return;
    alpha.hold_to({"00"}, {});
    const Result<void> crossed = co_await one_byte_crosses(*open.left, *open.right);
    EXPECT_TRUE(crossed.ok()) << "it is another's number that is denied";
    alpha.hold_to({beta_number_}, {});
    const Result<void> heard = co_await one_byte_crosses(*open.left, *open.right);
    const std::string words = " (ccr://lab/beta) has the number " + beta_number_ + ", which [tls] denied has";
    expect_message(heard, "certificate of " + open.right->peer().text() + words);
    expect_kind(heard, ErrorKind::identity);
    const Result<void> told = co_await one_byte_crosses(*open.right, *open.left);
    expect_kind(told, ErrorKind::identity);
    Met refused;
    (void)co_await meet(executor, beta, listener, at, refused);
    expect_kind(refused.right_proof, ErrorKind::identity);
    std::byte unused;
    const ByteSpan one(&unused, 1);
    const Result<std::size_t> why = co_await refused.left->read_some(one);
    expect_message(why, "alpha refused our certificate: revoked");
    alpha.hold_to({}, {});
    Met again;
    (void)co_await meet(executor, beta, listener, at, again);
    EXPECT_TRUE(again.left_proof.ok() && again.right_proof.ok());
  });
}

TEST_F(TlsNetworkTest, APinnedNodeIsBelievedWithOneOfItsKeysOnly) {
  with_nodes([&](Executor executor, TlsNetwork& alpha, TlsNetwork& beta, Listener& listener, Endpoint at) -> Task<void> {
    const std::string other(64, 'a');
    alpha.hold_to({}, {{"beta", {other, beta_key_}}, {"gamma", {other}}});
    Met believed;
    (void)co_await meet(executor, beta, listener, at, believed);
    EXPECT_TRUE(believed.left_proof.ok() && believed.right_proof.ok());
    alpha.hold_to({}, {{"beta", {other}}});
    Met refused;
    (void)co_await meet(executor, beta, listener, at, refused);
    expect_kind(refused.right_proof, ErrorKind::identity);
    expect_message(refused.right_proof, "certificate of " + refused.right->peer().text() + " (ccr://lab/beta) has the key " + beta_key_ + ", expected " + other);
    if (!believed.right_proof.ok() || !believed.left_proof.ok()) co_return;
    const Result<void> told = co_await one_byte_crosses(*believed.right, *believed.left);
    expect_kind(told, ErrorKind::identity);
  });
}

// The refusal must arrive although the refused side sends at once, and its bytes are never read.
TEST_F(TlsNetworkTest, ARefusalIsHeardByASideThatWrites) {
  with_nodes([&](Executor executor, TlsNetwork&, TlsNetwork& beta, Listener& listener, Endpoint at) -> Task<void> {
    beta.use(identity_of(authority_, node_of(authority_, "beta", around_noon(-1, 10))));
    their_clock_.wall = {noon.nanoseconds + 2 * day_nanoseconds};
    Result<std::unique_ptr<Connection>> connected = co_await beta.connect(at);
    EXPECT_TRUE(connected.ok());
    if (!connected.ok()) co_return;
    Met met;
    met.left = std::move(*connected);
    TaskGroup group(executor);
    group.spawn(accept_right(listener, met));
    const Result<void> proof = co_await met.left->prove();
    EXPECT_TRUE(proof.ok());
    Result<void> written;
    const Bytes content(64 * KiB);
    const ByteView view(content);
    const std::span<const ByteView> pieces(&view, 1);
    for (int i = 0; i < 1000 && written.ok(); ++i) written = co_await met.left->write(pieces);
    std::byte unused;
    const ByteSpan one(&unused, 1);
    Result<std::size_t> read = std::size_t(0);
    if (written.ok()) read = co_await met.left->read_some(one);
    const Error error = written.ok() ? read.error() : written.error();
    EXPECT_EQ(error.message, "alpha refused our certificate: not valid yet by the clock there, or with a weak key");
    met.left->close();
    (void)co_await group.join();
  });
}

}  // namespace
}  // namespace ccr::transport
