#include "tools/tls_setup.h"

#include <unistd.h>

namespace ccr::tools {

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
  return {};
}

}  // namespace ccr::tools
