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
  if (knows(filled, offsetof(tcp_info, tcpi_total_retrans) + sizeof info.tcpi_total_retrans)) {
    facts.send_scale = info.tcpi_snd_wscale;
    facts.receive_scale = info.tcpi_rcv_wscale;
    facts.rtt_microseconds = info.tcpi_rtt;
    facts.received_in_rtt = info.tcpi_rcv_space;
    facts.congestion_window = info.tcpi_snd_cwnd;
    facts.retransmits = info.tcpi_total_retrans;
    facts.scaling = (info.tcpi_options & TCPI_OPT_WSCALE) != 0;
    facts.timestamps = (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0;
  }
  if (knows(filled, offsetof(tcp_info, tcpi_data_segs_out) + sizeof info.tcpi_data_segs_out)) {
    facts.least_rtt_microseconds = info.tcpi_min_rtt;
    facts.segments_sent = info.tcpi_data_segs_out;
  }
  if (knows(filled, offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)) facts.bytes_delivered = info.tcpi_bytes_acked;
  if (knows(filled, offsetof(tcp_info, tcpi_delivery_rate) + sizeof info.tcpi_delivery_rate)) {
    facts.delivery_bytes_per_second = info.tcpi_delivery_rate;
  }
  if (knows(filled, offsetof(tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd)) facts.send_window = info.tcpi_snd_wnd;
}

}  // namespace

std::uint64_t read_socket_amount(int socket, int level, int option) {
  int amount = 0;
  socklen_t length = sizeof amount;
  return getsockopt(socket, level, option, &amount, &length) == 0 && amount > 0 ? static_cast<std::uint64_t>(amount) : 0;
}

TcpFacts read_tcp_facts(int socket) {
  TcpFacts facts;
  read_info(socket, facts);
  facts.receive_buffer_bytes = read_socket_amount(socket, SOL_SOCKET, SO_RCVBUF);
  facts.send_buffer_bytes = read_socket_amount(socket, SOL_SOCKET, SO_SNDBUF);
  facts.window_clamp = read_socket_amount(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP);
  std::array<char, congestion_name_max> name{};
  socklen_t length = name.size();
  if (getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) == 0) {
    facts.congestion.assign(name.data(), strnlen(name.data(), length));
  }
  return facts;
}

}  // namespace ccr::transport
