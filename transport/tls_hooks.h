// What OpenSSL asks back in the middle of a handshake: is this ClientHello one of ours, is this certificate believed.
//
// The hooks find their TlsHandshake through the SSL they are called for, and leave in it what they decided and why.
#pragma once

#include <optional>

#include "transport/tls_verdict.h"

namespace ccr::transport {

struct TlsHandshake {
  PeerExpectation expected;
  WallTime now;
  std::optional<NodeName> proven;  // the peer's name, once its certificate was believed
  std::optional<Error> refused;    // by one of the hooks, in words
};

void install_tls_hooks(SSL_CTX* context);
void attach_handshake(SSL* session, TlsHandshake* handshake);  // it must outlive the handshake

}  // namespace ccr::transport
