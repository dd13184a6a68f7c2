// Certificates made while the test runs, by the code of `ccr cert`, and peers of TLS: honest ones, and ones that break one rule
// each.
//
// The wall clock stands still at `noon`, so no date of a test ever passes.
#pragma once

#include <functional>

#include <openssl/ssl.h>

#include "base/system_clock.h"
#include "base/task_group.h"
#include "tests/memory_network.h"
#include "tests/transport_samples.h"
#include "transport/certificate_issuer.h"
#include "transport/tls_connection.h"

namespace ccr::transport {

inline constexpr WallTime noon{1'800'000'000'000'000'000};  // 2027-01-15T08:00:00Z
inline constexpr std::int64_t day_nanoseconds = 86'400'000'000'000;

class StillClock final : public Clock {
 public:
  Instant now() const override { return real_.now(); }
  WallTime wall_now() const override { return wall; }
  Task<void> sleep_until(Instant at) override { return real_.sleep_until(at); }
  WallTime wall = noon;

 private:
  SystemClock real_;
};

inline Validity around_noon(int days_before, int days_after) {
  return {{noon.nanoseconds - days_before * day_nanoseconds}, {noon.nanoseconds + days_after * day_nanoseconds}};
}

inline KeyPair authority_of(const std::string& cluster, Validity validity = around_noon(1, 3650)) {
  Result<KeyPair> made = make_authority(cluster, validity);
  EXPECT_TRUE(made.ok());
  return std::move(*made);
}

inline KeyPair node_of(const KeyPair& authority, const std::string& node, Validity validity = around_noon(1, 365)) {
  Result<KeyPair> made = issue_node(authority, node, validity);
  EXPECT_TRUE(made.ok());
  return std::move(*made);
}

inline const TlsFiles file_names{"ca.pem", "node.pem", "node.key"};

inline Result<std::shared_ptr<const TlsIdentity>> try_identity(const KeyPair& authority, const KeyPair& node, const NodeName& own) {
  const TlsContent content{pem_of(*authority.certificate), pem_of(*node.certificate), pem_of(*node.key)};
  return TlsIdentity::make(content, file_names, own);
}

inline std::shared_ptr<const TlsIdentity> identity_of(const KeyPair& authority, const KeyPair& node) {
  const std::optional<NodeName> name = facts_of(*node.certificate).name;
  EXPECT_TRUE(name.has_value());
  Result<std::shared_ptr<const TlsIdentity>> made = try_identity(authority, node, *name);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return *made;
}

inline PeerExpectation expectation(const TlsIdentity& identity, const std::string& looked_for, const std::string& where) {
  const auto rules = std::make_shared<PeerRules>();
  rules->nodes = {"alpha", "beta"};
  return {identity.own(), rules, looked_for, where, "ca.pem"};
}

inline std::unique_ptr<TlsConnection> connecting(std::unique_ptr<Connection> inner, std::shared_ptr<const TlsIdentity> identity,
                                                 Clock& clock, const std::string& looked_for = "alpha") {
  const PeerExpectation expected = expectation(*identity, looked_for, "10.77.0.1:64327");
  return std::make_unique<TlsConnection>(std::move(inner), identity, expected, TlsConnection::Side::connects, clock);
}

inline std::unique_ptr<TlsConnection> accepting(std::unique_ptr<Connection> inner, std::shared_ptr<const TlsIdentity> identity,
                                                Clock& clock) {
  const PeerExpectation expected = expectation(*identity, "", "10.77.0.2:5000");
  return std::make_unique<TlsConnection>(std::move(inner), identity, expected, TlsConnection::Side::accepts, clock);
}

// A peer that is not ccr's: OpenSSL with a context of the test's own over a connection.
struct RawPeer {
  RawPeer(std::unique_ptr<Connection> opened, SSL_CTX* context, bool connects)
      : connection(std::move(opened)), records(context, connects, {8 * KiB, 64 * KiB, 64 * KiB, GiB}) {}

  Task<Result<void>> send() {
    const Bytes going = records.take_output();
    const ByteView view(going);
    const std::span<const ByteView> pieces(&view, 1);
    if (!going.empty()) CCR_CO_TRY(co_await connection->write(pieces));
    co_return Result<void>();
  }

  // To its end; then one read, as an alert comes behind a handshake that the connecting side calls done. Closes.
  Task<Result<void>> run() {
    bool open = true;
    for (bool done = false; open;) {
      std::byte unused;
      std::size_t count = 0;
      const TlsRecords::Outcome outcome = done ? records.decrypt(ByteSpan(&unused, 1), count) : records.handshake();
      (void)co_await send();
      if (outcome == TlsRecords::Outcome::done && !done) {
        done = shaken = true;
        continue;
      }
      open = outcome == TlsRecords::Outcome::wants_input;
      if (!open) break;
      const ByteSpan room = records.room();
      const Result<std::size_t> came = co_await connection->read_some(room);
      if (!came.ok()) break;
      records.came(*came);
    }
    connection->close();
    co_return Result<void>();
  }

  std::unique_ptr<Connection> connection;
  TlsRecords records;
  bool shaken = false;
};

// What a raw peer shows; each test breaks one of them.
struct RawShape {
  const KeyPair* node = nullptr;   // none: no certificate
  std::vector<const X509*> chain;  // sent behind it
  std::string protocol = "ccr/1";  // empty: none
  int version = TLS1_3_VERSION;
  std::function<void(SSL_CTX*)> further;
};

inline ContextHandle raw_context(const RawShape& shape) {
  ContextHandle context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), shape.version);
  SSL_CTX_set_max_proto_version(context.get(), shape.version);
  if (shape.node != nullptr) {
    EXPECT_EQ(SSL_CTX_use_certificate(context.get(), shape.node->certificate.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), shape.node->key.get()), 1);
  }
  for (const X509* one : shape.chain) EXPECT_EQ(SSL_CTX_add1_chain_cert(context.get(), const_cast<X509*>(one)), 1);
  if (!shape.protocol.empty()) {
    const std::string list = std::string(1, char(shape.protocol.size())) + shape.protocol;
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(list.data()), unsigned(list.size()));
  }
  if (shape.further) shape.further(context.get());
  return context;
}

}  // namespace ccr::transport
