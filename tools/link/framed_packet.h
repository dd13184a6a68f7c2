// FramedPacket: one read of a TUN device with IFF_VNET_HDR, an offload header of 10 bytes and an IP packet of up to 64 KiB that
// stands for a train of packets (TCP segmentation offload). Says how the train looks on the wire, and makes the headers under
// which a run of its packets goes on as a train of its own, without touching the payload.
//
// A run's headers: lengths, IPv4 identification and checksum, TCP sequence number, FIN and PSH only with the last packet, and the
// checksum over the pseudo header that the kernel expects of a packet whose checksum is left to an offload.
// The offload header is struct virtio_net_hdr in the machine's byte order (linux/virtio_net.h); only TCP trains come, since no
// other offload is asked for (tun_device.h). What is not understood is no FramedPacket. Pure. Threads: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "tools/link/link.h"

namespace ccr::linklab {

inline constexpr std::size_t offload_header_bytes = 10;
inline constexpr std::size_t ip_packet_bytes_max = 65'535;
inline constexpr std::size_t framed_bytes_max = offload_header_bytes + ip_packet_bytes_max;
inline constexpr std::size_t headers_bytes_max = offload_header_bytes + 60 + 60;  // IPv4 and TCP with all their options

// Where a run's bytes are: `headers`, then payload_bytes from payload_at of the framed packet.
struct RunBytes {
  std::array<std::byte, headers_bytes_max> headers{};
  std::size_t headers_bytes = 0;
  std::size_t payload_at = 0;
  std::size_t payload_bytes = 0;
};

class FramedPacket {
 public:
  // `framed` must outlive the result. nullopt: cut short, or an offload that nobody asked for.
  static std::optional<FramedPacket> parse(ByteView framed);

  const Train& train() const noexcept { return train_; }
  ByteView whole() const noexcept { return framed_; }
  bool is_whole(const Run& run) const noexcept { return run.packets == train_.packets; }
  // How many bytes of it the run and those before it need: what is behind may be forgotten.
  std::size_t bytes_through(const Run& run) const;
  // run must lie inside the train, and the train must be of more than one packet.
  RunBytes bytes_of(const Run& run) const;

 private:
  explicit FramedPacket(ByteView framed) : framed_(framed) {}
  bool parse_train(std::uint16_t payload_per_packet);

  ByteView framed_;
  Train train_;
  std::size_t transport_at_ = 0;  // the TCP header, from the start of the framed packet
  std::size_t payload_at_ = 0;
  std::size_t payload_per_packet_ = 0;
};

}  // namespace ccr::linklab
