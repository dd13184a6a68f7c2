#include <malloc.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "base/assert.h"
#include "base/bytes.h"

namespace ccr {
namespace {

// Large buffers come from the kernel itself: of them only the pages that are used cost anything, and what is forgotten is free at once.
constexpr std::size_t mapped_min = 64 * KiB;

// Around each mapping, for the address sanitizer to find who reads or writes past its ends.
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)  // GCC's word and clang's
constexpr std::size_t guard_bytes = AlignedBuffer::alignment;
#else
constexpr std::size_t guard_bytes = 0;
#endif

constexpr std::size_t rounded_up(std::size_t size) {
  constexpr std::size_t alignment = AlignedBuffer::alignment;
  return size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
}

// `size`, here and below, is in whole pages.
std::byte* map(std::size_t size) {
  const std::size_t length = size + 2 * guard_bytes;
  void* const memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) out_of_memory();
  ASAN_POISON_MEMORY_REGION(memory, length);
  return static_cast<std::byte*>(memory) + guard_bytes;
}

void unmap(std::byte* memory, std::size_t size) {
  ASAN_UNPOISON_MEMORY_REGION(memory - guard_bytes, size + 2 * guard_bytes);
  ::munmap(memory - guard_bytes, size + 2 * guard_bytes);
}

// Mappings that nobody uses now, those that were freed last. A fresh one costs a fault for each of its pages, and giving one back stops all
// threads: both cost more than what most buffers are used for.
class SpareMappings {
 public:
  // Null: none of this size. What it held is still in it.
  std::byte* take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(mappings_.rbegin(), mappings_.rend(), [size](const Mapping& m) { return m.size == size; });
    if (found == mappings_.rend()) return nullptr;
    std::byte* const memory = found->memory;
    mappings_.erase(std::next(found).base());
    bytes_ -= size;
    least_ = std::min(least_, bytes_);
    return memory;
  }
  void keep(std::byte* memory, std::size_t size) {
    ASAN_POISON_MEMORY_REGION(memory, size);
    const std::lock_guard lock(mutex_);
    mappings_.push_back({memory, size});
    bytes_ += size;
    while (bytes_ > bytes_max) drop_oldest();
  }
  void give_back_unused() {
    const std::lock_guard lock(mutex_);
    const std::size_t wanted = bytes_ - least_;
    while (bytes_ > wanted) drop_oldest();
    least_ = bytes_;
  }

 private:
  void drop_oldest() {
    bytes_ -= mappings_.front().size;
    unmap(mappings_.front().memory, mappings_.front().size);
    mappings_.pop_front();
    least_ = std::min(least_, bytes_);
  }

  static constexpr std::size_t bytes_max = 32 * MiB;
  struct Mapping {
    std::byte* memory = nullptr;
    std::size_t size = 0;
  };
  std::mutex mutex_;
  std::deque<Mapping> mappings_;
  std::size_t bytes_ = 0;
  std::size_t least_ = 0;  // of bytes_, since the last give_back_unused()
};

SpareMappings& spare_mappings() {
  static auto* const spare = new SpareMappings;  // buffers may outlive every other static
  return *spare;
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t size, Content content) : size_(size) {
  const std::size_t rounded = rounded_up(size);
  if (size >= mapped_min) {
    std::byte* const spare = spare_mappings().take(rounded);
    memory_ = std::unique_ptr<std::byte[], Free>(spare != nullptr ? spare : map(rounded), Free(rounded));
    data_ = memory_.get();
    ASAN_UNPOISON_MEMORY_REGION(data_, size);
    if (spare != nullptr && content == Content::zeros) std::memset(data_, 0, size);
    return;
  }
  void* memory = content == Content::zeros ? std::calloc(1, rounded + alignment) : std::malloc(rounded + alignment);
  if (memory == nullptr) out_of_memory();
  memory_.reset(static_cast<std::byte*>(memory));
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  data_ = memory_.get() + ((address + alignment - 1) / alignment * alignment - address);
}

void AlignedBuffer::forget() noexcept {
  if (data_ != nullptr) ::madvise(data_, rounded_up(size_), MADV_DONTNEED);
}

void AlignedBuffer::give_back_unused() {
  spare_mappings().give_back_unused();
  ::malloc_trim(0);
}

void AlignedBuffer::Free::operator()(std::byte* memory) const noexcept {
  if (mapped != 0) {
    spare_mappings().keep(memory, mapped);
  } else {
    std::free(memory);
  }
}

}  // namespace ccr
