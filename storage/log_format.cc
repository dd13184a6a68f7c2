#include "storage/log_format.h"

#include <bit>

namespace ccr::storage {
namespace {

// Four letters, little endian, so that a hexdump shows them.
constexpr std::uint32_t header_magic = 0x67726363;  // "ccrg"
constexpr std::uint32_t block_magic = 0x62726363;   // "ccrb"
constexpr std::uint32_t seal_magic = 0x73726363;    // "ccrs"
constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t magic_offset = checksum_bytes;

// Generation headers carry signature and number in clear, so nothing is mixed into their checksum but what they are.
constexpr std::uint64_t header_seed = header_magic;

Error corrupt(std::string message) { return {ErrorKind::corrupt, std::move(message), ""}; }

std::string block_text(Generation generation, std::uint32_t number) {
  return "generation " + to_text(generation) + " block " + std::to_string(number);
}

std::uint64_t read_u64(ByteView bytes, std::size_t at) {
  Decoder in(bytes.subspan(at));
  return in.u64();
}

void put_checksum(ByteSpan block, Digest64 checksum) {
  Encoder out(block.first(checksum_bytes));
  out.u64(checksum);
}

Result<void> check_magic(ByteView block, std::uint32_t expected) {
  Decoder in(block.subspan(magic_offset));
  const std::uint32_t found = in.u32();
  if (found == expected) return {};
  return corrupt("magic " + to_hex(found, 8) + " (expected " + to_hex(expected, 8) + ")");
}

Result<void> check_checksum(ByteView block, Digest64 expected) {
  const Digest64 found = read_u64(block, 0);
  if (found == expected) return {};
  return corrupt("checksum " + to_hex(found, 16) + " (expected " + to_hex(expected, 16) + ")");
}

// The place is in the checksum already; a block that passes it with another place in clear is a block of a broken writer.
Result<void> check_place(Decoder& in, Generation generation, std::uint32_t number) {
  const std::uint32_t found_number = in.u32();
  const Generation found_generation{in.u64()};
  if (found_number == number && found_generation == generation) return {};
  return corrupt("holds " + block_text(found_generation, found_number));
}

Result<void> check_zero_rest(ByteView rest) {
  if (is_zero(rest)) return {};
  return corrupt("bytes behind its end are not zero");
}

void encode_optional_record(Encoder& out, const RecordHeader* record) {
  std::array<std::byte, RecordHeader::encoded_bytes> bytes{};
  if (record != nullptr) encode_record_header(*record, bytes);
  out.bytes(bytes);
}

Result<void> check_header_facts(const GenerationHeader& header) {
  if (header.generation.number == 0) return corrupt("number 0");
  if (!header.signature.known()) return corrupt("no signature");
  if (!valid_page_size(header.page_size)) return corrupt("page size " + std::to_string(header.page_size));
  if (!valid_generation_bytes(header.generation_bytes)) return corrupt("length " + std::to_string(header.generation_bytes));
  const bool first = header.generation.number == 1;
  if (first && header.previous != Digest128{}) return corrupt("the first one has a digest of a generation before it");
  if (first && (header.carried || header.last_record)) return corrupt("the first one names a record before it");
  const CommitNumber last = header.last_record ? header.last_record->number : 0;
  const CommitNumber first_commit = last + 1 + (header.carried ? 1 : 0);
  if (header.first_commit != first_commit)
    return corrupt("first commit " + std::to_string(header.first_commit) + " (expected " + std::to_string(first_commit) + ")");
  if (header.carried) {
    const CarriedRecord& carried = *header.carried;
    if (carried.header.number != last + 1) return corrupt("carries commit " + std::to_string(carried.header.number));
    const std::uint64_t total = carried.header.total_bytes(header.page_size);
    if (carried.start.generation >= header.generation || carried.start.offset < Position::first_offset)
      return corrupt("carries a record from " + to_text(carried.start));
    if (carried.bytes_before < RecordHeader::encoded_bytes || carried.bytes_before >= total)
      return corrupt("carries a record of " + std::to_string(total) + " bytes, " + std::to_string(carried.bytes_before) + " before it");
  }
  return {};
}

// The part from offset 96 on: what the record stream stood at when this generation began.
Result<void> decode_record_state(Decoder& in, GenerationHeader& header) {
  const std::uint8_t has_last = in.u8();
  const std::uint8_t has_carried = in.u8();
  const ByteView reserved = in.bytes(6);
  CarriedRecord carried;
  carried.start.generation.number = in.u64();
  carried.start.offset = in.u64();
  carried.bytes_before = in.u64();
  const ByteView last_bytes = in.bytes(RecordHeader::encoded_bytes);
  const ByteView carried_bytes = in.bytes(RecordHeader::encoded_bytes);
  if (has_last > 1 || has_carried > 1 || !is_zero(reserved)) return corrupt("unknown flags");
  if (has_last == 1) {
    Result<RecordHeader> last = decode_record_header(last_bytes, header.page_size);
    if (!last.ok()) return last.error().within("last record");
    header.last_record = *last;
  } else if (!is_zero(last_bytes)) {
    return corrupt("a last record without its flag");
  }
  if (has_carried == 1) {
    Result<RecordHeader> record = decode_record_header(carried_bytes, header.page_size);
    if (!record.ok()) return record.error().within("carried record");
    carried.header = *record;
    header.carried = carried;
  } else if (!is_zero(carried_bytes) || carried.start != Position{} || carried.bytes_before != 0) {
    return corrupt("a carried record without its flag");
  }
  return {};
}

Result<GenerationHeader> header_in(ByteView block) {
  CCR_TRY(check_magic(block, header_magic));
  CCR_TRY(check_checksum(block, digest64(block.subspan(checksum_bytes), header_seed)));
  Decoder in(block.subspan(magic_offset + 4));
  const std::uint32_t version = in.u32();
  if (version != log_format_version) {
    return Error{ErrorKind::unsupported, "format version " + std::to_string(version) + " (this build reads " +
                 std::to_string(log_format_version) + ")", "use a newer ccr"};
  }
  GenerationHeader header;
  header.generation.number = in.u64();
  const ByteView signature = in.bytes(header.signature.bytes.size());
  std::memcpy(header.signature.bytes.data(), signature.data(), signature.size());
  header.epoch = in.u64();
  const ByteView previous = in.bytes(header.previous.bytes.size());
  std::memcpy(header.previous.bytes.data(), previous.data(), previous.size());
  header.created.nanoseconds = static_cast<std::int64_t>(in.u64());
  header.page_size = in.u32();
  const std::uint32_t reserved = in.u32();
  header.generation_bytes = in.u64();
  header.first_commit = in.u64();
  if (!valid_page_size(header.page_size)) return corrupt("page size " + std::to_string(header.page_size));
  if (reserved != 0) return corrupt("unknown flags");
  CCR_TRY(decode_record_state(in, header));
  CCR_ASSERT(in.ok());
  CCR_TRY(check_zero_rest(in.bytes(in.remaining())));
  CCR_TRY(check_header_facts(header));
  return header;
}

Result<Block> block_in(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) {
  CCR_TRY(check_magic(block, block_magic));
  CCR_TRY(check_checksum(block, block_checksum(signature, generation, number, block)));
  Decoder in(block.subspan(magic_offset + 4));
  CCR_TRY(check_place(in, generation, number));
  Block decoded;
  decoded.number = number;
  decoded.durable.generation.number = in.u64();
  decoded.durable.offset = in.u64();
  decoded.first_record = in.u16();
  const std::uint16_t used = in.u16();
  CCR_TRY(check_zero_rest(in.bytes(block_header_bytes - (block.size() - in.remaining()))));
  if (used == 0 || used > block_payload_max) return corrupt("payload of " + std::to_string(used) + " bytes");
  if (decoded.first_record != Block::none && decoded.first_record >= used)
    return corrupt("first record at " + std::to_string(decoded.first_record) + " of " + std::to_string(used) + " bytes");
  const Position end = position_in_block(generation, number, 0);
  if (decoded.durable > end) return corrupt("durable position " + to_text(decoded.durable) + " lies behind the block");
  decoded.payload = block.subspan(block_header_bytes, used);
  CCR_TRY(check_zero_rest(block.subspan(block_header_bytes + used)));
  return decoded;
}

Result<Seal> seal_in(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) {
  CCR_TRY(check_magic(block, seal_magic));
  CCR_TRY(check_checksum(block, block_checksum(signature, generation, number, block)));
  Decoder in(block.subspan(magic_offset + 4));
  CCR_TRY(check_place(in, generation, number));
  Seal seal;
  seal.number = number;
  const ByteView content = in.bytes(seal.content.bytes.size());
  std::memcpy(seal.content.bytes.data(), content.data(), content.size());
  seal.last_commit = in.u64();
  seal.root = in.u64();
  seal.page_count = in.u32();
  CCR_TRY(check_zero_rest(in.bytes(in.remaining())));
  return seal;
}

}  // namespace

bool is_zero(ByteView bytes) noexcept {
  return bytes.empty() || (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

bool valid_page_size(std::uint64_t size) noexcept { return std::has_single_bit(size) && size >= page_size_min && size <= page_size_max; }

bool valid_generation_bytes(std::uint64_t size) noexcept {
  return std::has_single_bit(size) && size >= generation_bytes_min && size <= generation_bytes_max;
}

Digest64 block_checksum(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) noexcept {
  std::array<std::byte, 28> place;
  Encoder out(place);
  out.bytes(signature.bytes);
  out.u64(generation.number);
  out.u32(number);
  return digest64(block.subspan(checksum_bytes), digest64(place));
}

bool is_left_over(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) noexcept {
  CCR_ASSERT(block.size() == block_bytes);
  Decoder in(block);
  const Digest64 checksum = in.u64();
  const std::uint32_t magic = in.u32();
  if ((magic != block_magic && magic != seal_magic) || in.u32() != number) return false;
  const Generation found{in.u64()};
  return found.number != 0 && found < generation && checksum == block_checksum(signature, found, number, block);
}

void encode_generation_header(const GenerationHeader& header, ByteSpan out) {
  CCR_ASSERT(out.size() == block_bytes);
  CCR_ASSERT(header.generation.number != 0 && header.signature.known());
  CCR_ASSERT(valid_page_size(header.page_size) && valid_generation_bytes(header.generation_bytes));
  Encoder to(out);
  to.u64(0);
  to.u32(header_magic);
  to.u32(log_format_version);
  to.u64(header.generation.number);
  to.bytes(header.signature.bytes);
  to.u64(header.epoch);
  to.bytes(header.previous.bytes);
  to.u64(static_cast<std::uint64_t>(header.created.nanoseconds));
  to.u32(header.page_size);
  to.u32(0);
  to.u64(header.generation_bytes);
  to.u64(header.first_commit);
  to.u8(header.last_record ? 1 : 0);
  to.u8(header.carried ? 1 : 0);
  to.zeros(6);
  const CarriedRecord carried = header.carried.value_or(CarriedRecord{});
  to.u64(carried.start.generation.number);
  to.u64(carried.start.offset);
  to.u64(carried.bytes_before);
  encode_optional_record(to, header.last_record ? &*header.last_record : nullptr);
  encode_optional_record(to, header.carried ? &carried.header : nullptr);
  to.zeros(block_bytes - to.written());
  put_checksum(out, digest64(ByteView(out).subspan(checksum_bytes), header_seed));
}

void encode_block(const Signature& signature, Generation generation, const Block& block, ByteSpan out) {
  CCR_ASSERT(out.size() == block_bytes && block.number != 0);
  CCR_ASSERT(!block.payload.empty() && block.payload.size() <= block_payload_max);
  // The writer fills the payload in place; memmove allows that and any other overlap.
  std::memmove(out.data() + block_header_bytes, block.payload.data(), block.payload.size());
  const std::size_t used = block.payload.size();
  Encoder to(out.first(block_header_bytes));
  to.u64(0);
  to.u32(block_magic);
  to.u32(block.number);
  to.u64(generation.number);
  to.u64(block.durable.generation.number);
  to.u64(block.durable.offset);
  to.u16(block.first_record);
  to.u16(static_cast<std::uint16_t>(used));
  to.zeros(block_header_bytes - to.written());
  std::memset(out.data() + block_header_bytes + used, 0, block_payload_max - used);
  put_checksum(out, block_checksum(signature, generation, block.number, out));
}

void encode_seal(const Signature& signature, Generation generation, const Seal& seal, ByteSpan out) {
  CCR_ASSERT(out.size() == block_bytes && seal.number != 0);
  Encoder to(out);
  to.u64(0);
  to.u32(seal_magic);
  to.u32(seal.number);
  to.u64(generation.number);
  to.bytes(seal.content.bytes);
  to.u64(seal.last_commit);
  to.u64(seal.root);
  to.u32(seal.page_count);
  to.zeros(block_bytes - to.written());
  put_checksum(out, block_checksum(signature, generation, seal.number, out));
}

Result<GenerationHeader> decode_generation_header(ByteView block) {
  CCR_ASSERT(block.size() == block_bytes);
  Result<GenerationHeader> header = header_in(block);
  if (!header.ok()) return header.error().within("generation header");
  return header;
}

Result<Block> decode_block(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) {
  CCR_ASSERT(block.size() == block_bytes);
  Result<Block> decoded = block_in(signature, generation, number, block);
  if (!decoded.ok()) return decoded.error().within(block_text(generation, number));
  return decoded;
}

Result<Seal> decode_seal(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) {
  CCR_ASSERT(block.size() == block_bytes);
  Result<Seal> seal = seal_in(signature, generation, number, block);
  if (!seal.ok()) return seal.error().within(block_text(generation, number) + " (seal)");
  return seal;
}

bool is_seal(ByteView block) noexcept {
  if (block.size() != block_bytes) return false;
  Decoder in(block.subspan(magic_offset));
  return in.u32() == seal_magic;
}

}  // namespace ccr::storage
