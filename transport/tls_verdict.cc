#include "transport/tls_verdict.h"

#include <array>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace ccr::transport {
namespace {

constexpr const char* compare_files = "compare both nodes' files: ccr cert show FILE";

std::string names_of(const CertificateFacts& facts) {
  if (facts.uris.empty()) return "no name";
  std::string text;
  for (const std::string& uri : facts.uris) text += (text.empty() ? "" : ", ") + uri;
  return text;
}

CertificateVerdict refuse(int x509_error, std::string message, std::string hint) {
  return {x509_error, {ErrorKind::identity, std::move(message), std::move(hint)}};
}

CertificateVerdict judge_chain(const CertificateFacts& facts, int chain_error, const PeerExpectation& expected, WallTime now) {
  const std::string who = "certificate of " + expected.where + " (" + names_of(facts) + ")";
  switch (chain_error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return refuse(chain_error, who + " is signed by '" + facts.issuer + "', which is no authority in " + expected.ca_file,
                    std::string("one authority signs for all nodes of a cluster; ") + compare_files);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return refuse(chain_error, who + " has a signature that '" + facts.issuer + "' in " + expected.ca_file + " did not make",
                    compare_files);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      if (facts.not_after >= now) {
        return refuse(chain_error,
                      "authority '" + facts.issuer + "' in " + expected.ca_file + ", which signed the " + who +
                          ", expired; this clock says " + to_rfc3339(now),
                      "ccr cert ca makes a new one; every node then needs a new certificate");
      }
      return refuse(chain_error, who + " expired " + to_rfc3339(facts.not_after) + ", this clock says " + to_rfc3339(now),
                    "renew it where ca.key is (ccr cert renew), copy it there, and send that node SIGHUP");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return refuse(chain_error,
                    who + " is not valid yet: from " + to_rfc3339(facts.not_before) + ", this clock says " + to_rfc3339(now),
                    "compare the clocks of both hosts: timedatectl");
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
      return refuse(chain_error, who + " has others between itself and the authority; none may be", compare_files);
    case X509_V_ERR_INVALID_PURPOSE:
      return refuse(chain_error, who + " is made for another use", "ccr cert issue makes one for nodes");
    default:
      return refuse(chain_error, who + ": " + X509_verify_cert_error_string(chain_error), compare_files);
  }
}

CertificateVerdict judge_name(const CertificateFacts& facts, const PeerExpectation& expected) {
  const std::string who = "certificate of " + expected.where;
  constexpr int other_name = X509_V_ERR_APPLICATION_VERIFICATION;
  const NodeName wanted{expected.own.cluster, expected.looked_for};
  const std::string form = expected.looked_for.empty() ? "ccr://" + expected.own.cluster + "/NODE" : wanted.text();
  if (!facts.name || facts.name->node.empty()) {
    return refuse(other_name, who + " names " + names_of(facts) + ", expected " + form, "ccr cert issue makes one for nodes");
  }
  const std::string found = facts.name->text();
  if (*facts.name == expected.own) {
    return refuse(other_name, who + " names " + found + ", which is this node itself",
                  "compare the addresses of the nodes in the configuration; each node has a certificate of its own");
  }
  if (facts.name->cluster != expected.own.cluster) {
    return refuse(other_name, who + " names " + found + ", expected " + form, "compare cluster in the configuration of both nodes");
  }
  if (!expected.looked_for.empty() && facts.name->node != expected.looked_for) {
    return refuse(other_name, who + " names " + found + ", expected " + form,
                  "compare the addresses in the configuration, and the files of [tls] on that host: ccr cert show FILE");
  }
  if (!expected.rules->nodes.contains(facts.name->node)) {
    return refuse(other_name, who + " names " + found + ", which is no node of the configuration here",
                  "add [nodes." + facts.name->node + "] on both nodes");
  }
  return {};
}

CertificateVerdict judge_key(const CertificateFacts& facts, const PeerExpectation& expected) {
  const auto pinned = expected.rules->pins.find(facts.name->node);
  if (pinned == expected.rules->pins.end()) return {};
  std::string keys;
  for (const std::string& pin : pinned->second) {
    if (pin == facts.key_fingerprint) return {};
    keys += (keys.empty() ? "" : " or ") + pin;
  }
  return refuse(X509_V_ERR_APPLICATION_VERIFICATION,
                "certificate of " + expected.where + " (" + names_of(facts) + ") has the key " + facts.key_fingerprint + ", expected " + keys,
                "compare with ccr cert show on that node; [nodes." + facts.name->node + "] pins here, then SIGHUP");
}

}  // namespace

CertificateVerdict judge_certificate(const CertificateFacts& facts, int chain_error, const PeerExpectation& expected,
                                     WallTime now) {
  if (chain_error != X509_V_OK) return judge_chain(facts, chain_error, expected, now);
  if (!facts.for_server || !facts.for_client) {
    return refuse(X509_V_ERR_INVALID_PURPOSE,
                  "certificate of " + expected.where + " (" + names_of(facts) + ") is for " +
                      (facts.for_server   ? "servers"
                       : facts.for_client ? "clients"
                                          : "no use that it names") +
                      " only, expected servers and clients",
                  "ccr cert issue makes one for nodes");
  }
  return judge_by_rules(facts, expected);
}

CertificateVerdict judge_by_rules(const CertificateFacts& facts, const PeerExpectation& expected) {
  if (expected.rules->denied.contains(facts.serial)) {
    return refuse(X509_V_ERR_CERT_REVOKED,
                  "certificate of " + expected.where + " (" + names_of(facts) + ") has the number " + facts.serial +
                      ", which [tls] denied has",
                  "that node needs a new one: ccr cert issue where ca.key is");
  }
  const CertificateVerdict named = judge_name(facts, expected);
  return named.x509_error == X509_V_OK ? judge_key(facts, expected) : named;
}

Error words_of_alert(const std::string& who, int alert) {
  struct Words {
    int alert;
    const char* text;
  };
  constexpr std::array about_us{
      Words{SSL_AD_UNKNOWN_CA, "unknown authority"},
      Words{SSL_AD_CERTIFICATE_EXPIRED, "expired, by the clock there"},
      Words{SSL_AD_BAD_CERTIFICATE, "not valid yet by the clock there, or with a weak key"},
      Words{SSL_AD_UNSUPPORTED_CERTIFICATE, "not made for this use"},
      Words{SSL_AD_CERTIFICATE_REVOKED, "revoked"},
      Words{SSL_AD_CERTIFICATE_UNKNOWN, "not accepted"},
      Words{SSL_AD_DECRYPT_ERROR, "a signature that does not fit"},
      Words{SSL_AD_HANDSHAKE_FAILURE, "it does not bear the name, or not the key, that is expected there"},
      Words{SSL_AD_CERTIFICATE_REQUIRED, "none was sent"},
  };
  const std::string hint = "which name, key, date or authority failed is said there: ccr events on that node";
  for (const Words& words : about_us) {
    if (words.alert == alert) return {ErrorKind::identity, who + " refused our certificate: " + words.text, hint};
  }
  if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
    return {ErrorKind::unsupported, who + " does not speak ccr/1", "is it ccr, of the same version? ccr version"};
  if (alert == SSL_AD_PROTOCOL_VERSION)
    return {ErrorKind::unsupported, who + " does not speak TLS 1.3", "is it ccr, of the same version? ccr version"};
  return {ErrorKind::disconnected, who + " ended TLS: " + SSL_alert_desc_string_long(alert), "ccr events on that node says why"};
}

}  // namespace ccr::transport
