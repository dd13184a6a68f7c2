#include "seed/seed_map.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "seed/seed_plan.h"
#include "storage/log_format.h"

namespace ccr::seed {
namespace {

constexpr std::uint32_t magic = 0x50414d53;  // "SMAP"
constexpr std::uint32_t version = 1;
constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t block_header_bytes = SeedMap::block_bytes - SeedMap::block_payload_bytes;
constexpr std::uint64_t slots_bytes = 2 * SeedMap::block_bytes;

std::uint64_t slot_offset(std::uint64_t index, std::uint64_t sequence) noexcept {
  return index * slots_bytes + sequence % 2 * SeedMap::block_bytes;
}

// The block's number is the seed of its checksum, so a misdirected write never passes.
Digest64 checksum_of(std::uint64_t index, ByteView block) { return digest64(block.subspan(checksum_bytes), index); }

struct BlockHead {
  std::uint32_t found_magic = 0, found_version = 0;
  std::uint64_t tag = 0, sequence = 0, index = 0;
};

void encode_block(const BlockHead& head, ByteView payload, ByteSpan out) {
  CCR_ASSERT(out.size() == SeedMap::block_bytes);
  CCR_ASSERT(payload.size() <= SeedMap::block_payload_bytes);
  Encoder encoder(out.subspan(checksum_bytes));
  encoder.u32(magic);
  encoder.u32(version);
  encoder.u64(head.tag);
  encoder.u64(head.sequence);
  encoder.u64(head.index);
  encoder.zeros(block_header_bytes - checksum_bytes - encoder.written());
  encoder.bytes(payload);
  encoder.zeros(SeedMap::block_payload_bytes - payload.size());
  Encoder(out).u64(checksum_of(head.index, out));
}

std::optional<BlockHead> decode_block(std::uint64_t index, ByteView block) {
  Decoder decoder(block);
  if (decoder.u64() != checksum_of(index, block)) return std::nullopt;
  BlockHead head;
  head.found_magic = decoder.u32();
  head.found_version = decoder.u32();
  head.tag = decoder.u64();
  head.sequence = decoder.u64();
  head.index = decoder.u64();
  if (head.found_magic != magic || head.index != index) return std::nullopt;
  return head;
}

bool served_page_size(std::uint32_t size) noexcept {
  return std::has_single_bit(size) && size >= storage::page_size_min && size <= storage::page_size_max;
}

bool bit_of(const Bytes& bits, std::uint32_t extent) {
  const std::size_t at = extent / 8;
  return at < bits.size() && (bits[at] >> (extent % 8) & std::byte{1}) != std::byte{0};
}

}  // namespace

struct SeedMap::Block {
  std::uint64_t sequence = 0;
  std::uint64_t tag = 0;
  Bytes payload;
};

SeedMap::SeedMap(storage::Disk& disk, std::string directory)
    : disk_(disk), directory_(std::move(directory)), path_(directory_ + "/seed.map"), sequences_(1, 0) {}

std::uint64_t SeedMap::tag() const {
  Bytes identity(48);
  Encoder encoder(identity);
  encoder.u64(pass_.from.generation.number);
  encoder.u64(pass_.from.offset);
  encoder.u64(pass_.from_commit);
  encoder.u64(pass_.page_count);
  encoder.u64(pass_.page_size);
  encoder.u64(pass_number_);
  return digest64(identity);
}

void SeedMap::begin(SeedPassId pass) {
  CCR_ASSERT(pass.from.known());
  CCR_ASSERT(served_page_size(pass.page_size));
  pass_ = pass;
  extents_ = extents_of(pass.page_count, pass.page_size);
  done_ = 0;
  const std::size_t blocks = (std::uint64_t(extents_) + extents_per_block - 1) / extents_per_block;
  bits_.assign(blocks * block_payload_bytes, std::byte{0});
  dirty_.clear();
  sequences_.resize(1);  // the header's goes on, the bits' begin again: blocks of another pass are not valid in this one
  sequences_.resize(1 + blocks, 0);
}

bool SeedMap::done(std::uint32_t extent) const {
  CCR_ASSERT(extent < extents_);
  return bit_of(bits_, extent);
}

bool SeedMap::believed(std::uint32_t extent) const { return settled_at_load_ || bit_of(bits_at_load_, extent); }

void SeedMap::mark(std::uint32_t extent) {
  CCR_ASSERT(extent < extents_);
  CCR_ASSERT(!settled_);
  if (done(extent)) return;
  bits_[extent / 8] |= std::byte{1} << (extent % 8);
  ++done_;
  dirty_.insert(1 + extent / extents_per_block);
}

Task<Result<std::optional<SeedMap::Block>>> SeedMap::read_block(std::uint64_t index, std::optional<std::uint64_t> wanted_tag) {
  Bytes both(slots_bytes);
  const Result<std::size_t> got = co_await file_->read_at(index * slots_bytes, both);
  if (!got.ok()) co_return got.error();
  std::optional<Block> newest;
  for (std::size_t at = 0; at + block_bytes <= *got; at += block_bytes) {
    const ByteView slot = ByteView(both).subspan(at, block_bytes);
    const std::optional<BlockHead> head = decode_block(index, slot);
    if (!head) continue;
    if (head->found_version != version) {
      co_return Error{ErrorKind::unsupported,
                      path_ + ": version " + std::to_string(head->found_version) + ", this build serves " + std::to_string(version),
                      ""};
    }
    if (wanted_tag && head->tag != *wanted_tag) continue;
    if (newest && newest->sequence >= head->sequence) continue;
    const ByteView payload = slot.subspan(block_header_bytes);
    newest = Block{head->sequence, head->tag, Bytes(payload.begin(), payload.end())};
  }
  co_return newest;
}

Task<Result<void>> SeedMap::write_block(std::uint64_t index, ByteView payload) {
  const std::uint64_t sequence = sequences_[index] + 1;
  BlockHead head;
  head.tag = tag();
  head.sequence = sequence;
  head.index = index;
  AlignedBuffer block(block_bytes);
  encode_block(head, payload, block.span());
  sequences_[index] = sequence;
  co_return co_await file_->write_at(slot_offset(index, sequence), block.view());
}

Task<Result<void>> SeedMap::load() {
  CCR_ASSERT(file_ == nullptr);
  Result<std::unique_ptr<storage::File>> file = co_await disk_.open(path_, storage::OpenMode::read_write);
  if (!file.ok()) {
    if (file.error().kind == ErrorKind::not_found) co_return Result<void>();
    co_return file.error();
  }
  file_ = std::move(*file);
  const Result<std::uint64_t> size = co_await file_->size();
  if (!size.ok()) co_return size.error();
  if (*size == 0) co_return Result<void>();  // made, but no pass began: its header is durable before a page is written
  CCR_CO_TRY(co_await load_header());
  if (readable_) CCR_CO_TRY(co_await load_bits());
  settled_at_load_ = settled_;
  bits_at_load_ = bits_;
  co_return Result<void>();
}

Task<Result<void>> SeedMap::load_header() {
  Result<std::optional<Block>> block = co_await read_block(0, std::nullopt);
  if (!block.ok()) co_return block.error();
  settled_ = false;
  readable_ = false;
  if (!*block) co_return Result<void>();
  Decoder decoder((*block)->payload);
  SeedPassId pass;
  pass.from.generation.number = decoder.u64();
  pass.from.offset = decoder.u64();
  pass.from_commit = decoder.u64();
  pass.page_count = decoder.u32();
  pass.page_size = decoder.u32();
  const std::uint64_t number = decoder.u64();
  const bool settled = decoder.u8() != 0;
  counts_.extents_sent = decoder.u64();
  counts_.extents_equal = decoder.u64();
  counts_.wire_bytes = decoder.u64();
  counts_.image_bytes = decoder.u64();
  if (!pass.from.known() || !served_page_size(pass.page_size)) co_return Result<void>();
  pass_number_ = number;
  begin(pass);
  sequences_[0] = (*block)->sequence;
  settled_ = settled;
  readable_ = true;
  co_return Result<void>();
}

Task<Result<void>> SeedMap::load_bits() {
  for (std::uint64_t index = 1; index < sequences_.size(); ++index) {
    const std::optional<std::uint64_t> of_this_pass = tag();
    const Result<std::optional<Block>> block = co_await read_block(index, of_this_pass);
    if (!block.ok()) co_return block.error();
    if (!*block) continue;
    sequences_[index] = (*block)->sequence;
    std::copy((*block)->payload.begin(), (*block)->payload.end(), bits_.begin() + (index - 1) * block_payload_bytes);
  }
  // Bits behind the last extent mean nothing.
  for (std::uint64_t extent = extents_; extent < bits_.size() * 8; ++extent) bits_[extent / 8] &= ~(std::byte{1} << (extent % 8));
  for (const std::byte eight : bits_) done_ += static_cast<std::uint32_t>(std::popcount(std::to_integer<unsigned>(eight)));
  co_return Result<void>();
}

Task<Result<void>> SeedMap::write_header() {
  Bytes payload(128);
  Encoder encoder(payload);
  encoder.u64(pass_.from.generation.number);
  encoder.u64(pass_.from.offset);
  encoder.u64(pass_.from_commit);
  encoder.u32(pass_.page_count);
  encoder.u32(pass_.page_size);
  encoder.u64(pass_number_);
  encoder.u8(settled_ ? 1 : 0);
  encoder.u64(counts_.extents_sent);
  encoder.u64(counts_.extents_equal);
  encoder.u64(counts_.wire_bytes);
  encoder.u64(counts_.image_bytes);
  co_return co_await write_block(0, payload);
}

Task<Result<void>> SeedMap::write_bits() {
  const std::set<std::uint64_t> dirty = std::exchange(dirty_, {});
  for (const std::uint64_t index : dirty) {
    const ByteView payload = ByteView(bits_).subspan((index - 1) * block_payload_bytes, block_payload_bytes);
    CCR_CO_TRY(co_await write_block(index, payload));
  }
  co_return Result<void>();
}

// An unreadable map may hold bits of a pass whose tag the new one would repeat: they go first, and until the new header is durable
// the map stays unreadable, which is the careful reading of it.
Task<Result<void>> SeedMap::reset(SeedPassId pass) {
  if (!file_) {
    Result<std::unique_ptr<storage::File>> file = co_await disk_.open(path_, storage::OpenMode::create);
    if (!file.ok()) co_return file.error();
    file_ = std::move(*file);
    CCR_CO_TRY(co_await disk_.sync_directory(directory_));
  }
  if (!readable_) {
    CCR_CO_TRY(co_await file_->truncate(slots_bytes));
    CCR_CO_TRY(co_await file_->sync());
    readable_ = true;
  }
  ++pass_number_;
  counts_ = {};
  settled_ = false;
  begin(pass);
  CCR_CO_TRY(co_await write_header());
  co_return co_await file_->sync();
}

Task<Result<void>> SeedMap::unsettle() {
  CCR_ASSERT(known());
  if (!settled_) co_return Result<void>();
  settled_ = false;
  CCR_CO_TRY(co_await write_header());
  co_return co_await file_->sync();
}

Task<Result<void>> SeedMap::flush(SeedCounts counts) {
  CCR_ASSERT(known());
  counts_ = counts;
  CCR_CO_TRY(co_await write_bits());
  CCR_CO_TRY(co_await write_header());
  co_return co_await file_->sync();
}

Task<Result<void>> SeedMap::settle(SeedCounts counts) {
  CCR_ASSERT(!settled_);
  settled_ = true;
  co_return co_await flush(counts);
}

}  // namespace ccr::seed
