// The frame header, and the text form of endpoints.
#include "tests/transport_frames.h"
#include "transport/frame.h"
#include "transport/network.h"

namespace ccr::transport {
namespace {

constexpr FrameHeader sample_header{5, 0x1122334455667788, 9, 61, 0x0102030405060708};

Bytes encoded(const FrameHeader& header) {
  Bytes bytes(frame_header_bytes);
  encode_frame_header(header, bytes);
  return bytes;
}

Bytes sealed_with(std::size_t at, std::uint8_t value) {
  Bytes bytes = encoded(sample_header);
  bytes[at] = std::byte{value};
  return sealed(std::move(bytes));
}

void expect_refused(const Bytes& bytes, ErrorKind kind, const std::string& message) {
  const Result<FrameHeader> header = decode_frame_header(bytes, frame_body_max);
  expect_kind(header, kind);
  expect_message(header, message);
}

TEST(Frame, HeaderHasTheseBytes) {
  const Bytes bytes = encoded(sample_header);
  EXPECT_EQ(to_hex(ByteView(bytes).first(56)),
            "43435246"
            "0100"
            "05"
            "00"
            "8877665544332211"
            "0900000000000000"
            "3d000000"
            "00000000"
            "0807060504030201"
            "00000000000000000000000000000000");
  EXPECT_EQ(Decoder(ByteView(bytes).subspan(56)).u64(), digest64(ByteView(bytes).first(56)));
}

TEST(Frame, HeaderComesBackAsItWas) {
  const Result<FrameHeader> header = decode_frame_header(encoded(sample_header), frame_body_max);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(*header, sample_header);
}

TEST(Frame, AnotherProtocolIsNamedAsSuch) {
  Bytes bytes(frame_header_bytes);
  std::memcpy(bytes.data(), "GET / HTTP/1.1", 14);
  expect_refused(bytes, ErrorKind::protocol, "frame: it begins with 47455420, expected 43435246: the peer does not speak ccr");
}

TEST(Frame, ReservedBytesMustBeZero) {
  std::vector<std::size_t> reserved{7, 28, 29, 30, 31};
  for (std::size_t at = 40; at < 56; ++at) reserved.push_back(at);
  for (const std::size_t at : reserved) expect_refused(sealed_with(at, 1), ErrorKind::protocol, "frame: reserved bytes are in use");
}

TEST(Frame, TheChecksumOfPiecesIsThatOfTheWhole) {
  const Bytes bytes = random_bytes(10'000, 1);
  const ByteView view(bytes);
  for (const std::size_t cut : {0u, 1u, 16u, 240u, 241u, 5000u, 10'000u}) {
    const std::array<ByteView, 2> pieces{view.first(cut), view.subspan(cut)};
    EXPECT_EQ(body_checksum(pieces), digest64(bytes));
  }
}

TEST(Endpoint, TextIsWhatParsesBack) {
  for (const char* text : {"10.77.0.1:64327", "[::1]:64327", "[fd00::1]:1", "127.0.0.1:65535"}) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.error().message;
    EXPECT_EQ(endpoint->text(), text);
  }
  EXPECT_EQ(parse_endpoint("[0:0::0001]:7")->text(), "[::1]:7");
}

TEST(Endpoint, WhatIsNoAddressIsRefusedWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "'' is not an address: the port is missing"},
      {"10.77.0.1", "'10.77.0.1' is not an address: the port is missing"},
      {"10.77.0.1:", "'10.77.0.1:' is not an address: '' is not a port (1 to 65535)"},
      {"10.77.0.1:0", "'10.77.0.1:0' is not an address: '0' is not a port (1 to 65535)"},
      {"10.77.0.1:65536", "'10.77.0.1:65536' is not an address: '65536' is not a port (1 to 65535)"},
      {"10.77.0.1:+80", "'10.77.0.1:+80' is not an address: '+80' is not a port (1 to 65535)"},
      {"10.77.0.1:80x", "'10.77.0.1:80x' is not an address: '80x' is not a port (1 to 65535)"},
      {"10.77.0.1:080", "'10.77.0.1:080' is not an address: '080' is not a port (1 to 65535)"},
      {"alpha:80", "'alpha:80' is not an address: 'alpha' is not an IPv4 address"},
      {"10.77.1:80", "'10.77.1:80' is not an address: '10.77.1' is not an IPv4 address"},
      {"::1:80", "'::1:80' is not an address: an IPv6 address stands in brackets"},
      {"[::1]", "'[::1]' is not an address: after '[' an IPv6 address, then ']:' and a port are expected"},
      {"[10.77.0.1]:80", "'[10.77.0.1]:80' is not an address: '10.77.0.1' is not an IPv6 address"},
      {"[::g]:80", "'[::g]:80' is not an address: '::g' is not an IPv6 address"},
  };
  for (const auto& [text, message] : cases) {
    const Result<Endpoint> endpoint = parse_endpoint(text);
    expect_kind(endpoint, ErrorKind::config);
    expect_message(endpoint, message);
  }
}

}  // namespace
}  // namespace ccr::transport
