// A node's wish for a certificate, as anybody may hand it to `ccr cert issue`: as a file, in the DER form inside of it, and signed anew by a key
// of ours, behind which lies what else it may ask for. It is refused with words of one line, or the certificate has nothing of it but its key.
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "transport/certificate_issuer.h"

namespace {

using namespace ccr;
using namespace ccr::transport;

const std::string node = "alpha";

const Validity& validity() {
  static const Validity now = validity_from({1'800'000'000'000'000'000}, node_days_default);
  return now;
}

const KeyPair& authority() {
  static const Result<KeyPair> made = make_authority("lab", validity());
  CCR_ASSERT(made.ok());
  return *made;
}

void check_line(const std::string& text) {
  for (const char c : text) CCR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

void judge(const X509_REQ& request) {
  const RequestFacts asked = facts_of(request);
  check_line(asked.node);
  check_line(asked.key_fingerprint);
  const Result<CertificateHandle> issued = issue_requested(authority(), node, request, validity());
  if (!issued.ok()) {
    CCR_ASSERT(issued.error().kind == ErrorKind::refused);
    return check_line(issued.error().message);
  }
  const CertificateFacts facts = facts_of(**issued);
  CCR_ASSERT(asked.node == node && facts.name && facts.name->cluster == "lab" && facts.name->node == node);
  CCR_ASSERT(facts.uris.size() == 1 && X509_check_ca((*issued).get()) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const KeyHandle own = make_key();
  const Result<RequestHandle> file = read_request(std::string(reinterpret_cast<const char*>(data), size));
  if (file.ok()) judge(**file);
  const unsigned char* at = data;
  const RequestHandle request(d2i_X509_REQ(nullptr, &at, static_cast<long>(size)));
  if (request == nullptr) return 0;
  judge(*request);
  if (X509_REQ_set_pubkey(request.get(), own.get()) == 1 && X509_REQ_sign(request.get(), own.get(), EVP_sha256()) > 0) judge(*request);
  return 0;
}
