// The interface that this host would use to reach an address, as its kernel tells: name, MTU, and which work it leaves to the card.
//
// Nothing is sent. Failure: an empty name where no route or interface is found; an offload that the driver does not tell is
// nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ccr::tools {

struct Offload {
  std::string name;        // as ethtool says it: tcp-segmentation-offload
  std::string short_name;  // for `ethtool -K`: tso
  std::optional<bool> on;
};

struct HostLink {
  std::string interface;
  std::uint32_t mtu = 0;  // 0: not known
  std::vector<Offload> offloads;
};

HostLink read_host_link(const std::string& address);  // an address literal

}  // namespace ccr::tools
