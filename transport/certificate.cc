#include "transport/certificate.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

namespace ccr::transport {
namespace {

constexpr std::string_view scheme = "ccr://";
constexpr int key_derivation_rounds = 600'000;  // of PBKDF2: each guess at a passphrase shall cost
constexpr std::size_t name_characters_max = 63;

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= name_characters_max && std::all_of(text.begin(), text.end(), allowed);
}

std::string text_of(const ASN1_STRING* string) {
  if (string == nullptr) return {};
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// Dates beyond what WallTime holds (the year 2262) are its end.
WallTime wall_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  const std::int64_t seconds = timegm(&parts);
  return {std::clamp(seconds, INT64_MIN / nanoseconds_a_second, INT64_MAX / nanoseconds_a_second) * nanoseconds_a_second};
}

std::vector<std::string> uris_of(const X509& certificate) {
  std::vector<std::string> uris;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) uris.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  GENERAL_NAMES_free(names);
  return uris;
}

std::string key_text(const X509& certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(&certificate);
  if (key == nullptr) return "unknown";
  std::array<char, 32> group{};
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1) {
    const std::string curve(group.data());
    return "EC " + (curve == "prime256v1" ? "P-256" : curve);
  }
  const char* type = EVP_PKEY_get0_type_name(key);
  return std::string(type == nullptr ? "unknown" : type) + " " + std::to_string(EVP_PKEY_get_bits(key));
}

std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CCR_ASSERT(X509_digest(&certificate, EVP_sha256(), digest.data(), &size) == 1);
  return to_hex(std::as_bytes(std::span(digest.data(), size)));
}

std::string digest_text(const unsigned char* content, std::size_t size) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_size = 0;
  CCR_ASSERT(EVP_Digest(content, size, digest.data(), &digest_size, EVP_sha256(), nullptr) == 1);
  return to_hex(std::as_bytes(std::span(digest.data(), digest_size)));
}

std::string serial_of(const X509& certificate) {
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr);
  char* text = number == nullptr ? nullptr : BN_bn2hex(number);
  std::string serial = text == nullptr ? "" : text;
  OPENSSL_free(text);
  BN_free(number);
  std::transform(serial.begin(), serial.end(), serial.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? char(c - 'A' + 'a') : c; });
  return one_line(serial);
}

BioHandle memory_of(const std::string& text) {
  BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CCR_ASSERT(bio != nullptr);
  return bio;
}

std::string content_of(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

// Without it OpenSSL would ask for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

int give_passphrase(char* into, int size, int, void* passphrase) {
  const auto& text = *static_cast<const std::string*>(passphrase);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(text.begin(), text.end(), into);
  return static_cast<int>(text.size());
}

}  // namespace

std::string NodeName::text() const { return std::string(scheme) + cluster + (node.empty() ? "" : "/" + node); }

std::optional<NodeName> parse_node_name(const std::string& uri) {
  if (!uri.starts_with(scheme)) return std::nullopt;
  const std::string rest = uri.substr(scheme.size());
  const std::size_t slash = rest.find('/');
  NodeName name;
  name.cluster = rest.substr(0, slash);
  if (slash != std::string::npos) {
    name.node = rest.substr(slash + 1);
    if (!is_name(name.node)) return std::nullopt;
  }
  if (!is_name(name.cluster)) return std::nullopt;
  return name;
}

std::string common_name_of(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return "(no common name)";
  return one_line(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
}

std::string one_line(const std::string& foreign) {
  std::string line;
  for (const char c : foreign) {
    if (line.size() == foreign_text_max) return line + "…";
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return line;
}

CertificateFacts facts_of(const X509& certificate) {
  auto& mutable_certificate = const_cast<X509&>(certificate);  // OpenSSL decodes extensions on demand, behind a lock of its own
  CertificateFacts facts;
  facts.subject = common_name_of(X509_get_subject_name(&certificate));
  facts.issuer = common_name_of(X509_get_issuer_name(&certificate));
  const std::uint32_t flags = X509_get_extension_flags(&mutable_certificate);
  facts.authority = (flags & EXFLAG_CA) != 0;
  if ((flags & EXFLAG_XKUSAGE) != 0) {
    const std::uint32_t uses = X509_get_extended_key_usage(&mutable_certificate);
    facts.for_server = (uses & XKU_SSL_SERVER) != 0;
    facts.for_client = (uses & XKU_SSL_CLIENT) != 0;
  }
  const std::vector<std::string> uris = uris_of(certificate);
  if (uris.size() == 1) facts.name = parse_node_name(uris.front());
  for (const std::string& uri : uris) facts.uris.push_back(one_line(uri));
  facts.not_before = wall_of(X509_get0_notBefore(&certificate));
  facts.not_after = wall_of(X509_get0_notAfter(&certificate));
  facts.serial = serial_of(certificate);
  facts.fingerprint = fingerprint_of(certificate);
  facts.key = key_text(certificate);
  facts.key_fingerprint = key_fingerprint_of(*X509_get_X509_PUBKEY(&certificate));
  return facts;
}

Result<std::vector<CertificateHandle>> read_certificates(const std::string& pem) {
  if (pem.size() > pem_bytes_max) return Error{ErrorKind::config, "more than 64 KiB: not a file of certificates", ""};
  const BioHandle bio = memory_of(pem);
  std::vector<CertificateHandle> certificates;
  while (certificates.size() <= certificates_max) {
    CertificateHandle next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (certificates.size() > certificates_max)
    return Error{ErrorKind::config, "more than " + std::to_string(certificates_max) + " certificates in one file", ""};
  if (!certificates.empty() && at_end) {
    ERR_clear_error();
    return certificates;
  }
  return Error{ErrorKind::config, "no certificate in PEM form: " + take_openssl_reason(), "ccr cert issue makes one"};
}

std::string key_fingerprint_of(const X509_PUBKEY& key) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(&key, &der);
  std::string text = size > 0 ? digest_text(der, static_cast<std::size_t>(size)) : "";
  OPENSSL_free(der);
  return text;
}

Result<KeyHandle> read_private_key(const std::string& pem, const std::string& passphrase) {
  if (pem.size() > pem_bytes_max) return Error{ErrorKind::config, "more than 64 KiB: not a private key", ""};
  const BioHandle bio = memory_of(pem);
  std::string given = passphrase;
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &given));
  OPENSSL_cleanse(given.data(), given.size());
  if (key == nullptr && !passphrase.empty())
    return Error{ErrorKind::config, "no private key in PEM form with this passphrase: " + take_openssl_reason(), ""};
  if (key == nullptr) {
    return Error{ErrorKind::config, "no private key in PEM form without a passphrase: " + take_openssl_reason(),
                 "ccr cert issue makes one"};
  }
  return key;
}

std::string pem_of(const X509& certificate) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  CCR_ASSERT(bio != nullptr && PEM_write_bio_X509(bio.get(), &certificate) == 1);
  return content_of(bio.get());
}

std::string pem_of(const X509_REQ& request) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  CCR_ASSERT(bio != nullptr && PEM_write_bio_X509_REQ(bio.get(), &request) == 1);
  return content_of(bio.get());
}

std::string pem_of(const EVP_PKEY& private_key, const std::string& passphrase) {
  const BioHandle bio(BIO_new(BIO_s_secmem()));
  CCR_ASSERT(bio != nullptr);
  if (passphrase.empty()) {
    CCR_ASSERT(PEM_write_bio_PKCS8PrivateKey(bio.get(), &private_key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return content_of(bio.get());
  }
  PKCS8_PRIV_KEY_INFO* plain = EVP_PKEY2PKCS8(&private_key);
  CCR_ASSERT(plain != nullptr);
  X509_SIG* encrypted = PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase.data(), static_cast<int>(passphrase.size()), nullptr, 0, key_derivation_rounds, plain);
  PKCS8_PRIV_KEY_INFO_free(plain);
  CCR_ASSERT(encrypted != nullptr && PEM_write_bio_PKCS8(bio.get(), encrypted) == 1);
  X509_SIG_free(encrypted);
  return content_of(bio.get());
}

}  // namespace ccr::transport
