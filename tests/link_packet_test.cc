// Packets as a TUN device with offloads gives them: how a train is read, and how a run of it is cut out.
#include <gtest/gtest.h>

#include "tools/link/framed_packet.h"

namespace ccr::linklab {
namespace {

// TCP from 10.78.0.1 port 1000 to 10.78.0.2 port 2000, sequence 0xfffffff0, PSH ACK; identification 0xffff; 12 bytes of options.
// The payload is 1, 2, 3 … so that a run's part can be told.
Bytes framed_train(std::size_t payload_bytes, std::uint16_t payload_per_packet) {
  const auto ip_bytes = static_cast<std::uint16_t>(20 + 32 + payload_bytes);
  const std::uint16_t machine[] = {52, payload_per_packet, 20, 16};  // headers, payload per packet, checksum start and offset
  Bytes framed = {std::byte{1}, std::byte{1}};
  for (const std::uint16_t value : machine) {
    const ByteView raw = std::as_bytes(std::span(&value, 1));
    framed.insert(framed.end(), raw.begin(), raw.end());
  }
  const std::uint8_t headers[] = {
      0x45, 0, std::uint8_t(ip_bytes >> 8), std::uint8_t(ip_bytes), 0xff, 0xff, 0x40, 0, 64, 6, 0, 0,  // IPv4
      10,   78, 0,  1,  10, 78, 0,  2,                                                                   // addresses
      0x03, 0xe8, 0x07, 0xd0, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 1,                                        // ports, sequence, ack
      0x80, 0x18, 1, 0, 0, 0, 0, 0,                                                                      // 32 bytes, PSH ACK
      1,    1,    8, 10, 0, 0, 0, 0, 0, 0, 0, 0};                                                        // timestamps
  for (const std::uint8_t value : headers) framed.push_back(std::byte{value});
  for (std::size_t at = 0; at < payload_bytes; ++at) framed.push_back(std::byte(at + 1));
  return framed;
}

std::uint32_t u16_at(const RunBytes& run, std::size_t at) {
  return std::to_integer<std::uint32_t>(run.headers[at]) << 8 | std::to_integer<std::uint32_t>(run.headers[at + 1]);
}

std::uint32_t u32_at(const RunBytes& run, std::size_t at) { return u16_at(run, at) << 16 | u16_at(run, at + 2); }

// RFC 1071 over `bytes` of the headers, from `at`.
std::uint32_t checksum_of(const RunBytes& run, std::size_t at, std::size_t bytes) {
  std::uint32_t sum = 0;
  for (std::size_t offset = 0; offset < bytes; offset += 2) sum += u16_at(run, at + offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

constexpr std::size_t ip = 10;
constexpr std::size_t tcp = 30;

TEST(FramedPacket, ATrainIsCountedAsThePacketsItStandsFor) {
  const Bytes framed = framed_train(250, 100);
  const std::optional<FramedPacket> packet = FramedPacket::parse(framed);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->train(), (Train{3, 52 + 100 + 38, 52 + 50 + 38}));
}

TEST(FramedPacket, ALastPacketMayBeFull) {
  const Bytes framed = framed_train(200, 100);
  EXPECT_EQ(FramedPacket::parse(framed)->train(), (Train{2, 190, 190}));
}

TEST(FramedPacket, APacketWithoutOffloadIsATrainOfOne) {
  Bytes framed = framed_train(100, 0);
  framed[1] = std::byte{0};
  const std::optional<FramedPacket> packet = FramedPacket::parse(framed);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->train().packets, 1u);
  EXPECT_EQ(packet->train().last_wire_bytes, 190u);
  EXPECT_EQ(packet->bytes_through({0, 1, {}}), framed.size());
}

TEST(FramedPacket, AMiddleRunHasItsOwnLengthsSequenceAndNoPush) {
  const Bytes framed = framed_train(450, 100);
  const RunBytes run = FramedPacket::parse(framed)->bytes_of({1, 2, {}});
  EXPECT_EQ(run.headers_bytes, 62u);
  EXPECT_EQ(run.payload_at, 62u + 100);
  EXPECT_EQ(run.payload_bytes, 200u);
  EXPECT_EQ(run.headers[1], std::byte{1});             // still a train
  EXPECT_EQ(u16_at(run, ip + 2), 20u + 32 + 200);      // total length
  EXPECT_EQ(u16_at(run, ip + 4), 0u);                  // identification 0xffff + 1
  EXPECT_EQ(u32_at(run, tcp + 4), 0x54u);              // sequence 0xfffffff0 + 100
  EXPECT_EQ(run.headers[tcp + 13], std::byte{0x10});   // ACK alone
  EXPECT_EQ(checksum_of(run, ip, 20), 0xffffu);        // the IPv4 header adds up
  // Pseudo header: both addresses, protocol 6, TCP length 232: 0a4e + 0001 + 0a4e + 0002 + 0006 + 00e8.
  EXPECT_EQ(u16_at(run, tcp + 16), 0x158du);
}

TEST(FramedPacket, TheLastRunKeepsThePushAndTheShortPacket) {
  const Bytes framed = framed_train(450, 100);
  const std::optional<FramedPacket> packet = FramedPacket::parse(framed);
  const RunBytes run = packet->bytes_of({3, 2, {}});
  EXPECT_EQ(run.payload_at, 62u + 300);
  EXPECT_EQ(run.payload_bytes, 150u);
  EXPECT_EQ(run.headers[tcp + 13], std::byte{0x18});
  EXPECT_EQ(packet->bytes_through({3, 2, {}}), framed.size());
}

TEST(FramedPacket, ARunOfOneIsAPlainPacket) {
  const Bytes framed = framed_train(450, 100);
  const std::optional<FramedPacket> packet = FramedPacket::parse(framed);
  const RunBytes run = packet->bytes_of({0, 1, {}});
  EXPECT_EQ(run.headers[0], std::byte{1});  // the checksum is still left to an offload
  EXPECT_EQ(run.headers[1], std::byte{0});
  EXPECT_EQ(u16_at(run, 4), 0u);
  EXPECT_EQ(run.payload_bytes, 100u);
  EXPECT_EQ(u32_at(run, tcp + 4), 0xfffffff0u);
  EXPECT_EQ(packet->bytes_through({0, 1, {}}), 62u + 100);
}

TEST(FramedPacket, AnIp6RunHasItsPayloadLengthAndPseudoHeader) {
  // The same train over IPv6 from fd78::1 to fd78::2: the 20 bytes of IPv4 become 40.
  Bytes framed = framed_train(250, 100);
  framed[1] = std::byte{4};
  const std::uint16_t checksum_start = 40;
  std::memcpy(framed.data() + 6, &checksum_start, 2);
  Bytes ip6(40);
  ip6[0] = std::byte{0x60};
  ip6[4] = std::byte{(32 + 250) >> 8};
  ip6[5] = std::byte{(32 + 250) & 0xff};
  ip6[6] = std::byte{6};
  for (const std::size_t address : {8, 24}) {
    ip6[address] = std::byte{0xfd};
    ip6[address + 1] = std::byte{0x78};
  }
  ip6[23] = std::byte{1};
  ip6[39] = std::byte{2};
  framed.erase(framed.begin() + ip, framed.begin() + tcp);
  framed.insert(framed.begin() + ip, ip6.begin(), ip6.end());
  const std::optional<FramedPacket> packet = FramedPacket::parse(framed);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->train(), (Train{3, 72 + 100 + 38, 72 + 50 + 38}));
  const RunBytes run = packet->bytes_of({1, 2, {}});
  EXPECT_EQ(u16_at(run, ip + 4), 32u + 150);
  EXPECT_EQ(u32_at(run, ip + 40 + 4), 0x54u);
  // fd78 + 0001 + fd78 + 0002 + 0006 + 00b6 = 1fbaf, folded bbb0... with the carry: fbaf + 1.
  EXPECT_EQ(u16_at(run, ip + 40 + 16), 0xfbb0u);
}

TEST(FramedPacket, WhatIsCutShortOrNotAskedForIsNone) {
  const Bytes framed = framed_train(250, 100);
  EXPECT_FALSE(FramedPacket::parse(ByteView(framed).first(29)));
  EXPECT_FALSE(FramedPacket::parse(ByteView(framed).first(62)));  // headers alone
  EXPECT_FALSE(FramedPacket::parse({}));
  Bytes udp_offload = framed;
  udp_offload[1] = std::byte{3};
  EXPECT_FALSE(FramedPacket::parse(udp_offload));
  Bytes no_checksum = framed;
  no_checksum[0] = std::byte{0};
  EXPECT_FALSE(FramedPacket::parse(no_checksum));
  Bytes far_checksum = framed;
  far_checksum[7] = far_checksum[6] = std::byte{0xff};
  EXPECT_FALSE(FramedPacket::parse(far_checksum));
  const Bytes no_size = framed_train(250, 0);
  EXPECT_FALSE(FramedPacket::parse(no_size));
}

}  // namespace
}  // namespace ccr::linklab
