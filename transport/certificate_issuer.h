// What `ccr cert` makes: an authority of the cluster's own, and certificates of nodes that it signs.
//
// Keys are EC P-256, signatures ECDSA with SHA-256. A node's certificate serves for both ends of a connection (extended key usage
// server and client), may sign nothing, and lies below the authority without anything between. Nothing here touches a file.
// After failure: nothing is left; the error has OpenSSL's reason.
#pragma once

#include "transport/certificate.h"

namespace ccr::transport {

struct Validity {
  WallTime from, until;
};

// Two hosts' clocks differ: a certificate counts from an hour before it was made.
Validity validity_from(WallTime now, int days);

inline constexpr int node_days_default = 365;
inline constexpr int authority_days_default = 3650;
inline constexpr int days_max = 36'500;

struct KeyPair {
  CertificateHandle certificate;
  KeyHandle key;
};

// Everything of a certificate that is decided here, so that a test may ask for one that is wrong in one point.
struct CertificateContent {
  std::string common_name;
  std::vector<std::string> uris;
  Validity validity;
  bool authority = false;
  int path_length = 0;  // of an authority: how many others may stand below it
  bool for_server = true, for_client = true;
};

KeyHandle make_key();

// Signs `content` for `key`. `issuer` null: self-signed with `issuer_key`, which is then the key itself.
Result<CertificateHandle> sign_certificate(const CertificateContent& content, const EVP_PKEY& key, const X509* issuer,
                                           const EVP_PKEY& issuer_key);

Result<KeyPair> make_authority(const std::string& cluster, Validity validity);
// `authority` must be one with a name; the node belongs to its cluster.
Result<KeyPair> issue_node(const KeyPair& authority, const std::string& node, Validity validity);
// A node's wish for a certificate: only this travels, its key stays where it was made. It says the node's name, and is signed with the key.
struct NodeRequest {
  RequestHandle request;
  KeyHandle key;
};
Result<NodeRequest> make_request(const std::string& node);
struct RequestFacts {
  std::string node;             // its common name, on one line
  std::string key_fingerprint;  // for people to compare on both consoles
};
RequestFacts facts_of(const X509_REQ& request);
Result<RequestHandle> read_request(const std::string& pem);
// `request` must be of this node, and signed by the key that it names: refused. Of what else it asks for nothing is taken.
Result<CertificateHandle> issue_requested(const KeyPair& authority, const std::string& node, const X509_REQ& request, Validity validity);
// The same name and the same key with other dates and another number: the key need not be here.
Result<CertificateHandle> renew_node(const KeyPair& authority, const X509& previous, Validity validity);

}  // namespace ccr::transport
