#include "transport/tcp_facts.h"

#include <array>
#include <cstddef>
#include <cstring>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ccr::transport {
namespace {

constexpr std::size_t congestion_name_max = 16;  // TCP_CA_NAME_MAX of the kernel

// True when a kernel that filled `filled` bytes knows the member that ends at `end`.
bool knows(socklen_t filled, std::size_t end) { return filled >= end; }

void read_info(int socket, TcpFacts& facts) {
  tcp_info info{};
  socklen_t filled = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &filled) != 0) return;
  if (knows(filled, offsetof(tcp_info, tcpi_rtt) + sizeof info.tcpi_rtt)) {
    facts.send_scale = info.tcpi_snd_wscale;
    facts.receive_scale = info.tcpi_rcv_wscale;
    facts.rtt_microseconds = info.tcpi_rtt;
  }
  if (knows(filled, offsetof(tcp_info, tcpi_delivery_rate) + sizeof info.tcpi_delivery_rate)) {
    facts.delivery_bytes_per_second = info.tcpi_delivery_rate;
  }
}

}  // namespace

TcpFacts read_tcp_facts(int socket) {
  TcpFacts facts;
  read_info(socket, facts);
  int buffer = 0;
  socklen_t length = sizeof buffer;
  if (getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, &length) == 0 && buffer > 0) {
    facts.receive_buffer_bytes = static_cast<std::uint64_t>(buffer);
  }
  std::array<char, congestion_name_max> name{};
  length = name.size();
  if (getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) == 0) {
    facts.congestion.assign(name.data(), strnlen(name.data(), length));
  }
  return facts;
}

}  // namespace ccr::transport
