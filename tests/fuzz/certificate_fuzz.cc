// A certificate of anybody, in the DER form in which a handshake brings it, and again as a PEM file: whatever is in it, its facts
// are read, each text is one line, and the verdict has words for it.
#include <openssl/x509.h>

#include "transport/tls_verdict.h"

namespace {

using namespace ccr;
using namespace ccr::transport;

void check_line(const std::string& text) {
  for (const char c : text) CCR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

void judge(const X509& certificate) {
  const CertificateFacts facts = facts_of(certificate);
  check_line(facts.subject);
  check_line(facts.issuer);
  for (const std::string& uri : facts.uris) check_line(uri);
  const auto rules = std::make_shared<PeerRules>();
  rules->nodes = {"alpha", "beta"};
  const PeerExpectation expected{{"lab", "alpha"}, rules, "", "10.77.0.2:1", "ca.pem"};
  const CertificateVerdict verdict = judge_certificate(facts, X509_V_OK, expected, {1'800'000'000'000'000'000});
  CCR_ASSERT((verdict.x509_error == X509_V_OK) == verdict.error.message.empty());
  check_line(verdict.error.message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const unsigned char* at = data;
  const CertificateHandle certificate(d2i_X509(nullptr, &at, static_cast<long>(size)));
  if (certificate != nullptr) judge(*certificate);
  const std::string pem(reinterpret_cast<const char*>(data), size);
  const Result<std::vector<CertificateHandle>> certificates = read_certificates(pem);
  if (certificates.ok()) {
    for (const CertificateHandle& one : *certificates) judge(*one);
  }
  return 0;
}
