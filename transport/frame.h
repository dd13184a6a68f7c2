// The frame: what goes before every message on the wire, format version 1. Pure; transport/README.md is the page of this format.
//
// A header of 64 bytes, then the body. The header proves itself with its own checksum before a field of it is believed, and names
// the length and the checksum of the body, so that a length is known to be sane before anything is allocated. XXH3 finds accidents
// (a flipped bit behind the TCP checksum), not attackers.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace ccr::transport {

inline constexpr std::uint16_t frame_version = 1;
inline constexpr std::size_t frame_header_bytes = 64;
inline constexpr std::size_t frame_body_max = 1 * MiB + 4 * KiB;  // the largest tail (1 MiB) and the fields before it

// Before the handshake ended the peer is unproven: it gets room for the three messages of the handshake and no more.
inline constexpr std::size_t handshake_body_max = 4 * KiB;

struct FrameHeader {
  std::uint8_t type = 0;
  std::uint64_t session = 0;   // 0 until the handshake ended
  std::uint64_t sequence = 0;  // 1 for the first frame of a direction
  std::uint32_t body_bytes = 0;
  Digest64 body_checksum = 0;
  bool operator==(const FrameHeader&) const = default;
};

// `out` is exactly frame_header_bytes long.
void encode_frame_header(const FrameHeader& header, ByteSpan out);

// `bytes` is exactly frame_header_bytes long. protocol: not a frame of ours, reserved bytes in use, a body over `body_bytes_max`;
// corrupt: the checksum; unsupported: another format version.
Result<FrameHeader> decode_frame_header(ByteView bytes, std::size_t body_bytes_max);

// XXH3-64 over the pieces as if they were one.
inline Digest64 body_checksum(std::span<const ByteView> pieces) noexcept { return digest64(pieces); }

}  // namespace ccr::transport
