#include "transport/openssl_handles.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/assert.h"

namespace ccr::transport {

void OpensslFree::operator()(X509* certificate) const noexcept { X509_free(certificate); }
void OpensslFree::operator()(X509_REQ* request) const noexcept { X509_REQ_free(request); }
void OpensslFree::operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
void OpensslFree::operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
void OpensslFree::operator()(SSL* session) const noexcept { SSL_free(session); }
void OpensslFree::operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }

CertificateHandle share(X509* certificate) {
  CCR_ASSERT(certificate != nullptr && X509_up_ref(certificate) == 1);
  return CertificateHandle(certificate);
}

std::string take_openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

}  // namespace ccr::transport
