#include "base/bytes.h"

#include <sys/mman.h>

#include <cstdlib>
#include <limits>

namespace ccr {

namespace {

// Large buffers come from the kernel itself: of them only the pages that are used cost anything, while malloc keeps what was freed, and
// writes zeros over all of it for the next buffer. The address sanitizer guards what lies around malloc's alone.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t mapped_min = std::numeric_limits<std::size_t>::max();
#else
constexpr std::size_t mapped_min = 64 * KiB;
#endif

constexpr std::size_t rounded_up(std::size_t size) {
  constexpr std::size_t alignment = AlignedBuffer::alignment;
  return size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t size) : size_(size) {
  const std::size_t rounded = rounded_up(size);
  if (size >= mapped_min) {
    void* memory = ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CCR_ASSERT(memory != MAP_FAILED);
    memory_ = std::unique_ptr<std::byte[], Free>(static_cast<std::byte*>(memory), Free(rounded));
    data_ = memory_.get();
    return;
  }
  void* memory = std::calloc(1, rounded + alignment);
  CCR_ASSERT(memory != nullptr);
  memory_.reset(static_cast<std::byte*>(memory));
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  data_ = memory_.get() + ((address + alignment - 1) / alignment * alignment - address);
}

void AlignedBuffer::forget() noexcept {
  if (data_ != nullptr) ::madvise(data_, rounded_up(size_), MADV_DONTNEED);
}

void AlignedBuffer::Free::operator()(std::byte* memory) const noexcept {
  if (mapped != 0) {
    ::munmap(memory, mapped);
  } else {
    std::free(memory);
  }
}

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
