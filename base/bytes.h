// Bytes as views, and the one place where integers become bytes: little endian, bounds checked.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace ccr {

using ByteView = std::span<const std::byte>;
using ByteSpan = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteView as_bytes(std::string_view text) noexcept { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string to_text(ByteView bytes) { return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

static_assert(std::endian::native == std::endian::little, "integers are copied as they lie in memory");

// Writes integers at a cursor of a buffer that the caller sized; running over the end is a broken invariant.
class Encoder {
 public:
  explicit Encoder(ByteSpan out) : out_(out) {}

  void u8(std::uint8_t value) { put(value); }
  void u16(std::uint16_t value) { put(value); }
  void u32(std::uint32_t value) { put(value); }
  void u64(std::uint64_t value) { put(value); }
  void bytes(ByteView value) {
    CCR_ASSERT(value.size() <= out_.size() - at_);
    if (!value.empty()) std::memcpy(out_.data() + at_, value.data(), value.size());
    at_ += value.size();
  }
  void zeros(std::size_t count) {
    CCR_ASSERT(count <= out_.size() - at_);
    std::memset(out_.data() + at_, 0, count);
    at_ += count;
  }
  std::size_t written() const noexcept { return at_; }

 private:
  template <class Integer>
  void put(Integer value) {
    CCR_ASSERT(sizeof value <= out_.size() - at_);
    std::memcpy(out_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
  }

  ByteSpan out_;
  std::size_t at_ = 0;
};

// Reads integers from bytes that somebody else wrote. Reading past the end yields zeros and makes ok() false for good: the
// caller decodes everything, then asks once.
class Decoder {
 public:
  explicit Decoder(ByteView in) : in_(in) {}

  std::uint8_t u8() { return get<std::uint8_t>(); }
  std::uint16_t u16() { return get<std::uint16_t>(); }
  std::uint32_t u32() { return get<std::uint32_t>(); }
  std::uint64_t u64() { return get<std::uint64_t>(); }
  ByteView bytes(std::size_t count) {
    if (count > in_.size() - at_) {
      ok_ = false;
      at_ = in_.size();
      return {};
    }
    const ByteView view = in_.subspan(at_, count);
    at_ += count;
    return view;
  }
  std::size_t remaining() const noexcept { return in_.size() - at_; }
  bool ok() const noexcept { return ok_; }
  bool finished() const noexcept { return ok_ && remaining() == 0; }

 private:
  template <class Integer>
  Integer get() {
    const ByteView view = bytes(sizeof(Integer));
    Integer value = 0;
    if (!view.empty()) std::memcpy(&value, view.data(), sizeof value);
    return value;
  }

  ByteView in_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// A buffer aligned for direct I/O; owns its memory, moves, never copies. Large ones that were freed serve again, 32 MiB of them at most.
class AlignedBuffer {
 public:
  static constexpr std::size_t alignment = 4096;

  enum class Content { zeros, any };  // any: for who writes each byte before anybody reads it

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size, Content content = Content::zeros);
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : memory_(std::move(other.memory_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  std::size_t size() const noexcept { return size_; }
  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  ByteSpan span() noexcept { return {data_, size_}; }
  ByteView view() const noexcept { return {data_, size_}; }
  void forget() noexcept;  // gives the memory back to the kernel until it is used again; what it held is zeros then
  // Freed buffers of 64 KiB and more serve again, 32 MiB of them at most. To the kernel goes what none has needed since the last call, and
  // whatever else of the process's memory is free. A millisecond or so: for now and then.
  static void give_back_unused();

 private:
  struct Free {
    Free() noexcept : mapped(0) {}
    explicit Free(std::size_t size) noexcept : mapped(size) {}
    std::size_t mapped;  // bytes of a mapping; 0: from malloc
    void operator()(std::byte* memory) const noexcept;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

std::string to_hex(ByteView bytes);
std::string to_hex(std::uint64_t value, int digits = 0);  // without leading zeros unless digits asks for them

}  // namespace ccr
