// Whether a peer's certificate is believed, and the words for it when not: pure.
//
// The first rule that applies is the answer; each text has the value found and the value expected.
//
//   certificate                                          | alert to the peer     | error says
//   -----------------------------------------------------+-----------------------+--------------------------------
//   chain does not end at an authority of our ca file    | unknown_ca            | authority
//   outside its dates by this node's clock               | certificate_expired,  | date, and this clock
//                                                        | bad_certificate       |
//   chain, key or use is not one that may speak here     | (by OpenSSL's table)  | which
//   extended key usage lacks client or server            | unsupported_cert      | use
//   its serial number is denied                          | certificate_revoked   | number
//   no URI:ccr:// name, or more than one                 | handshake_failure     | names found
//   our own name: a connection to ourselves              | handshake_failure     | reflected
//   another cluster                                      | handshake_failure     | both clusters
//   connecting: not the node looked for                  | handshake_failure     | both names
//   accepting: a node that the configuration lacks       | handshake_failure     | name
//   a key that is none of the node's pins                | handshake_failure     | both fingerprints
//
// An alert is one byte, so whoever was refused learns the kind only; words_of_alert() says it as well as it can.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "transport/certificate.h"

namespace ccr::transport {

// Whom a node believes among those that its authority signed. One object for all connections of a node: a reload changes it in place,
// and `version` with it, so that whoever was believed before is judged again.
struct PeerRules {
  std::set<std::string> nodes;                           // of the configuration
  std::set<std::string> denied;                          // serial numbers, as CertificateFacts has them
  std::map<std::string, std::vector<std::string>> pins;  // by node: the fingerprints of the keys it may have; absent: any key
  std::uint64_t version = 0;
};

struct PeerExpectation {
  NodeName own;
  std::shared_ptr<const PeerRules> rules;
  std::string looked_for;  // empty: whoever connects to us
  std::string where;       // 10.77.0.2:64327, for the words
  std::string ca_file;     // for the words
};

struct CertificateVerdict {
  int x509_error = 0;  // X509_V_OK: believed. Chooses the alert
  Error error;         // when not
};

// `chain_error`: what X509_verify_cert found, X509_V_OK when nothing. `now`: by which it looked at dates.
CertificateVerdict judge_certificate(const CertificateFacts& facts, int chain_error, const PeerExpectation& expected, WallTime now);
// What of it hangs on the rules alone, for a peer that was believed by others: denied, name, pins.
CertificateVerdict judge_by_rules(const CertificateFacts& facts, const PeerExpectation& expected);

// "ccr://lab/beta refused our certificate: unknown authority". `who` begins the sentence.
Error words_of_alert(const std::string& who, int alert);

}  // namespace ccr::transport
