// TlsIdentity is what a node proves itself with and whom it believes: its certificate, its key, the cluster's authority, and the
// rules of TLS here. One identity serves both ends of a connection; it never changes, a reload makes another.
//
// Rules: TLS 1.3 only; AES-128-GCM, then AES-256-GCM, ChaCha20-Poly1305; X25519, P-256; ALPN ccr/1; a certificate from both sides,
// directly below an authority of the ca file and of no other store; at least 112 bits (no RSA-1024, no SHA-1); no tickets, no
// resumption, no early data, no compression; at most certificate_bytes_max of certificates. AES-128 first: nobody breaks 128 bits
// either, and it is faster (bench/transport_bench). make() answers with config when the three do not fit each other, or name
// another node. Dates are left out on purpose: a node with an expired certificate still serves its programs; nobody believes it,
// and it says so. Threads: the node's executor.
#pragma once

#include <memory>

#include "transport/certificate.h"
#include "transport/tls_files.h"

namespace ccr::transport {

inline constexpr const char* tls_protocol = "ccr/1";
inline constexpr long certificate_bytes_max = 16 * KiB;

class TlsIdentity {
 public:
  // `files` gives the names for messages.
  static Result<std::shared_ptr<const TlsIdentity>> make(const TlsContent& content, const TlsFiles& files, const NodeName& own);

  SSL_CTX* context() const noexcept { return context_.get(); }
  const NodeName& own() const noexcept { return own_; }
  const CertificateFacts& facts() const noexcept { return facts_; }
  const std::string& ca_file() const noexcept { return ca_file_; }
  // Nothing, or why nobody will believe this certificate now.
  Result<void> check_dates(WallTime now) const;

 private:
  TlsIdentity(ContextHandle context, NodeName own, CertificateFacts facts, const TlsFiles& files)
      : context_(std::move(context)),
        own_(std::move(own)),
        facts_(std::move(facts)),
        ca_file_(files.ca),
        certificate_file_(files.certificate) {}

  ContextHandle context_;
  NodeName own_;
  CertificateFacts facts_;
  std::string ca_file_, certificate_file_;
};

// Reads the files and makes the identity.
Result<std::shared_ptr<const TlsIdentity>> load_tls_identity(const TlsFiles& files, const NodeName& own);

}  // namespace ccr::transport
