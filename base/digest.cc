#include "base/digest.h"

#define XXH_STATIC_LINKING_ONLY  // for the state's size
// Its functions choose AVX2 or AVX-512 where the processor has them, and replace the plain ones by name.
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

namespace ccr {
namespace {

Digest128 canonical(XXH128_hash_t hash) noexcept {
  XXH128_canonical_t form;
  XXH128_canonicalFromHash(&form, hash);
  Digest128 digest;
  static_assert(sizeof form.digest == sizeof digest.bytes);
  std::memcpy(digest.bytes.data(), form.digest, sizeof form.digest);
  return digest;
}

}  // namespace

struct StreamDigest::State {
  XXH3_state_t xxh;
};

Digest64 digest64(ByteView bytes, std::uint64_t seed) noexcept { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }

Digest64 digest64(std::span<const ByteView> pieces) noexcept {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const ByteView piece : pieces) {
    if (!piece.empty()) XXH3_64bits_update(&state, piece.data(), piece.size());
  }
  return XXH3_64bits_digest(&state);
}

Digest128 digest128(ByteView bytes) noexcept { return canonical(XXH3_128bits(bytes.data(), bytes.size())); }

StreamDigest::StreamDigest() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
StreamDigest::StreamDigest(const StreamDigest& other) : StreamDigest() { XXH3_copyState(&state_->xxh, &other.state_->xxh); }
StreamDigest& StreamDigest::operator=(const StreamDigest& other) {
  if (this != &other) XXH3_copyState(&state_->xxh, &other.state_->xxh);
  return *this;
}
StreamDigest::StreamDigest(StreamDigest&&) noexcept = default;
StreamDigest& StreamDigest::operator=(StreamDigest&&) noexcept = default;
StreamDigest::~StreamDigest() = default;

void StreamDigest::update(ByteView bytes) { XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size()); }
Digest128 StreamDigest::digest() const { return canonical(XXH3_128bits_digest(&state_->xxh)); }

}  // namespace ccr
