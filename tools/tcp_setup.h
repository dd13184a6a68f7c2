// From the configuration to TCP: the window and the congestion control of this node's connections, tried on this host.
#pragma once

#include <string>

#include "engine/config.h"
#include "tools/host_network.h"
#include "transport/tcp_settings.h"

namespace ccr::tools {

struct TcpSetup {
  transport::TcpSettings settings;
  std::string warning;  // what of it this host does not give; empty: it gives all
};

// config: a congestion control that this kernel has not. A host whose sysctls cannot be read leaves auto to its kernel, and warns.
Result<TcpSetup> tcp_setup(const engine::TransportConfig& transport);

// Pure: what a window set by hand gets here, where that is less than was asked; else empty.
std::string window_warning(std::uint64_t asked, const transport::HostLimits& limits, const transport::BufferPair& reach);

}  // namespace ccr::tools
