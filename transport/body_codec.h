// The field types of message bodies: one writer, one reader, with the same method names, so that each message lists its fields once
// and cannot be written one way and read another.
//
// Integers are little endian. A name is a length byte and at most name_bytes_max bytes, a text a 16-bit length and at most
// text_bytes_max. Both are UTF-8 on one line: they end in status lines, JSON and terminals. A list of digests is a 32-bit count and
// the digests; the count is held against the limit and against the bytes that are there before room is made. A generation is below
// 2^63, so that the ones around it can be counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/position.h"

namespace ccr::transport {

// UTF-8 without control characters.
bool is_clean(std::string_view text) noexcept;
// `text` with every byte that is_clean() would refuse replaced, cut to `bytes_max` between two characters.
std::string cleaned(std::string_view text, std::size_t bytes_max);

class BodyWriter {
 public:
  template <class Message>
  using Ref = const Message&;
  static constexpr bool reads = false;

  void u8(std::uint8_t value);
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void flag(bool value) { u8(value ? 1 : 0); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }
  void name(const std::string& value);
  void text(const std::string& value);  // cleaned and cut: a long cause must not stop a node
  void digest(const Digest128& value) { append(value.bytes); }
  void signature(const Signature& value) { append(value.bytes); }
  void generation(Generation value) { u64(value.number); }
  void position(Position value);
  void wall(WallTime value) { u64(static_cast<std::uint64_t>(value.nanoseconds)); }
  void digests(const std::vector<Digest64>& values, std::size_t count_max);
  void mask(const Bytes& value, std::size_t bytes_max);
  template <class Enum>
  void word(Enum value, Enum /*last*/) {
    u8(static_cast<std::uint8_t>(value));
  }
  void tail(ByteView) {}                                        // a piece of its own, behind all fields
  void require(bool holds, const char*) { CCR_ASSERT(holds); }  // the sender keeps the rules
  void skip_rest() {}
  bool ok() const noexcept { return true; }

  void append(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

// Reads what a peer wrote. The first fault is kept; nothing behind it is read.
class BodyReader {
 public:
  template <class Message>
  using Ref = Message&;
  static constexpr bool reads = true;

  explicit BodyReader(ByteView body) : in_(body) {}

  void u8(std::uint8_t& value) { value = in_.u8(); }
  void u16(std::uint16_t& value) { value = in_.u16(); }
  void u32(std::uint32_t& value) { value = in_.u32(); }
  void u64(std::uint64_t& value) { value = in_.u64(); }
  void flag(bool& value);
  void zeros(std::size_t count);
  void name(std::string& value);
  void text(std::string& value);
  void digest(Digest128& value) { array(value.bytes); }
  void signature(Signature& value) { array(value.bytes); }
  void generation(Generation& value);
  void position(Position& value);
  void wall(WallTime& value) { value.nanoseconds = static_cast<std::int64_t>(in_.u64()); }
  void digests(std::vector<Digest64>& values, std::size_t count_max);
  void mask(Bytes& value, std::size_t bytes_max);
  // The enums of the protocol are numbered from 1 without a hole.
  template <class Enum>
  void word(Enum& value, Enum last) {
    const std::uint8_t number = in_.u8();
    if (number == 0 || number > static_cast<std::uint8_t>(last)) return fault("an unknown value " + std::to_string(number));
    value = static_cast<Enum>(number);
  }
  void tail(ByteView& value) { value = in_.bytes(in_.remaining()); }

  // A rule between fields that does not hold.
  void require(bool holds, const char* rule) {
    if (!holds) fault(rule);
  }
  void skip_rest() { in_.bytes(in_.remaining()); }
  // What is wrong with the body, or empty: the first fault, else an early end, else trailing bytes.
  std::string verdict() const;
  bool ok() const noexcept { return in_.ok() && fault_.empty(); }
  std::size_t remaining() const noexcept { return in_.remaining(); }

 private:
  void fault(std::string what);
  void array(std::array<std::byte, 16>& value);
  void line(std::string& value, std::size_t bytes, std::size_t bytes_max);

  Decoder in_;
  std::string fault_;
};

}  // namespace ccr::transport
