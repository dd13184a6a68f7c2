#include <algorithm>

#include "storage/log_format.h"

namespace ccr::storage {
namespace {

constexpr std::uint32_t record_magic = 0x72726363;  // "ccrr"
constexpr std::size_t record_checksum_bytes = 8;
constexpr std::size_t number_digits = 16;
constexpr std::string_view suffix = ".log";

// A header may straddle blocks, so no block's checksum covers it whole; the magic as seed keeps it apart from other digests.
Digest64 record_checksum(ByteView bytes) noexcept { return digest64(bytes.subspan(record_checksum_bytes), record_magic); }

Error corrupt_record(const std::string& message) { return {ErrorKind::corrupt, "record header: " + message, ""}; }

bool known_kind(std::uint8_t kind) {
  return kind >= static_cast<std::uint8_t>(RecordKind::commit) && kind <= static_cast<std::uint8_t>(RecordKind::base_marker);
}

}  // namespace

void encode_record_header(const RecordHeader& header, ByteSpan out) {
  CCR_ASSERT(out.size() == RecordHeader::encoded_bytes && header.number != 0);
  CCR_ASSERT(header.kind != RecordKind::base_marker || header.images == 0);
  Encoder to(out);
  to.u64(0);
  to.u32(record_magic);
  to.u8(static_cast<std::uint8_t>(header.kind));
  to.zeros(3);
  to.u64(header.number);
  to.u64(static_cast<std::uint64_t>(header.wall.nanoseconds));
  to.u32(header.page_count);
  to.u32(header.images);
  to.bytes(header.cursor);
  to.zeros(RecordHeader::encoded_bytes - to.written());
  Encoder checksum(out.first(record_checksum_bytes));
  checksum.u64(record_checksum(out));
}

Result<RecordHeader> decode_record_header(ByteView bytes, std::uint32_t page_size) {
  CCR_ASSERT(bytes.size() == RecordHeader::encoded_bytes && valid_page_size(page_size));
  Decoder in(bytes);
  const Digest64 checksum = in.u64();
  const std::uint32_t magic = in.u32();
  if (magic != record_magic) return corrupt_record("magic " + to_hex(magic, 8) + " (expected " + to_hex(record_magic, 8) + ")");
  if (checksum != record_checksum(bytes))
    return corrupt_record("checksum " + to_hex(checksum, 16) + " (expected " + to_hex(record_checksum(bytes), 16) + ")");
  const std::uint8_t kind = in.u8();
  const ByteView reserved = in.bytes(3);
  RecordHeader header;
  header.kind = static_cast<RecordKind>(kind);
  header.number = in.u64();
  header.wall.nanoseconds = static_cast<std::int64_t>(in.u64());
  header.page_count = in.u32();
  header.images = in.u32();
  const ByteView cursor = in.bytes(header.cursor.size());
  std::copy(cursor.begin(), cursor.end(), header.cursor.begin());
  if (!known_kind(kind)) return corrupt_record("kind " + std::to_string(kind));
  if (!is_zero(reserved) || !is_zero(in.bytes(in.remaining()))) return corrupt_record("reserved bytes are not zero");
  if (header.number == 0) return corrupt_record("number 0");
  if (header.kind == RecordKind::base_marker && header.images != 0)
    return corrupt_record("a base marker with " + std::to_string(header.images) + " images");
  return header;
}

std::string sealed_name(Generation generation) { return to_hex(generation.number, number_digits) + std::string(suffix); }

std::optional<Generation> generation_of_name(std::string_view name) {
  if (name.size() != number_digits + suffix.size() || name.substr(number_digits) != suffix) return std::nullopt;
  Generation generation;
  for (const char digit : name.substr(0, number_digits)) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && !(digit >= 'a' && digit <= 'f')) return std::nullopt;
    generation.number = generation.number * 16 + static_cast<std::uint64_t>(decimal ? digit - '0' : digit - 'a' + 10);
  }
  if (generation.number == 0) return std::nullopt;
  return generation;
}

}  // namespace ccr::storage
