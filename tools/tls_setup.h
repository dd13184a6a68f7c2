// From the configuration to TLS: whose name, which files, who is at which address.
#pragma once

#include <map>

#include "engine/config.h"
#include "transport/tls_identity.h"
#include "transport/tls_network.h"

namespace ccr::tools {

std::map<transport::Endpoint, std::string> node_addresses(const engine::Config& config);

// The identity of config.node, from the files of [tls]; only where TLS is not off.
Result<std::shared_ptr<const transport::TlsIdentity>> load_identity(const engine::Config& config);

// What the configuration says about whom to believe, into the network that asks.
void hold_to_rules(const engine::Config& config, transport::TlsNetwork& network);

// Those of the three files that are not there; none where TLS is off.
std::vector<std::string> missing_tls_files(const engine::Config& config);
// What is wrong with them, dates included, and with rules that deny this node itself; nothing where TLS is off.
Result<void> check_tls_files(const engine::Config& config, WallTime now);

}  // namespace ccr::tools
