// What this host's kernel says of its TCP: the sysctls that decide how much may be in flight.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "transport/window_plan.h"

namespace ccr::tools {

struct HostNetwork {
  transport::HostLimits limits;           // the asked limits are 0 where this network namespace does not show them
  std::string receive_words, send_words;  // tcp_rmem and tcp_wmem as they stand: least, first, most
  std::string congestion;                 // in use for new connections
  std::string congestion_available;       // with blanks between them
  std::uint64_t neighbour_reachable_ms = 0;  // 0 where this network namespace does not show it
};

// `root`: where /proc/sys/net is. An unreadable or foreign value is ErrorKind::io or ErrorKind::unsupported, and names its file.
Result<HostNetwork> read_host_network(const std::string& root = "/proc/sys/net");

}  // namespace ccr::tools
