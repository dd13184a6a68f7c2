// Certificates as ccr reads them: PEM in, PEM out, and the few facts that decide.
//
// A node's certificate names it in a subject alternative name, URI:ccr://<cluster>/<node>; the authority's names the cluster,
// URI:ccr://<cluster>. Common names are for people and decide nothing. Text out of a certificate is foreign: it is cut at
// foreign_text_max and holds no control character when it leaves here. Errors: config, with OpenSSL's reason. Bounds: pem_bytes_max
// for a file, certificates_max of them in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "transport/openssl_handles.h"

namespace ccr::transport {

inline constexpr std::size_t pem_bytes_max = 64 * KiB;
inline constexpr std::size_t certificates_max = 8;  // of one file: an authority and the one that follows it
inline constexpr std::size_t foreign_text_max = 128;

struct NodeName {
  std::string cluster;
  std::string node;  // empty: the cluster's authority
  bool operator==(const NodeName&) const = default;
  std::string text() const;  // ccr://lab/beta
};

// Only ccr:// with names as the configuration has them: letters, digits, - and _, at most 63 of each.
std::optional<NodeName> parse_node_name(const std::string& uri);

struct CertificateFacts {
  std::string subject, issuer;                  // common names
  std::vector<std::string> uris;                // of the subject alternative name
  std::optional<NodeName> name;                 // when there is one URI, and it is a ccr:// name
  bool authority = false;                       // may sign others
  bool for_server = false, for_client = false;  // by an extended key usage that is there
  WallTime not_before, not_after;
  std::string serial, fingerprint;  // hex; SHA-256 of the whole certificate
  std::string key;                  // EC P-256
  std::string key_fingerprint;      // hex; SHA-256 of the public key (SubjectPublicKeyInfo), which a renewal keeps
};

CertificateFacts facts_of(const X509& certificate);

Result<std::vector<CertificateHandle>> read_certificates(const std::string& pem);  // one at least
// `passphrase`: of an encrypted key; empty: the key must not be encrypted.
Result<KeyHandle> read_private_key(const std::string& pem, const std::string& passphrase = "");
std::string pem_of(const X509& certificate);
std::string pem_of(const X509_REQ& request);
std::string pem_of(const EVP_PKEY& private_key, const std::string& passphrase = "");  // AES-256 where there is a passphrase

std::string key_fingerprint_of(const X509_PUBKEY& key);  // empty where there is no key to read

// On one line, for a terminal: control characters become '?', the rest after foreign_text_max is cut.
std::string one_line(const std::string& foreign);
std::string common_name_of(const X509_NAME* name);  // on one line

}  // namespace ccr::transport
