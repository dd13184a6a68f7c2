#include "base/bytes.h"

namespace ccr {

std::string to_hex(ByteView bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

std::string to_hex(std::uint64_t value, int digits) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), hex[value & 15]);
    value >>= 4;
  } while (value != 0 || static_cast<int>(text.size()) < digits);
  return text;
}

}  // namespace ccr
