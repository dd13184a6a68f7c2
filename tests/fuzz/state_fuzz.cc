// Fuzzes a state slot: the bytes as they are, and the same bytes behind a good checksum. What decodes must be what encode_state()
// writes; of an older version, what it reads back.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "storage/state_file.h"

namespace {

void decode(ccr::ByteView slot) {
  const auto decoded = ccr::storage::decode_state(slot);
  if (!decoded.ok()) return;
  const ccr::Bytes again = ccr::storage::encode_state(decoded->first, decoded->second);
  constexpr std::size_t version_at = 8;
  const bool same_version = again[version_at] == slot[version_at];
  CCR_ASSERT(same_version ? std::equal(again.begin(), again.end(), slot.begin(), slot.end()) : ccr::storage::decode_state(again)->first == decoded->first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ccr::ByteView input = std::as_bytes(std::span(bytes, size));
  decode(input);
  // The payload alone, in a slot of its own: the mutator need not learn header and padding.
  constexpr std::size_t header_bytes = 32, block_bytes = 4096, length_at = 12;
  if (size > ccr::storage::StateFile::state_bytes_max - header_bytes) return 0;
  ccr::Bytes slot = ccr::storage::encode_state(ccr::storage::CopyState(), 1);
  slot.resize(header_bytes);
  slot.insert(slot.end(), input.begin(), input.end());
  slot.resize((slot.size() + block_bytes - 1) / block_bytes * block_bytes);
  ccr::Encoder(ccr::ByteSpan(slot).subspan(length_at)).u32(static_cast<std::uint32_t>(size));
  ccr::storage::seal_state(slot);
  decode(slot);
  return 0;
}
