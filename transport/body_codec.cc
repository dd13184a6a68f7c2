#include "transport/body_codec.h"

#include <algorithm>

#include "transport/messages.h"

namespace ccr::transport {
namespace {

constexpr std::uint64_t generation_number_limit = std::uint64_t{1} << 63;

// The length of the printable UTF-8 character at the front of `text`, or 0 where there is none (RFC 3629, table 3-7 of Unicode).
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    const bool control = lead == 0xc2 && byte(1) < 0xa0;  // U+0080..U+009F
    return follows(1) && !control ? 2 : 0;
  }
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
    const bool separator = lead == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9);  // line and paragraph separator
    return follows(1) && follows(2) && !overlong && !surrogate && !separator ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && byte(1) < 0x90;
    const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

template <class Write>
void extend(Bytes& out, std::size_t bytes, Write write) {
  const std::size_t at = out.size();
  out.resize(at + bytes);
  Encoder encoder(ByteSpan(out).subspan(at));
  write(encoder);
}

}  // namespace

bool is_clean(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string cleaned(std::string_view text, std::size_t bytes_max) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    const std::size_t taken = std::max<std::size_t>(bytes, 1);
    if (clean.size() + taken > bytes_max) break;
    if (bytes == 0) {
      clean += ' ';
    } else {
      clean += text.substr(0, bytes);
    }
    text.remove_prefix(taken);
  }
  return clean;
}

void BodyWriter::u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
void BodyWriter::u16(std::uint16_t value) {
  extend(out_, 2, [value](Encoder& out) { out.u16(value); });
}
void BodyWriter::u32(std::uint32_t value) {
  extend(out_, 4, [value](Encoder& out) { out.u32(value); });
}
void BodyWriter::u64(std::uint64_t value) {
  extend(out_, 8, [value](Encoder& out) { out.u64(value); });
}

void BodyWriter::name(const std::string& value) {
  CCR_ASSERT(value.size() <= name_bytes_max);
  CCR_ASSERT(is_clean(value));
  u8(static_cast<std::uint8_t>(value.size()));
  append(as_bytes(value));
}

void BodyWriter::text(const std::string& value) {
  const std::string clean = cleaned(value, text_bytes_max);
  u16(static_cast<std::uint16_t>(clean.size()));
  append(as_bytes(clean));
}

void BodyWriter::position(Position value) {
  u64(value.generation.number);
  u64(value.offset);
}

void BodyWriter::digests(const std::vector<Digest64>& values, std::size_t count_max) {
  CCR_ASSERT(values.size() <= count_max);
  u32(static_cast<std::uint32_t>(values.size()));
  extend(out_, values.size() * sizeof(Digest64), [&values](Encoder& out) {
    for (const Digest64 value : values) out.u64(value);
  });
}

void BodyWriter::mask(const Bytes& value, std::size_t bytes_max) {
  CCR_ASSERT(value.size() <= bytes_max);
  u16(static_cast<std::uint16_t>(value.size()));
  append(value);
}

void BodyReader::fault(std::string what) {
  if (ok()) fault_ = std::move(what);
  skip_rest();
}

void BodyReader::flag(bool& value) {
  const std::uint8_t byte = in_.u8();
  require(byte <= 1, "a flag that is neither 0 nor 1");
  value = byte == 1;
}

void BodyReader::zeros(std::size_t count) {
  const ByteView bytes = in_.bytes(count);
  require(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; }), "reserved bytes are in use");
}

void BodyReader::line(std::string& value, std::size_t bytes, std::size_t bytes_max) {
  if (bytes > bytes_max)
    return fault("a text of " + std::to_string(bytes) + " bytes, at most " + std::to_string(bytes_max) + " are allowed");
  value = to_text(in_.bytes(bytes));
  require(is_clean(value), "a text that is not UTF-8 on one line");
}

void BodyReader::name(std::string& value) { line(value, in_.u8(), name_bytes_max); }
void BodyReader::text(std::string& value) { line(value, in_.u16(), text_bytes_max); }

void BodyReader::array(std::array<std::byte, 16>& value) {
  const ByteView bytes = in_.bytes(value.size());
  std::copy(bytes.begin(), bytes.end(), value.begin());
}

void BodyReader::generation(Generation& value) {
  value.number = in_.u64();
  require(value.number < generation_number_limit, "a generation number of 2^63 or above");
}

void BodyReader::position(Position& value) {
  generation(value.generation);
  value.offset = in_.u64();
}

void BodyReader::digests(std::vector<Digest64>& values, std::size_t count_max) {
  const std::size_t count = in_.u32();
  if (count > count_max)
    return fault("a list of " + std::to_string(count) + ", at most " + std::to_string(count_max) + " are allowed");
  const ByteView bytes = in_.bytes(count * sizeof(Digest64));
  if (!in_.ok()) return;
  Decoder decoder(bytes);
  values.reserve(count);
  while (decoder.remaining() > 0) values.push_back(decoder.u64());
}

void BodyReader::mask(Bytes& value, std::size_t bytes_max) {
  const std::size_t count = in_.u16();
  if (count > bytes_max)
    return fault("a mask of " + std::to_string(count) + " bytes, at most " + std::to_string(bytes_max) + " are allowed");
  const ByteView bytes = in_.bytes(count);
  value.assign(bytes.begin(), bytes.end());
}

std::string BodyReader::verdict() const {
  if (!fault_.empty()) return fault_;
  if (!in_.ok()) return "it ends early";
  if (in_.remaining() != 0) return std::to_string(in_.remaining()) + " bytes too many";
  return "";
}

}  // namespace ccr::transport
