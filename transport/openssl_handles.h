// Owners of OpenSSL's objects, and what OpenSSL says last about a failure. Only the headers of transport that speak of certificates
// and of TLS know them; nothing above the Network seam does.
#pragma once

#include <memory>
#include <string>

#include <openssl/types.h>

using X509_REQ = struct X509_req_st;  // which types.h leaves out

namespace ccr::transport {

struct OpensslFree {
  void operator()(X509* certificate) const noexcept;
  void operator()(X509_REQ* request) const noexcept;
  void operator()(EVP_PKEY* key) const noexcept;
  void operator()(BIO* bio) const noexcept;
  void operator()(SSL* session) const noexcept;
  void operator()(SSL_CTX* context) const noexcept;
};

using CertificateHandle = std::unique_ptr<X509, OpensslFree>;
using RequestHandle = std::unique_ptr<X509_REQ, OpensslFree>;
using KeyHandle = std::unique_ptr<EVP_PKEY, OpensslFree>;
using BioHandle = std::unique_ptr<BIO, OpensslFree>;
using SessionHandle = std::unique_ptr<SSL, OpensslFree>;
using ContextHandle = std::unique_ptr<SSL_CTX, OpensslFree>;

CertificateHandle share(X509* certificate);  // one more owner

// The reason of the newest error in OpenSSL's queue of this thread, which is emptied.
std::string take_openssl_reason();

}  // namespace ccr::transport
