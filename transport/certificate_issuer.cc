#include "transport/certificate_issuer.h"

#include <ctime>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace ccr::transport {
namespace {

constexpr std::int64_t day = 86'400 * nanoseconds_a_second;
constexpr std::int64_t backdated = 3600 * nanoseconds_a_second;
constexpr int security_bits_min = 112;  // what a peer takes (tls_identity.h)
constexpr int serial_bits = 127;  // random, and positive in 16 bytes

bool set_serial(X509* certificate) {
  BIGNUM* number = BN_new();
  const bool good = number != nullptr && BN_rand(number, serial_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return good;
}

bool set_common_name(X509_NAME* name, const std::string& common_name) {
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text, static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool set_dates(X509* certificate, Validity validity) {
  const std::time_t from = validity.from.nanoseconds / nanoseconds_a_second;
  const std::time_t until = validity.until.nanoseconds / nanoseconds_a_second;
  return ASN1_TIME_set(X509_getm_notBefore(certificate), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), until) != nullptr;
}

bool add_extension(X509* certificate, const X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  const bool good = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return good;
}

bool add_extensions(X509* certificate, const X509* issuer, const CertificateContent& content) {
  const std::string constraints =
      content.authority ? "critical,CA:TRUE,pathlen:" + std::to_string(content.path_length) : "critical,CA:FALSE";
  bool good = add_extension(certificate, issuer, NID_basic_constraints, constraints) &&
              add_extension(certificate, issuer, NID_key_usage,
                            content.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
              add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  if (good && issuer != certificate) good = add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
  std::string uses = content.for_server ? "serverAuth" : "";
  if (content.for_client) uses += std::string(uses.empty() ? "" : ",") + "clientAuth";
  if (good && !content.authority && !uses.empty()) good = add_extension(certificate, issuer, NID_ext_key_usage, uses);
  std::string names;
  for (const std::string& uri : content.uris) names += (names.empty() ? "URI:" : ",URI:") + uri;
  if (good && !names.empty()) good = add_extension(certificate, issuer, NID_subject_alt_name, names);
  return good;
}

Result<NodeName> authority_name(const X509& certificate) {
  const CertificateFacts facts = facts_of(certificate);
  if (facts.authority && facts.name && facts.name->node.empty()) return *facts.name;
  return Error{ErrorKind::config, "'" + facts.subject + "' is not an authority that names a cluster", "ccr cert ca makes one"};
}

CertificateContent node_content(const NodeName& name, Validity validity) {
  CertificateContent content;
  content.common_name = name.node;
  content.uris = {name.text()};
  content.validity = validity;
  return content;
}

}  // namespace

Validity validity_from(WallTime now, int days) {
  CCR_ASSERT(days > 0 && days <= days_max);
  return {{now.nanoseconds - backdated}, {now.nanoseconds + days * day}};
}

KeyHandle make_key() {
  KeyHandle key(EVP_EC_gen("P-256"));
  CCR_ASSERT(key != nullptr);  // only for want of memory or of chance
  return key;
}

Result<CertificateHandle> sign_certificate(const CertificateContent& content, const EVP_PKEY& key, const X509* issuer,
                                           const EVP_PKEY& issuer_key) {
  ERR_clear_error();
  CertificateHandle certificate(X509_new());
  CCR_ASSERT(certificate != nullptr);
  X509* made = certificate.get();
  const X509* signer = issuer == nullptr ? made : issuer;
  auto* public_key = const_cast<EVP_PKEY*>(&key);  // OpenSSL counts owners and signs through pointers that are not const
  auto* signing_key = const_cast<EVP_PKEY*>(&issuer_key);
  const bool good = X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) && set_common_name(X509_get_subject_name(made), content.common_name) &&
                    X509_set_issuer_name(made, X509_get_subject_name(signer)) == 1 && set_dates(made, content.validity) &&
                    X509_set_pubkey(made, public_key) == 1 && add_extensions(made, signer, content) &&
                    X509_sign(made, signing_key, EVP_sha256()) > 0;
  if (!good) {
    return Error{ErrorKind::io,
                 "certificate of '" + one_line(content.common_name) + "' could not be made: " + take_openssl_reason(), ""};
  }
  return certificate;
}

Result<KeyPair> make_authority(const std::string& cluster, Validity validity) {
  CertificateContent content;
  content.common_name = "ccr authority of " + cluster;
  content.uris = {NodeName{cluster, ""}.text()};
  content.validity = validity;
  content.authority = true;
  KeyPair pair;
  pair.key = make_key();
  Result<CertificateHandle> certificate = sign_certificate(content, *pair.key, nullptr, *pair.key);
  if (!certificate.ok()) return certificate.error();
  pair.certificate = std::move(*certificate);
  return pair;
}

Result<KeyPair> issue_node(const KeyPair& authority, const std::string& node, Validity validity) {
  const Result<NodeName> cluster = authority_name(*authority.certificate);
  CCR_TRY(cluster);
  KeyPair pair;
  pair.key = make_key();
  const CertificateContent content = node_content({cluster->cluster, node}, validity);
  Result<CertificateHandle> certificate = sign_certificate(content, *pair.key, authority.certificate.get(), *authority.key);
  if (!certificate.ok()) return certificate.error();
  pair.certificate = std::move(*certificate);
  return pair;
}

Result<NodeRequest> make_request(const std::string& node) {
  ERR_clear_error();
  NodeRequest made{RequestHandle(X509_REQ_new()), make_key()};
  X509_REQ* request = made.request.get();
  CCR_ASSERT(request != nullptr);
  const bool good = X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                    set_common_name(X509_REQ_get_subject_name(request), node) == 1 && X509_REQ_set_pubkey(request, made.key.get()) == 1 &&
                    X509_REQ_sign(request, made.key.get(), EVP_sha256()) > 0;
  if (!good) return Error{ErrorKind::io, "the request of '" + one_line(node) + "' could not be made: " + take_openssl_reason(), ""};
  return made;
}

RequestFacts facts_of(const X509_REQ& request) {
  auto* read = const_cast<X509_REQ*>(&request);
  return {common_name_of(X509_REQ_get_subject_name(&request)), key_fingerprint_of(*X509_REQ_get_X509_PUBKEY(read))};
}

Result<RequestHandle> read_request(const std::string& pem) {
  ERR_clear_error();
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CCR_ASSERT(bio != nullptr);
  // Without an answer of ours OpenSSL would ask for a passphrase on the terminal.
  constexpr auto no_passphrase = [](char*, int, int, void*) { return -1; };
  RequestHandle request(PEM_read_bio_X509_REQ(bio.get(), nullptr, no_passphrase, nullptr));
  if (request != nullptr) return request;
  return Error{ErrorKind::config, "no request in PEM form: " + take_openssl_reason(), "ccr cert request NODE makes one, on that node"};
}

Result<CertificateHandle> issue_requested(const KeyPair& authority, const std::string& node, const X509_REQ& request, Validity validity) {
  const Result<NodeName> cluster = authority_name(*authority.certificate);
  CCR_TRY(cluster);
  auto* read = const_cast<X509_REQ*>(&request);
  EVP_PKEY* key = X509_REQ_get0_pubkey(read);
  if (key == nullptr || X509_REQ_verify(read, key) != 1)
    return Error{ErrorKind::refused, "the request is not signed by the key that it names: " + take_openssl_reason(), "make it anew: ccr cert request " + node};
  const RequestFacts facts = facts_of(request);
  if (facts.node != node)
    return Error{ErrorKind::refused, "the request is of '" + facts.node + "', not of '" + node + "'", "ccr cert issue " + facts.node + ", if that is meant"};
  if (EVP_PKEY_get_security_bits(key) < security_bits_min)
    return Error{ErrorKind::refused, "the key of the request has " + std::to_string(EVP_PKEY_get_security_bits(key)) + " bits of security, expected at least " +
                 std::to_string(security_bits_min), "ccr cert request makes one of EC P-256"};
  const CertificateContent content = node_content({cluster->cluster, node}, validity);
  return sign_certificate(content, *key, authority.certificate.get(), *authority.key);
}

Result<CertificateHandle> renew_node(const KeyPair& authority, const X509& previous, Validity validity) {
  const Result<NodeName> cluster = authority_name(*authority.certificate);
  CCR_TRY(cluster);
  const CertificateFacts facts = facts_of(previous);
  if (!facts.name || facts.name->cluster != cluster->cluster || facts.name->node.empty()) {
    return Error{ErrorKind::refused, "'" + facts.subject + "' is not a node of cluster " + cluster->cluster,
                 "ccr cert issue makes a new one"};
  }
  const EVP_PKEY* key = X509_get0_pubkey(&previous);
  CCR_ASSERT(key != nullptr);
  const CertificateContent content = node_content(*facts.name, validity);
  return sign_certificate(content, *key, authority.certificate.get(), *authority.key);
}

}  // namespace ccr::transport
