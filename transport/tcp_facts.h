// What the kernel says of one TCP socket: read by getsockopt, in a file of its own because linux/tcp.h, which alone knows the
// delivery rate, cannot stand beside the header that Asio includes.
#pragma once

#include <cstdint>
#include <string>

namespace ccr::transport {

// Zeros (and -1 for scales) where the kernel does not say.
struct TcpFacts {
  std::uint64_t receive_buffer_bytes = 0;   // SO_RCVBUF
  int send_scale = -1, receive_scale = -1;  // of RFC 7323, agreed in the SYN
  std::uint32_t rtt_microseconds = 0;
  std::uint64_t delivery_bytes_per_second = 0;
  std::string congestion;
};

TcpFacts read_tcp_facts(int socket);

}  // namespace ccr::transport
