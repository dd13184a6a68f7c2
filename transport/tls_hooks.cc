#include "transport/tls_hooks.h"

#include <array>
#include <cstring>
#include <ctime>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "transport/tls_identity.h"

namespace ccr::transport {
namespace {

// Length byte, then the name, as it stands in the extension.
constexpr std::array<unsigned char, 6> protocol_list{5, 'c', 'c', 'r', '/', '1'};

TlsHandshake& handshake_of(const SSL* session) {
  auto* handshake = static_cast<TlsHandshake*>(SSL_get_app_data(session));
  CCR_ASSERT(handshake != nullptr);
  return *handshake;
}

bool holds(SSL* session, unsigned extension) {
  const unsigned char* content = nullptr;
  std::size_t size = 0;
  return SSL_client_hello_get0_ext(session, extension, &content, &size) == 1;
}

int refuse_hello(TlsHandshake& handshake, int* alert, int with, ErrorKind kind, const std::string& why) {
  handshake.refused = Error{kind, handshake.expected.where + why, "is it ccr, of the same version? ccr version"};
  *alert = with;
  return SSL_CLIENT_HELLO_ERROR;
}

// ccr never resumes a session, so whoever offers to is not ccr, or replays one.
int judge_client_hello(SSL* session, int* alert, void*) {
  TlsHandshake& handshake = handshake_of(session);
  const ErrorKind kind = ErrorKind::protocol;
  if (holds(session, TLSEXT_TYPE_early_data))
    return refuse_hello(handshake, alert, SSL_AD_ILLEGAL_PARAMETER, kind, " began with early data");
  if (holds(session, TLSEXT_TYPE_psk))
    return refuse_hello(handshake, alert, SSL_AD_ILLEGAL_PARAMETER, kind, " offered a session to resume");
  if (!holds(session, TLSEXT_TYPE_application_layer_protocol_negotiation)) {
    return refuse_hello(handshake, alert, SSL_AD_NO_APPLICATION_PROTOCOL, ErrorKind::unsupported,
                        " does not say that it speaks ccr/1 (ALPN)");
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

int choose_protocol(SSL* session, const unsigned char** chosen, unsigned char* length, const unsigned char* offered, unsigned size,
                    void*) {
  unsigned char* match = nullptr;
  const int outcome = SSL_select_next_proto(&match, length, protocol_list.data(), protocol_list.size(), offered, size);
  if (outcome == OPENSSL_NPN_NEGOTIATED) {
    *chosen = match;
    return SSL_TLSEXT_ERR_OK;
  }
  TlsHandshake& handshake = handshake_of(session);
  handshake.refused =
      Error{ErrorKind::unsupported, handshake.expected.where + " does not speak ccr/1 (ALPN offers another protocol)",
            "is it ccr, of the same version? ccr version"};
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int judge_chain(X509_STORE_CTX* chain, void*) {
  const auto* session = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsHandshake& handshake = handshake_of(session);
  X509* certificate = X509_STORE_CTX_get0_cert(chain);
  CCR_ASSERT(certificate != nullptr);
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(chain), handshake.now.nanoseconds / nanoseconds_a_second);
  const int chain_error = X509_verify_cert(chain) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(chain);
  const CertificateFacts facts = facts_of(*certificate);
  CertificateVerdict verdict = judge_certificate(facts, chain_error, handshake.expected, handshake.now);
  X509_STORE_CTX_set_error(chain, verdict.x509_error);
  if (verdict.x509_error == X509_V_OK) {
    handshake.proven = facts.name;
    return 1;
  }
  handshake.refused = std::move(verdict.error);
  return 0;
}

}  // namespace

void install_tls_hooks(SSL_CTX* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, judge_chain, nullptr);
  SSL_CTX_set_client_hello_cb(context, judge_client_hello, nullptr);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  CCR_ASSERT(SSL_CTX_set_alpn_protos(context, protocol_list.data(), protocol_list.size()) == 0);
}

void attach_handshake(SSL* session, TlsHandshake* handshake) { CCR_ASSERT(SSL_set_app_data(session, handshake) == 1); }

}  // namespace ccr::transport
