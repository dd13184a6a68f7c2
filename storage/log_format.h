// The bytes of a generation, format version 1. storage/README.md is the page of this format; encoding and decoding live here only.
//
// A generation is a header block, data blocks and a seal block, each 4096 bytes. Records (commits) are cut into the payloads of data
// blocks and may go on in the next generation; a record counts when its last part is there. Pure: bytes in, facts or Error out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/digest.h"
#include "base/position.h"
#include "base/result.h"

namespace ccr::storage {

inline constexpr std::uint32_t log_format_version = 1;
inline constexpr std::size_t block_bytes = 4096;
inline constexpr std::size_t block_header_bytes = 64;
inline constexpr std::size_t block_payload_max = block_bytes - block_header_bytes;
inline constexpr std::uint64_t generation_bytes_min = 256 * KiB;
inline constexpr std::uint64_t generation_bytes_max = 64 * MiB;
inline constexpr std::uint32_t page_size_min = 512;
inline constexpr std::uint32_t page_size_max = 65536;
static_assert(Position::first_offset == block_bytes);

enum class RecordKind : std::uint8_t {
  commit = 1,       // the images of one transaction
  catch_up = 2,     // what changed while nobody captured; one commit with an event
  base_marker = 3,  // no images: from here on the content is that of the source, and every copy takes the difference
};

// Opaque to the log: where the source stood after this record (a WAL's salts and frame, say), so that log and capture cannot disagree.
using SourceCursor = std::array<std::byte, 64>;

struct RecordHeader {
  static constexpr std::size_t encoded_bytes = 128;
  RecordKind kind = RecordKind::commit;
  CommitNumber number = 0;
  WallTime wall;
  PageNumber page_count = 0;  // length of the database after this record, pages
  std::uint32_t images = 0;   // each: page number (4 bytes), then page_size bytes
  SourceCursor cursor{};
  std::uint64_t body_bytes(std::uint32_t page_size) const noexcept { return std::uint64_t(images) * (4 + page_size); }
  std::uint64_t total_bytes(std::uint32_t page_size) const noexcept { return encoded_bytes + body_bytes(page_size); }
  bool operator==(const RecordHeader&) const = default;
};

// A record that began in an earlier generation and goes on in this one. When this generation's block 1 begins a record at payload
// offset 0 all the same, the carried one was abandoned by a crash: it never counted, and its number is used again.
struct CarriedRecord {
  RecordHeader header;
  Position start;                  // canonical, of its first byte
  std::uint64_t bytes_before = 0;  // of the record, in earlier generations; its header is always among them
  bool operator==(const CarriedRecord&) const = default;
};

struct GenerationHeader {
  Signature signature;
  Epoch epoch = 0;
  Generation generation;
  Digest128 previous;          // of the whole file before, header and seal included; zeros in generation 1
  WallTime created;
  std::uint32_t page_size = 0;
  std::uint64_t generation_bytes = 0;  // the configured length; a generation sealed early is shorter
  CommitNumber first_commit = 0;       // of the first record that begins here or later: last_record + 1, + 1 more when one is carried
  std::optional<RecordHeader> last_record;  // the last that ended before this generation, so that a restart needs no older file
  std::optional<CarriedRecord> carried;
  bool operator==(const GenerationHeader&) const = default;
};

// One data block: where it stands, what was known durable when it was written, and its share of the record stream.
struct Block {
  static constexpr std::uint16_t none = 0xffff;
  std::uint32_t number = 0;         // offset / block_bytes; 0 is the header, 1 the first data block
  Position durable;                 // proven durable on the writer when this block was written
  std::uint16_t first_record = none;  // payload offset at which the first record of this block begins
  ByteView payload;                 // used bytes; the rest of the block is zeros. A record ends with its last byte, what follows in the
                                    // same payload is the next record
};

// The last block of a sealed generation.
struct Seal {
  std::uint32_t number = 0;  // block number of the seal = data blocks + 1
  Digest128 content;         // of every byte before the seal block
  CommitNumber last_commit = 0;  // last record that ended before the seal; 0: none yet, or nobody told the writer its root since a restart
  Digest64 root = 0;             // root after last_commit
  std::uint32_t page_count = 0;  // pages after last_commit
};

// Each encode fills exactly block_bytes (or RecordHeader::encoded_bytes). Each decode checks signature, place and checksum before
// it believes a byte, and answers corrupt, identity (another signature) or unsupported (a newer version) with what was expected.
void encode_generation_header(const GenerationHeader& header, ByteSpan out);
Result<GenerationHeader> decode_generation_header(ByteView block);

// `generation` is mixed into the checksum, so that a stale block of a recycled file never passes.
void encode_block(const Signature& signature, Generation generation, const Block& block, ByteSpan out);
Result<Block> decode_block(const Signature& signature, Generation generation, std::uint32_t number, ByteView block);  // payload views `block`

void encode_seal(const Signature& signature, Generation generation, const Seal& seal, ByteSpan out);
Result<Seal> decode_seal(const Signature& signature, Generation generation, std::uint32_t number, ByteView block);
bool is_seal(ByteView block) noexcept;  // by its magic alone; decode_seal proves it
bool is_zero(ByteView bytes) noexcept;  // the preallocated rest of an open file
// Data block or seal `number` of a lower generation of this log, whole: the rest of an open file that served that one before.
bool is_left_over(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) noexcept;

// What the first 8 bytes of a data block or a seal must hold: XXH3-64 of the other 4088, seeded by the place.
Digest64 block_checksum(const Signature& signature, Generation generation, std::uint32_t number, ByteView block) noexcept;

// Blocks 1 .. data_blocks_max may hold data; the seal takes at most the last block of generation_bytes.
constexpr std::uint32_t data_blocks_max(std::uint64_t generation_bytes) noexcept { return std::uint32_t(generation_bytes / block_bytes - 2); }

// The canonical position of a record whose first byte is payload byte `at` of data block `number`: the block's boundary for byte 0.
constexpr Position position_in_block(Generation generation, std::uint32_t number, std::size_t at) noexcept {
  return {generation, std::uint64_t(number) * block_bytes + (at == 0 ? 0 : block_header_bytes + at)};
}

// Whole blocks are shipped: where a record that a crash abandoned began inside a block, a copy rightly has that block to its end.
constexpr Position end_of_block(Position at) noexcept { return {at.generation, (at.offset + block_bytes - 1) / block_bytes * block_bytes}; }

void encode_record_header(const RecordHeader& header, ByteSpan out);
Result<RecordHeader> decode_record_header(ByteView bytes, std::uint32_t page_size);

// Names. The open generation of an active copy is current.log; on a passive node it lies under incoming/ with its number.
std::string sealed_name(Generation generation);                     // 00000000000001a3.log
std::optional<Generation> generation_of_name(std::string_view name);  // nullopt for any other file
bool valid_page_size(std::uint64_t size) noexcept;                  // a power of two, 512..65536
bool valid_generation_bytes(std::uint64_t size) noexcept;           // a power of two, 256 KiB..64 MiB

}  // namespace ccr::storage
