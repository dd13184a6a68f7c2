// Fuzzes an identity file: the text as it is, and the same lines under a good checksum. What decodes must be what encode_identity()
// writes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/identity_file.h"

namespace {

void decode(std::string_view text) {
  const auto decoded = ccr::storage::decode_identity(text);
  if (!decoded.ok()) return;
  const auto again = ccr::storage::encode_identity(*decoded);
  CCR_ASSERT(again.ok());
  CCR_ASSERT(*again == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  decode(text);
  const ccr::Digest64 checksum = ccr::digest64(ccr::as_bytes(text));
  decode(text + "checksum = " + ccr::to_hex(checksum, 16) + "\n");
  return 0;
}
