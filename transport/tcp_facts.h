// What the kernel says of one TCP socket: read by getsockopt, in a file of its own because linux/tcp.h, which alone knows the
// delivery rate, cannot stand beside the header that Asio includes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ccr::transport {

// Zeros, -1 for scales, and nullopt where the kernel does not say.
struct TcpFacts {
  std::uint64_t receive_buffer_bytes = 0, send_buffer_bytes = 0;  // SO_RCVBUF, SO_SNDBUF
  std::uint64_t window_clamp = 0;                                 // the largest window that is offered to the peer
  std::uint64_t send_window = 0;                                  // the window that the peer offers
  int send_scale = -1, receive_scale = -1;  // of RFC 7323, agreed in the SYN: of the windows that the peer tells, that we tell
  std::optional<bool> scaling, timestamps;  // agreed in the SYN; nullopt before
  std::uint32_t rtt_microseconds = 0, least_rtt_microseconds = 0;
  std::uint64_t delivery_bytes_per_second = 0;
  std::uint64_t received_in_rtt = 0;                 // bytes that were read here in one round trip
  std::uint64_t segments_sent = 0, retransmits = 0;  // since the connection began
  std::optional<std::uint64_t> bytes_delivered;      // acknowledged by the peer since then
  std::uint64_t congestion_window = 0;               // segments
  std::string congestion;
};

TcpFacts read_tcp_facts(int socket);
// A socket option that is an int; 0 where it is none above 0, or the kernel does not say.
std::uint64_t read_socket_amount(int socket, int level, int option);

}  // namespace ccr::transport
