#include "transport/frame.h"

#include <algorithm>
#include <array>

namespace ccr::transport {
namespace {

constexpr std::array<std::byte, 4> magic{std::byte{'C'}, std::byte{'C'}, std::byte{'R'}, std::byte{'F'}};
constexpr std::size_t reserved_bytes = 16;
constexpr std::size_t checksum_at = frame_header_bytes - 8;
constexpr std::size_t body_bytes_limit = ~std::uint32_t{0};

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

Error refused(std::string what) { return {ErrorKind::protocol, "frame: " + std::move(what), ""}; }

}  // namespace

void encode_frame_header(const FrameHeader& header, ByteSpan out) {
  CCR_ASSERT(out.size() == frame_header_bytes);
  CCR_ASSERT(header.body_bytes <= frame_body_max);
  Encoder encoder(out);
  encoder.bytes(magic);
  encoder.u16(frame_version);
  encoder.u8(header.type);
  encoder.u8(0);  // flags
  encoder.u64(header.session);
  encoder.u64(header.sequence);
  encoder.u32(header.body_bytes);
  encoder.u32(0);
  encoder.u64(header.body_checksum);
  encoder.zeros(reserved_bytes);
  CCR_ASSERT(encoder.written() == checksum_at);
  encoder.u64(digest64(ByteView(out).first(checksum_at)));
}

Result<FrameHeader> decode_frame_header(ByteView bytes, std::size_t body_bytes_max) {
  CCR_ASSERT(bytes.size() == frame_header_bytes);
  CCR_ASSERT(body_bytes_max <= body_bytes_limit);
  Decoder decoder(bytes);
  const ByteView mark = decoder.bytes(magic.size());
  if (!std::equal(mark.begin(), mark.end(), magic.begin())) {
    return refused("it begins with " + to_hex(mark) + ", expected " + to_hex(magic) + ": the peer does not speak ccr");
  }
  const Digest64 computed = digest64(bytes.first(checksum_at));
  const Digest64 written = Decoder(bytes.subspan(checksum_at)).u64();
  if (computed != written) {
    return Error{ErrorKind::corrupt,
                 "frame: header checksum is " + to_hex(computed, 16) + ", the header says " + to_hex(written, 16), ""};
  }
  const std::uint16_t version = decoder.u16();
  if (version != frame_version) {
    return Error{ErrorKind::unsupported,
                 "frame: format version " + std::to_string(version) + ", this build reads " + std::to_string(frame_version), ""};
  }
  FrameHeader header;
  header.type = decoder.u8();
  const std::uint8_t flags = decoder.u8();
  header.session = decoder.u64();
  header.sequence = decoder.u64();
  header.body_bytes = decoder.u32();
  const std::uint32_t reserved = decoder.u32();
  header.body_checksum = decoder.u64();
  if (flags != 0 || reserved != 0 || !all_zero(decoder.bytes(reserved_bytes))) return refused("reserved bytes are in use");
  if (header.body_bytes > body_bytes_max) {
    return refused("a body of " + std::to_string(header.body_bytes) + " bytes, at most " + std::to_string(body_bytes_max) +
                   " are allowed here");
  }
  return header;
}

}  // namespace ccr::transport
