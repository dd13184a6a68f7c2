// Who is not believed, what each side then says, and that nothing of ccr was read from them. One rule broken in each test.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/timeout.h"
#include "tests/tls_fixture.h"

namespace ccr::transport {
namespace {

class RefusalTest : public testing::Test {
 protected:
  struct Ends {
    Result<void> connecting, accepting;
    Result<std::size_t> first_read = std::size_t(0);  // of the connecting side
  };

  static Task<Result<void>> accept(TlsConnection& connection, Result<void>& outcome) {
    outcome = co_await connection.prove();
    if (!outcome.ok()) connection.close();
    co_return Result<void>();
  }
  static Task<Result<void>> accept_and_close(TlsConnection& connection, Result<void>& outcome) {
    outcome = co_await connection.prove();
    connection.close();
    co_return Result<void>();
  }
  static Task<Result<void>> connect(TlsConnection& connection, Ends& ends) {
    ends.connecting = co_await connection.prove();
    if (ends.connecting.ok()) {
      std::byte unused;
      const ByteSpan one(&unused, 1);
      ends.first_read = co_await connection.read_some(one);
    }
    connection.close();
    co_return Result<void>();
  }

  // Two nodes of ccr meet. The clocks may differ.
  Ends meet(std::shared_ptr<const TlsIdentity> from, std::shared_ptr<const TlsIdentity> to,
            const std::string& looked_for = "alpha") {
    Ends ends;
    run([&](Executor executor) -> Task<void> {
      MemoryPair pair = memory_pair(executor);
      const auto left = connecting(std::move(pair.left), from, their_clock_, looked_for);
      const auto right = accepting(std::move(pair.right), to, clock_);
      TaskGroup group(executor);
      group.spawn(connect(*left, ends));
      group.spawn(accept_and_close(*right, ends.accepting));
      (void)co_await group.join();
    });
    return ends;
  }

  // A peer of another make meets alpha, which answers with `outcome`.
  Result<void> raw_meets_alpha(const RawShape& shape, const std::function<void(SSL*)>& prepare = {}) {
    Result<void> outcome;
    const ContextHandle context = raw_context(shape);
    run([&](Executor executor) -> Task<void> {
      MemoryPair pair = memory_pair(executor);
      RawPeer peer(std::move(pair.left), context.get(), true);
      if (prepare) prepare(peer.records.session());
      const auto alpha = accepting(std::move(pair.right), alpha_, clock_);
      TaskGroup group(executor);
      group.spawn(peer.run());
      group.spawn(accept_and_close(*alpha, outcome));
      (void)co_await group.join();
      EXPECT_EQ(alpha->proven_node(), outcome.ok() ? "beta" : "");
    });
    return outcome;
  }

  // These bytes and the end come to alpha instead of TLS.
  Result<void> bytes_meet_alpha(ByteView bytes) {
    Result<void> outcome;
    run([&](Executor executor) -> Task<void> {
      MemoryPair pair = memory_pair(executor);
      const auto alpha = accepting(std::move(pair.right), alpha_, clock_);
      const std::span<const ByteView> pieces(&bytes, 1);
      const Result<void> written = co_await pair.left->write(pieces);
      EXPECT_TRUE(written.ok());
      TaskGroup group(executor);
      group.spawn(accept(*alpha, outcome));
      co_await let_others_run();
      pair.left->close();
      (void)co_await group.join();
    });
    return outcome;
  }

  KeyPair signed_pair(const CertificateContent& content) const {
    KeyPair pair;
    pair.key = make_key();
    Result<CertificateHandle> made = sign_certificate(content, *pair.key, authority_.certificate.get(), *authority_.key);
    EXPECT_TRUE(made.ok());
    pair.certificate = std::move(*made);
    return pair;
  }
  static CertificateContent beta_content() {
    CertificateContent content;
    content.common_name = "beta";
    content.uris = {"ccr://lab/beta"};
    content.validity = around_noon(1, 365);
    return content;
  }
  Result<void> named(std::vector<std::string> uris) {
    CertificateContent content = beta_content();
    content.uris = std::move(uris);
    const KeyPair pair = signed_pair(content);
    RawShape shape;
    shape.node = &pair;
    return raw_meets_alpha(shape);
  }

  StillClock clock_, their_clock_;
  KeyPair authority_ = authority_of("lab");
  KeyPair beta_pair_ = node_of(authority_, "beta");
  std::shared_ptr<const TlsIdentity> alpha_ = identity_of(authority_, node_of(authority_, "alpha"));
  std::shared_ptr<const TlsIdentity> beta_ = identity_of(authority_, beta_pair_);
};

TEST_F(RefusalTest, AnHonestPeerOfAnotherMakeIsBelieved) {
  RawShape shape;
  shape.node = &beta_pair_;
  EXPECT_TRUE(raw_meets_alpha(shape).ok());
}

TEST_F(RefusalTest, ACertificateOfAForeignAuthorityIsRefusedAndBothEndsSayWhy) {
  const KeyPair foreign = authority_of("lab");
  // It must believe alpha to come so far: its ca file has the right authority, its certificate is of the other.
  const KeyPair beta = node_of(foreign, "beta");
  RawShape shape;
  shape.node = &beta;
  expect_message(
      raw_meets_alpha(shape),
      "certificate of 10.77.0.2:5000 (ccr://lab/beta) is signed by 'ccr authority of lab', which is no authority in ca.pem");
}

TEST_F(RefusalTest, TheRefusedSideHearsThatItsAuthorityIsUnknown) {
  const KeyPair foreign = authority_of("lab");
  const KeyPair beta = node_of(foreign, "beta");
  const TlsContent both{pem_of(*foreign.certificate) + pem_of(*authority_.certificate), pem_of(*beta.certificate),
                        pem_of(*beta.key)};
  const NodeName name{"lab", "beta"};
  const Result<std::shared_ptr<const TlsIdentity>> made = TlsIdentity::make(both, file_names, name);
  ASSERT_TRUE(made.ok());
  const Ends ends = meet(*made, alpha_);
  EXPECT_TRUE(ends.connecting.ok());
  expect_kind(ends.accepting, ErrorKind::identity);
  expect_kind(ends.first_read, ErrorKind::identity);
  expect_message(ends.first_read, "alpha refused our certificate: unknown authority");
}

TEST_F(RefusalTest, AListenerOfAForeignAuthorityIsRefusedAndHearsIt) {
  const KeyPair foreign = authority_of("lab");
  const Ends ends = meet(beta_, identity_of(foreign, node_of(foreign, "alpha")));
  expect_message(
      ends.connecting,
      "certificate of 10.77.0.1:64327 (ccr://lab/alpha) is signed by 'ccr authority of lab', which is no authority in ca.pem");
  expect_message(ends.accepting, "10.77.0.2:5000 refused our certificate: unknown authority");
}

TEST_F(RefusalTest, AnotherNodeAtTheAddressIsRefusedWithBothNames) {
  const Ends ends = meet(beta_, identity_of(authority_, node_of(authority_, "gamma")));
  expect_message(ends.connecting, "certificate of 10.77.0.1:64327 names ccr://lab/gamma, expected ccr://lab/alpha");
  expect_message(ends.accepting, "10.77.0.2:5000 refused our certificate: it does not bear the name, or not the key, that is expected there");
}

TEST_F(RefusalTest, ANodeThatTheConfigurationLacksIsRefused) {
  const Ends ends = meet(identity_of(authority_, node_of(authority_, "gamma")), alpha_);
  expect_message(ends.accepting, "certificate of 10.77.0.2:5000 names ccr://lab/gamma, which is no node of the configuration here");
  expect_message(ends.first_read, "alpha refused our certificate: it does not bear the name, or not the key, that is expected there");
}

TEST_F(RefusalTest, OurOwnCertificateReflectedIsRefused) {
  const Ends ends = meet(alpha_, alpha_);
  expect_message(ends.connecting, "certificate of 10.77.0.1:64327 names ccr://lab/alpha, which is this node itself");
}

TEST_F(RefusalTest, AnExpiredCertificateIsRefusedWithItsDateAndOurs) {
  const KeyPair beta = node_of(authority_, "beta", around_noon(30, 10));
  clock_.wall = {noon.nanoseconds + 20 * day_nanoseconds};
  const Ends ends = meet(identity_of(authority_, beta), alpha_);
  expect_message(
      ends.accepting,
      "certificate of 10.77.0.2:5000 (ccr://lab/beta) expired 2027-01-25T08:00:00Z, this clock says 2027-02-04T08:00:00Z");
  expect_message(ends.first_read, "alpha refused our certificate: expired, by the clock there");
}

TEST_F(RefusalTest, ACertificateOfTheFutureIsRefusedWithItsDateAndOurs) {
  const KeyPair beta = node_of(authority_, "beta", around_noon(-10, 100));
  their_clock_.wall = {noon.nanoseconds + 20 * day_nanoseconds};
  const Ends ends = meet(identity_of(authority_, beta), alpha_);
  expect_message(ends.accepting,
                 "certificate of 10.77.0.2:5000 (ccr://lab/beta) is not valid yet: from 2027-01-25T08:00:00Z, this clock says "
                 "2027-01-15T08:00:00Z");
  expect_message(ends.first_read, "alpha refused our certificate: not valid yet by the clock there, or with a weak key");
}

TEST_F(RefusalTest, OurOwnExpiredCertificateIsSaidBeforeAnybodyIsAsked) {
  their_clock_.wall = {noon.nanoseconds + 400 * day_nanoseconds};
  const Ends ends = meet(beta_, alpha_);
  expect_message(ends.connecting,
                 "our certificate 'node.pem' (ccr://lab/beta) expired 2028-01-15T08:00:00Z, this clock says 2028-02-19T08:00:00Z");
}

TEST_F(RefusalTest, AnExpiredAuthorityIsNamed) {
  const KeyPair old = authority_of("lab", around_noon(100, 10));
  const std::shared_ptr<const TlsIdentity> alpha = identity_of(old, node_of(old, "alpha"));
  const std::shared_ptr<const TlsIdentity> beta = identity_of(old, node_of(old, "beta"));
  clock_.wall = {noon.nanoseconds + 20 * day_nanoseconds};
  const Ends ends = meet(beta, alpha);
  expect_message(
      ends.accepting,
      "authority 'ccr authority of lab' in ca.pem, which signed the certificate of 10.77.0.2:5000 (ccr://lab/beta), expired; "
      "this clock says 2027-02-04T08:00:00Z");
}

TEST_F(RefusalTest, AnotherClusterOfTheSameAuthorityIsRefused) {
  expect_message(named({"ccr://shop/beta"}), "certificate of 10.77.0.2:5000 names ccr://shop/beta, expected ccr://lab/NODE");
}

TEST_F(RefusalTest, ACertificateWithoutANameIsRefused) {
  expect_message(named({}), "certificate of 10.77.0.2:5000 names no name, expected ccr://lab/NODE");
}

TEST_F(RefusalTest, ACertificateWithTwoNamesIsRefused) {
  expect_message(named({"ccr://lab/beta", "ccr://lab/alpha"}),
                 "certificate of 10.77.0.2:5000 names ccr://lab/beta, ccr://lab/alpha, expected ccr://lab/NODE");
}

TEST_F(RefusalTest, TheAuthoritysOwnNameIsNoNode) {
  expect_message(named({"ccr://lab"}), "certificate of 10.77.0.2:5000 names ccr://lab, expected ccr://lab/NODE");
}

TEST_F(RefusalTest, ANameOfAnotherSchemeIsRefused) {
  expect_message(named({"https://lab/beta"}), "certificate of 10.77.0.2:5000 names https://lab/beta, expected ccr://lab/NODE");
}

TEST_F(RefusalTest, ForeignTextIsOneLine) {
  expect_message(named({"ccr://lab/be\x1bta"}), "certificate of 10.77.0.2:5000 names ccr://lab/be?ta, expected ccr://lab/NODE");
}

TEST_F(RefusalTest, ACertificateForServersOnlyIsRefused) {
  CertificateContent content = beta_content();
  content.for_client = false;
  const KeyPair pair = signed_pair(content);
  RawShape shape;
  shape.node = &pair;
  expect_message(raw_meets_alpha(shape), "certificate of 10.77.0.2:5000 (ccr://lab/beta) is made for another use");
}

TEST_F(RefusalTest, ACertificateForClientsOnlyIsRefused) {
  CertificateContent content = beta_content();
  content.for_server = false;
  const KeyPair pair = signed_pair(content);
  RawShape shape;
  shape.node = &pair;
  expect_message(raw_meets_alpha(shape),
                 "certificate of 10.77.0.2:5000 (ccr://lab/beta) is for clients only, expected servers and clients");
}

TEST_F(RefusalTest, ACertificateThatNamesNoUseIsRefused) {
  CertificateContent content = beta_content();
  content.for_server = content.for_client = false;
  const KeyPair pair = signed_pair(content);
  RawShape shape;
  shape.node = &pair;
  expect_message(raw_meets_alpha(shape),
                 "certificate of 10.77.0.2:5000 (ccr://lab/beta) is for no use that it names only, expected servers and clients");
}

TEST_F(RefusalTest, AChainWithAnotherAuthorityBetweenIsRefused) {
  CertificateContent root_content;
  root_content.common_name = "root";
  root_content.uris = {"ccr://lab"};
  root_content.validity = around_noon(1, 365);
  root_content.authority = true;
  root_content.path_length = 1;
  KeyPair root;
  root.key = make_key();
  Result<CertificateHandle> root_made = sign_certificate(root_content, *root.key, nullptr, *root.key);
  ASSERT_TRUE(root_made.ok());
  root.certificate = std::move(*root_made);
  CertificateContent between_content = root_content;
  between_content.common_name = "between";
  between_content.path_length = 0;
  KeyPair between;
  between.key = make_key();
  Result<CertificateHandle> between_made = sign_certificate(between_content, *between.key, root.certificate.get(), *root.key);
  ASSERT_TRUE(between_made.ok());
  between.certificate = std::move(*between_made);
  alpha_ = identity_of(root, node_of(root, "alpha"));
  const KeyPair beta = node_of(between, "beta");
  RawShape shape;
  shape.node = &beta;
  shape.chain = {between.certificate.get()};
  expect_message(raw_meets_alpha(shape),
                 "certificate of 10.77.0.2:5000 (ccr://lab/beta) has others between itself and the authority; none may be");
}

TEST_F(RefusalTest, MoreThanSixteenKibibytesOfCertificatesAreRefused) {
  RawShape shape;
  shape.node = &beta_pair_;
  shape.chain.assign(40, beta_pair_.certificate.get());
  expect_message(raw_meets_alpha(shape), "10.77.0.2:5000 sent more than 16 KiB of certificates");
}

TEST_F(RefusalTest, AnRsaKeyOf1024BitsIsRefused) {
  KeyPair pair;
  pair.key = KeyHandle(EVP_RSA_gen(1024));
  Result<CertificateHandle> made = sign_certificate(beta_content(), *pair.key, authority_.certificate.get(), *authority_.key);
  ASSERT_TRUE(made.ok());
  pair.certificate = std::move(*made);
  RawShape shape;
  shape.node = &pair;
  expect_kind(raw_meets_alpha(shape), ErrorKind::identity);
}

TEST_F(RefusalTest, APeerWithoutACertificateIsRefused) {
  expect_message(raw_meets_alpha(RawShape()), "10.77.0.2:5000 sent no certificate");
}

TEST_F(RefusalTest, Tls12IsRefused) {
  RawShape shape;
  shape.node = &beta_pair_;
  shape.version = TLS1_2_VERSION;
  expect_message(raw_meets_alpha(shape), "10.77.0.2:5000 does not speak TLS 1.3");
}

TEST_F(RefusalTest, APeerWithoutAlpnIsRefused) {
  RawShape shape;
  shape.node = &beta_pair_;
  shape.protocol = "";
  expect_message(raw_meets_alpha(shape), "10.77.0.2:5000 does not say that it speaks ccr/1 (ALPN)");
}

TEST_F(RefusalTest, APeerOfAnotherProtocolIsRefused) {
  RawShape shape;
  shape.node = &beta_pair_;
  shape.protocol = "h2";
  expect_message(raw_meets_alpha(shape), "10.77.0.2:5000 does not speak ccr/1 (ALPN offers another protocol)");
}

// A session to offer again; nobody of ccr ever gave one out, so one is made by hand.
SSL_SESSION* made_up_session(bool early) {
  SSL_SESSION* session = SSL_SESSION_new();
  static const unsigned char id[] = {1, 2, 3, 4};
  static const unsigned char key[32] = {7};
  static const unsigned char cipher[] = {0x13, 0x01};  // TLS_AES_128_GCM_SHA256
  const ContextHandle context(SSL_CTX_new(TLS_method()));
  const SessionHandle any(SSL_new(context.get()));
  EXPECT_EQ(SSL_SESSION_set1_master_key(session, key, sizeof key), 1);
  EXPECT_EQ(SSL_SESSION_set_cipher(session, SSL_CIPHER_find(any.get(), cipher)), 1);
  EXPECT_EQ(SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION), 1);
  EXPECT_EQ(SSL_SESSION_set1_id(session, id, sizeof id), 1);
  if (early) {
    EXPECT_EQ(SSL_SESSION_set_max_early_data(session, 1000), 1);
    EXPECT_EQ(SSL_SESSION_set1_alpn_selected(session, reinterpret_cast<const unsigned char*>("ccr/1"), 5), 1);
  }
  return session;
}

SSL_SESSION* psk_session = nullptr;  // OpenSSL's callback has no argument of ours

int offer_psk(SSL*, const EVP_MD*, const unsigned char** id, std::size_t* length, SSL_SESSION** session) {
  static const unsigned char name[] = "lab|beta|alpha|1";
  *id = name;
  *length = sizeof name - 1;
  SSL_SESSION_up_ref(psk_session);
  *session = psk_session;
  return 1;
}

TEST_F(RefusalTest, AnOfferedSessionIsRefused) {
  RawShape shape;
  shape.node = &beta_pair_;
  shape.further = [](SSL_CTX* context) { SSL_CTX_set_psk_use_session_callback(context, offer_psk); };
  psk_session = made_up_session(false);
  expect_message(raw_meets_alpha(shape), "10.77.0.2:5000 offered a session to resume");
  SSL_SESSION_free(psk_session);
}

TEST_F(RefusalTest, EarlyDataIsRefused) {
  RawShape shape;
  shape.node = &beta_pair_;
  shape.further = [](SSL_CTX* context) { SSL_CTX_set_psk_use_session_callback(context, offer_psk); };
  psk_session = made_up_session(true);
  const auto write_early = [](SSL* session) {
    std::size_t written = 0;
    const std::string words = "CCRF";
    EXPECT_EQ(SSL_write_early_data(session, words.data(), words.size(), &written), 1);
  };
  expect_message(raw_meets_alpha(shape, write_early), "10.77.0.2:5000 began with early data");
  SSL_SESSION_free(psk_session);
}

TEST_F(RefusalTest, ClearTextIsRefused) {
  Bytes hello(200, std::byte{0});
  std::memcpy(hello.data(), "CCRF", 4);
  const Result<void> outcome = bytes_meet_alpha(hello);
  expect_message(outcome, "10.77.0.2:5000 does not speak TLS");
  EXPECT_EQ(outcome.error().hint, "is [tls] mode the same on both nodes? ccr events on that node says more");
}

TEST_F(RefusalTest, HttpIsRefused) {
  expect_message(bytes_meet_alpha(as_bytes("GET / HTTP/1.1\r\nHost: alpha\r\n\r\n")), "10.77.0.2:5000 does not speak TLS");
}

TEST_F(RefusalTest, NothingAtAllIsADisconnection) { expect_kind(bytes_meet_alpha({}), ErrorKind::disconnected); }

TEST_F(RefusalTest, GarbageEndsTheHandshakeWhateverItsLength) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    Bytes garbage = random_bytes(random.between(1, 3000), seed);
    if (seed % 3 == 0 && garbage.size() > 5) {  // as a handshake record
      garbage[0] = std::byte{22}, garbage[1] = std::byte{3}, garbage[2] = std::byte{1}, garbage[3] = std::byte(garbage.size() >> 8);
    }
    EXPECT_FALSE(bytes_meet_alpha(garbage).ok()) << seed;
  }
}

TEST_F(RefusalTest, AListenerInClearTextIsSaidToTheOneWhoConnects) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair pair = memory_pair(executor);
    const auto beta = connecting(std::move(pair.left), beta_, clock_);
    const ByteView answer = as_bytes("CCRF and so on, as a node whose TLS is off would");
    const std::span<const ByteView> pieces(&answer, 1);
    const Result<void> written = co_await pair.right->write(pieces);
    EXPECT_TRUE(written.ok());
    Result<void> outcome;
    TaskGroup group(executor);
    group.spawn(accept(*beta, outcome));
    co_await let_others_run();
    pair.right->close();
    (void)co_await group.join();
    expect_message(outcome, "alpha at 10.77.0.1:64327 does not speak TLS");
  });
}

TEST_F(RefusalTest, AListenerThatClosesIsSaidWithAHintAtTheMode) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair pair = memory_pair(executor);
    const auto beta = connecting(std::move(pair.left), beta_, clock_);
    pair.right->close();
    const Result<void> outcome = co_await beta->prove();
    expect_kind(outcome, ErrorKind::disconnected);
  });
}

TEST_F(RefusalTest, GarbageBetweenFinishedAndHelloEndsTheConnection) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair pair = memory_pair(executor);
    auto* wire = static_cast<MemoryConnection*>(pair.right.get());
    const auto beta = connecting(std::move(pair.left), beta_, clock_);
    const auto alpha = accepting(std::move(pair.right), alpha_, clock_);
    Result<void> left, right;
    TaskGroup group(executor);
    group.spawn(accept(*beta, left));
    group.spawn(accept(*alpha, right));
    (void)co_await group.join();
    EXPECT_TRUE(left.ok() && right.ok());
    const Bytes garbage = random_bytes(100, 1);
    wire->incoming().insert(wire->incoming().end(), garbage.begin(), garbage.end());
    Bytes room(10);
    const ByteSpan span(room);
    const Result<std::size_t> read = co_await alpha->read_some(span);
    EXPECT_FALSE(read.ok());
  });
}

}  // namespace
}  // namespace ccr::transport
