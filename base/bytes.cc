#include "base/bytes.h"

#include <cstdlib>

namespace ccr {

// By calloc, which knows what the kernel has zeroed already: of a large buffer only the pages that are used cost anything.
AlignedBuffer::AlignedBuffer(std::size_t size) : size_(size) {
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::calloc(1, (rounded == 0 ? alignment : rounded) + alignment);
  CCR_ASSERT(memory != nullptr);
  memory_.reset(static_cast<std::byte*>(memory));
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  data_ = memory_.get() + ((address + alignment - 1) / alignment * alignment - address);
}

void AlignedBuffer::Free::operator()(std::byte* memory) const noexcept { std::free(memory); }

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
