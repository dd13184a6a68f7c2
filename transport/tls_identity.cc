#include "transport/tls_identity.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/task.h"
#include "transport/tls_hooks.h"

namespace ccr::transport {
namespace {

constexpr const char* ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256";
constexpr int security_level = 2;     // of OpenSSL: 112 bits
constexpr int intermediates_max = 0;  // between a node's certificate and the authority

ContextHandle make_context() {
  ContextHandle context(SSL_CTX_new(TLS_method()));
  CCR_ASSERT(context != nullptr);
  SSL_CTX* made = context.get();
  SSL_CTX_set_security_level(made, security_level);
  CCR_ASSERT(SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) == 1 && SSL_CTX_set_max_proto_version(made, TLS1_3_VERSION) == 1);
  CCR_ASSERT(SSL_CTX_set_ciphersuites(made, ciphers) == 1 && SSL_CTX_set1_groups_list(made, groups) == 1);
  SSL_CTX_set_options(made, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  CCR_ASSERT(SSL_CTX_set_num_tickets(made, 0) == 1 && SSL_CTX_set_max_early_data(made, 0) == 1);
  SSL_CTX_set_max_cert_list(made, certificate_bytes_max);
  // An idle connection holds no record; the authority is not sent along, as the other side has it or does not believe it.
  SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  X509_VERIFY_PARAM_set_depth(SSL_CTX_get0_param(made), intermediates_max);
  install_tls_hooks(made);
  return context;
}

Result<void> believe(SSL_CTX* context, const std::string& pem, const TlsFiles& files) {
  const Result<std::vector<CertificateHandle>> authorities = read_certificates(pem);
  if (!authorities.ok()) return authorities.error().within("'" + files.ca + "'");
  for (const CertificateHandle& authority : *authorities) {
    const CertificateFacts facts = facts_of(*authority);
    if (!facts.authority) {
      return Error{ErrorKind::config, "'" + files.ca + "': '" + facts.subject + "' is no authority", "ccr cert ca makes one"};
    }
    CCR_ASSERT(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) == 1);
  }
  return {};
}

// By the authorities of `context`; dates are left out.
Result<void> check_own_chain(SSL_CTX* context, X509* certificate, const CertificateFacts& facts, const TlsFiles& files) {
  X509_STORE_CTX* chain = X509_STORE_CTX_new();
  CCR_ASSERT(chain != nullptr && X509_STORE_CTX_init(chain, SSL_CTX_get_cert_store(context), certificate, nullptr) == 1);
  X509_STORE_CTX_set_flags(chain, X509_V_FLAG_NO_CHECK_TIME);
  const int verified = X509_verify_cert(chain);
  const int error = X509_STORE_CTX_get_error(chain);
  X509_STORE_CTX_free(chain);
  ERR_clear_error();
  if (verified == 1) return {};
  return Error{ErrorKind::config,
               "'" + files.certificate + "': signed by '" + facts.issuer + "', which is no authority in '" + files.ca + "' (" +
                   X509_verify_cert_error_string(error) + ")",
               "both must come from one `ccr cert ca`: ccr cert show FILE"};
}

Result<void> check_own_name(const CertificateFacts& facts, const NodeName& own, const TlsFiles& files) {
  const std::string where = "'" + files.certificate + "': ";
  if (!facts.name || *facts.name != own) {
    const std::string found = facts.uris.empty() ? "no node" : facts.uris.front();
    return Error{ErrorKind::config, where + "the certificate names " + found + ", this node is " + own.text(),
                 "ccr cert issue " + own.node + " makes one for this node"};
  }
  if (!facts.for_server || !facts.for_client) {
    return Error{ErrorKind::config, where + "the certificate is not made for both ends of a connection (extended key usage)",
                 "ccr cert issue " + own.node + " makes one"};
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::make(const TlsContent& content, const TlsFiles& files,
                                                             const NodeName& own) {
  ERR_clear_error();
  ContextHandle context = make_context();
  CCR_TRY(believe(context.get(), content.ca, files));
  const Result<std::vector<CertificateHandle>> certificates = read_certificates(content.certificate);
  if (!certificates.ok()) return certificates.error().within("'" + files.certificate + "'");
  const Result<KeyHandle> key = read_private_key(content.key);
  if (!key.ok()) return key.error().within("'" + files.key + "'");
  X509* certificate = certificates->front().get();
  CertificateFacts facts = facts_of(*certificate);
  CCR_TRY(check_own_name(facts, own, files));
  CCR_TRY(check_own_chain(context.get(), certificate, facts, files));
  if (SSL_CTX_use_certificate(context.get(), certificate) != 1) {
    return Error{ErrorKind::config, "'" + files.certificate + "': " + take_openssl_reason(),
                 "ccr cert issue " + own.node + " makes one"};
  }
  if (X509_check_private_key(certificate, key->get()) != 1 || SSL_CTX_use_PrivateKey(context.get(), key->get()) != 1) {
    ERR_clear_error();
    return Error{ErrorKind::config, "'" + files.key + "' is not the key of '" + files.certificate + "'",
                 "both come from one `ccr cert issue " + own.node + "`"};
  }
  return std::shared_ptr<const TlsIdentity>(new TlsIdentity(std::move(context), own, std::move(facts), files));
}

Result<void> TlsIdentity::check_dates(WallTime now) const {
  const std::string what = "our certificate '" + certificate_file_ + "' (" + own_.text() + ") ";
  if (now > facts_.not_after) {
    return Error{ErrorKind::identity, what + "expired " + to_rfc3339(facts_.not_after) + ", this clock says " + to_rfc3339(now),
                 "ccr cert renew " + own_.node + " where ca.key is, copy it here, then SIGHUP"};
  }
  if (now < facts_.not_before) {
    return Error{ErrorKind::identity,
                 what + "is not valid before " + to_rfc3339(facts_.not_before) + ", this clock says " + to_rfc3339(now),
                 "compare the clocks of the hosts: timedatectl"};
  }
  return {};
}

Result<std::shared_ptr<const TlsIdentity>> load_tls_identity(const TlsFiles& files, const NodeName& own) {
  const Result<TlsContent> content = read_tls_files(files);
  CCR_TRY(content);
  return TlsIdentity::make(*content, files, own);
}

}  // namespace ccr::transport
