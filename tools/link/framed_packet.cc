#include "tools/link/framed_packet.h"

#include <algorithm>
#include <cstring>

namespace ccr::linklab {
namespace {

// struct virtio_net_hdr
constexpr std::size_t flags_at = 0;
constexpr std::size_t offload_kind_at = 1;
constexpr std::size_t headers_length_at = 2;
constexpr std::size_t payload_per_packet_at = 4;
constexpr std::size_t checksum_start_at = 6;
constexpr std::uint8_t needs_checksum = 1;
constexpr std::uint8_t offload_none = 0;
constexpr std::uint8_t offload_tcp4 = 1;
constexpr std::uint8_t offload_tcp6 = 4;

constexpr std::size_t ip4_header_bytes_min = 20;
constexpr std::size_t ip6_header_bytes = 40;
constexpr std::size_t tcp_header_bytes_min = 20;
constexpr std::size_t ip_at = offload_header_bytes;
constexpr std::uint8_t tcp_protocol = 6;
constexpr std::uint8_t tcp_fin_and_psh = 0x01 | 0x08;

std::uint8_t byte_at(ByteView bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

std::uint16_t machine_u16(ByteView bytes, std::size_t at) {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

void put_machine_u16(ByteSpan bytes, std::size_t at, std::uint16_t value) { std::memcpy(bytes.data() + at, &value, sizeof value); }

std::uint32_t wire_u16(ByteView bytes, std::size_t at) { return std::uint32_t{byte_at(bytes, at)} << 8 | byte_at(bytes, at + 1); }

void put_wire_u16(ByteSpan bytes, std::size_t at, std::uint32_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}

// The Internet checksum's sum (RFC 1071), folded, not complemented.
std::uint32_t sum_of(ByteView bytes, std::uint32_t sum) {
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) sum += wire_u16(bytes, at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

bool is_ip6(ByteView framed) { return byte_at(framed, ip_at) >> 4 == 6; }

void put_lengths(ByteSpan headers, std::size_t transport_at, std::size_t payload_bytes, std::uint32_t first) {
  const std::size_t ip_bytes = headers.size() - ip_at + payload_bytes;
  if (is_ip6(headers)) {
    put_wire_u16(headers, ip_at + 4, static_cast<std::uint32_t>(ip_bytes - ip6_header_bytes));
    return;
  }
  put_wire_u16(headers, ip_at + 2, static_cast<std::uint32_t>(ip_bytes));
  put_wire_u16(headers, ip_at + 4, wire_u16(headers, ip_at + 4) + first);
  put_wire_u16(headers, ip_at + 10, 0);
  put_wire_u16(headers, ip_at + 10, ~sum_of(headers.subspan(ip_at, transport_at - ip_at), 0));
}

void put_tcp(ByteSpan headers, std::size_t transport_at, std::size_t payload_bytes, std::uint32_t sequence_growth) {
  const std::uint32_t sequence =
      (wire_u16(headers, transport_at + 4) << 16 | wire_u16(headers, transport_at + 6)) + sequence_growth;
  put_wire_u16(headers, transport_at + 4, sequence >> 16);
  put_wire_u16(headers, transport_at + 6, sequence);
  const ByteView addresses = is_ip6(headers) ? ByteView(headers).subspan(ip_at + 8, 32) : ByteView(headers).subspan(ip_at + 12, 8);
  const std::size_t tcp_bytes = headers.size() - transport_at + payload_bytes;
  put_wire_u16(headers, transport_at + 16, sum_of(addresses, tcp_protocol + static_cast<std::uint32_t>(tcp_bytes)));
}

}  // namespace

std::optional<FramedPacket> FramedPacket::parse(ByteView framed) {
  if (framed.size() < offload_header_bytes + ip4_header_bytes_min || framed.size() > framed_bytes_max) return std::nullopt;
  FramedPacket packet(framed);
  const std::uint8_t kind = byte_at(framed, offload_kind_at);
  if (kind == offload_none) {
    packet.train_ = {1, 0, wire_bytes(framed.size() - offload_header_bytes)};
    return packet;
  }
  if (kind != offload_tcp4 && kind != offload_tcp6) return std::nullopt;
  if (!packet.parse_train(machine_u16(framed, payload_per_packet_at))) return std::nullopt;
  return packet;
}

bool FramedPacket::parse_train(std::uint16_t payload_per_packet) {
  if ((byte_at(framed_, flags_at) & needs_checksum) == 0 || payload_per_packet == 0) return false;
  transport_at_ = offload_header_bytes + machine_u16(framed_, checksum_start_at);
  const std::size_t ip_header_bytes_min = is_ip6(framed_) ? ip6_header_bytes : ip4_header_bytes_min;
  if (transport_at_ < ip_at + ip_header_bytes_min || transport_at_ + tcp_header_bytes_min > framed_.size()) return false;
  const std::size_t tcp_header_bytes = std::size_t{byte_at(framed_, transport_at_ + 12)} / 16 * 4;
  payload_at_ = transport_at_ + tcp_header_bytes;
  if (tcp_header_bytes < tcp_header_bytes_min || payload_at_ >= framed_.size() || payload_at_ > headers_bytes_max) return false;
  payload_per_packet_ = payload_per_packet;
  const std::size_t payload = framed_.size() - payload_at_;
  const std::size_t packets = (payload + payload_per_packet - 1) / payload_per_packet;
  const std::size_t last = payload - (packets - 1) * payload_per_packet;
  const std::size_t headers = payload_at_ - ip_at;
  train_ = {static_cast<std::uint32_t>(packets), wire_bytes(headers + payload_per_packet), wire_bytes(headers + last)};
  return true;
}

std::size_t FramedPacket::bytes_through(const Run& run) const {
  if (is_whole(run)) return framed_.size();
  return std::min(payload_at_ + std::size_t{run.first + run.packets} * payload_per_packet_, framed_.size());
}

RunBytes FramedPacket::bytes_of(const Run& run) const {
  CCR_ASSERT(train_.packets > 1);
  CCR_ASSERT(run.packets > 0 && run.first + run.packets <= train_.packets);
  RunBytes out;
  const std::size_t begins = std::size_t{run.first} * payload_per_packet_;
  out.headers_bytes = payload_at_;
  out.payload_at = payload_at_ + begins;
  out.payload_bytes = std::min(std::size_t{run.packets} * payload_per_packet_, framed_.size() - out.payload_at);
  std::memcpy(out.headers.data(), framed_.data(), payload_at_);
  const ByteSpan headers(out.headers.data(), out.headers_bytes);
  if (run.packets == 1) {
    headers[offload_kind_at] = std::byte{offload_none};
    put_machine_u16(headers, headers_length_at, 0);
    put_machine_u16(headers, payload_per_packet_at, 0);
  }
  if (run.first + run.packets < train_.packets) headers[transport_at_ + 13] &= static_cast<std::byte>(~tcp_fin_and_psh);
  put_lengths(headers, transport_at_, out.payload_bytes, run.first);
  put_tcp(headers, transport_at_, out.payload_bytes, static_cast<std::uint32_t>(begins));
  return out;
}

}  // namespace ccr::linklab
