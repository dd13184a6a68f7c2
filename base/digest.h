// XXH3 digests. They find accidents, not attackers: those are kept out by TLS.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/position.h"

namespace ccr {

using Digest64 = std::uint64_t;

struct Digest128 {
  std::array<std::byte, 16> bytes{};  // canonical (big endian) form of XXH3-128
  auto operator<=>(const Digest128&) const = default;
  std::string text() const { return to_hex(bytes); }
};

// 128 random bits that name one log's history from generation 1 on.
struct Signature {
  std::array<std::byte, 16> bytes{};
  auto operator<=>(const Signature&) const = default;
  bool known() const noexcept { return *this != Signature{}; }
  std::string text() const { return to_hex(bytes); }
};

Digest64 digest64(ByteView bytes, std::uint64_t seed = 0) noexcept;
Digest64 digest64(std::span<const ByteView> pieces) noexcept;  // as if they were one
Digest128 digest128(ByteView bytes) noexcept;

// The digest of a page: its number is mixed in, so the same content on another page differs. The root is the sum of them.
inline Digest64 page_digest(PageNumber page, ByteView image) noexcept { return digest64(image, page); }

// The digest of a stream of bytes; copying it keeps the state, so the digest of a prefix can be had while the stream goes on.
class StreamDigest {
 public:
  StreamDigest();
  StreamDigest(const StreamDigest& other);
  StreamDigest& operator=(const StreamDigest& other);
  StreamDigest(StreamDigest&&) noexcept;
  StreamDigest& operator=(StreamDigest&&) noexcept;
  ~StreamDigest();

  void update(ByteView bytes);
  Digest128 digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ccr
