#include "tools/tls_setup.h"

#include <unistd.h>

#include <algorithm>

namespace ccr::tools {
namespace {

bool holds(const std::vector<std::string>& list, const std::string& text) { return std::find(list.begin(), list.end(), text) != list.end(); }

// The same file serves all nodes, so what it says about this one is what the others will do.
Result<void> check_own_trust(const engine::Config& config, const transport::CertificateFacts& facts) {
  const std::string what = "'" + config.tls_cert + "': ";
  if (holds(config.tls_denied, facts.serial))
    return Error{ErrorKind::config, what + "number " + facts.serial + " is in [tls] denied: other nodes do not believe it",
                 "ccr cert issue " + config.node + " where ca.key is makes another"};
  const std::vector<std::string>& pins = config.nodes.at(config.node).pins;
  if (pins.empty() || holds(pins, facts.key_fingerprint)) return {};
  return Error{ErrorKind::config, what + "its key " + facts.key_fingerprint + " is none of [nodes." + config.node + "] pins: other nodes do not believe it",
               "ccr cert show has the key of a certificate"};
}

}  // namespace

std::map<transport::Endpoint, std::string> node_addresses(const engine::Config& config) {
  std::map<transport::Endpoint, std::string> nodes;
  for (const auto& [name, node] : config.nodes) {
    for (const transport::Endpoint& address : node.addresses) nodes.emplace(address, name);
  }
  return nodes;
}

Result<std::shared_ptr<const transport::TlsIdentity>> load_identity(const engine::Config& config) {
  CCR_ASSERT(!config.tls_off && !config.node.empty());
  const transport::TlsFiles files{config.tls_ca, config.tls_cert, config.tls_key};
  const transport::NodeName own{config.cluster, config.node};
  Result<std::shared_ptr<const transport::TlsIdentity>> identity = transport::load_tls_identity(files, own);
  if (!identity.ok()) return identity.error().within("TLS of node " + config.node);
  return identity;
}

void hold_to_rules(const engine::Config& config, transport::TlsNetwork& network) {
  std::map<std::string, std::vector<std::string>> pins;
  for (const auto& [name, node] : config.nodes) {
    if (!node.pins.empty()) pins.emplace(name, node.pins);
  }
  network.hold_to({config.tls_denied.begin(), config.tls_denied.end()}, std::move(pins));
}

std::vector<std::string> missing_tls_files(const engine::Config& config) {
  std::vector<std::string> missing;
  if (config.tls_off) return missing;
  for (const std::string& path : {config.tls_ca, config.tls_cert, config.tls_key}) {
    if (::access(path.c_str(), F_OK) != 0) missing.push_back(path);
  }
  return missing;
}

Result<void> check_tls_files(const engine::Config& config, WallTime now) {
  if (config.tls_off) return {};
  const Result<std::shared_ptr<const transport::TlsIdentity>> identity = load_identity(config);
  if (!identity.ok()) return identity.error();
  const Result<void> dates = (*identity)->check_dates(now);
  if (!dates.ok()) return Error{ErrorKind::config, dates.error().message, dates.error().hint};
  return check_own_trust(config, (*identity)->facts());
}

}  // namespace ccr::tools
