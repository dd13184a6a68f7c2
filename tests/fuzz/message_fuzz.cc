// One message: the first byte is the type, the rest the body. What decodes must encode to the same bytes.
#include <algorithm>

#include "transport/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ccr;
  using namespace ccr::transport;
  if (size == 0) return 0;
  const ByteView body = std::as_bytes(std::span(data, size)).subspan(1);
  const Result<Message> message = decode(data[0], body);
  if (!message.ok()) {
    CCR_ASSERT(message.error().kind == ErrorKind::protocol && !message.error().message.empty());
    return 0;
  }
  CCR_ASSERT(type_of(*message) == data[0]);
  // A Hello of versions from the future is read in part only.
  const auto* hello = std::get_if<Hello>(&*message);
  if (hello != nullptr && (hello->version_min > protocol_version_max || hello->version_max < protocol_version_min)) return 0;
  CCR_ASSERT(std::ranges::equal(encode(*message), body));
  return 0;
}
