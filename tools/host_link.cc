#include "tools/host_link.h"

#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ccr::tools {
namespace {

constexpr std::uint16_t any_port = 9;

class DatagramSocket {
 public:
  explicit DatagramSocket(int family) : socket_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~DatagramSocket() {
    if (socket_ >= 0) ::close(socket_);
  }
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;
  int descriptor() const noexcept { return socket_; }

 private:
  int socket_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  int family() const noexcept { return storage.ss_family; }
};

Address address_of(const std::string& text) {
  Address address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(any_port);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.bytes = sizeof v4;
  } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(any_port);
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.bytes = sizeof v6;
  }
  return address;
}

bool is_same(const Address& address, const sockaddr& other) {
  if (address.family() != other.sa_family) return false;
  if (address.family() == AF_INET) {
    sockaddr_in one{}, two{};
    std::memcpy(&one, &address.storage, sizeof one);
    std::memcpy(&two, &other, sizeof two);
    return one.sin_addr.s_addr == two.sin_addr.s_addr;
  }
  sockaddr_in6 one{}, two{};
  std::memcpy(&one, &address.storage, sizeof one);
  std::memcpy(&two, &other, sizeof two);
  return std::memcmp(&one.sin6_addr, &two.sin6_addr, sizeof one.sin6_addr) == 0;
}

// A connected datagram socket has the address that the kernel would send from; who has it is the interface.
std::string interface_to(const Address& peer) {
  const DatagramSocket probe(peer.family());
  Address own;
  own.bytes = sizeof own.storage;
  if (::connect(probe.descriptor(), reinterpret_cast<const sockaddr*>(&peer.storage), peer.bytes) != 0) return "";
  if (::getsockname(probe.descriptor(), reinterpret_cast<sockaddr*>(&own.storage), &own.bytes) != 0) return "";
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return "";
  std::string name;
  for (const ifaddrs* each = all; each != nullptr && name.empty(); each = each->ifa_next) {
    if (each->ifa_addr != nullptr && is_same(own, *each->ifa_addr)) name = each->ifa_name;
  }
  ::freeifaddrs(all);
  return name;
}

ifreq request_of(const std::string& interface) {
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  return request;
}

std::optional<bool> offload_of(int socket, const std::string& interface, std::uint32_t command) {
  ifreq request = request_of(interface);
  ethtool_value value{};
  value.cmd = command;
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (::ioctl(socket, SIOCETHTOOL, &request) != 0) return std::nullopt;
  return value.data != 0;
}

}  // namespace

HostLink read_host_link(const std::string& address) {
  HostLink link;
  const Address peer = address_of(address);
  if (peer.bytes == 0) return link;
  link.interface = interface_to(peer);
  if (link.interface.empty()) return link;
  const DatagramSocket asker(AF_INET);
  ifreq request = request_of(link.interface);
  if (::ioctl(asker.descriptor(), SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
    link.mtu = static_cast<std::uint32_t>(request.ifr_mtu);
  struct Known {
    const char *name, *short_name;
    std::uint32_t command;
  };
  constexpr std::array<Known, 5> known{{{"tcp-segmentation-offload", "tso", ETHTOOL_GTSO},
                                        {"generic-segmentation-offload", "gso", ETHTOOL_GGSO},
                                        {"generic-receive-offload", "gro", ETHTOOL_GGRO},
                                        {"rx-checksumming", "rx", ETHTOOL_GRXCSUM},
                                        {"tx-checksumming", "tx", ETHTOOL_GTXCSUM}}};
  for (const Known& each : known)
    link.offloads.push_back({each.name, each.short_name, offload_of(asker.descriptor(), link.interface, each.command)});
  return link;
}

}  // namespace ccr::tools
