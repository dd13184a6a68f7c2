#include "storage/record_scan.h"

#include <algorithm>

namespace ccr::storage {
namespace {

Error corrupt_at(Generation generation, std::uint32_t block, const std::string& message) {
  return {ErrorKind::corrupt, "generation " + to_text(generation) + " block " + std::to_string(block) + ": " + message, ""};
}

std::string offset_text(std::uint16_t at) { return at == Block::none ? "none" : std::to_string(at); }

}  // namespace

RecordScan::RecordScan(const GenerationHeader& header)
    : generation_(header.generation), page_size_(header.page_size), blocks_max_(data_blocks_max(header.generation_bytes)),
      last_number_(header.last_record ? header.last_record->number : 0), last_(header.last_record) {
  if (header.carried) set_pending(*header.carried);
}

RecordScan::RecordScan(const GenerationHeader& header, Position from)
    : generation_(header.generation), page_size_(header.page_size), blocks_max_(data_blocks_max(header.generation_bytes)),
      next_block_(static_cast<std::uint32_t>(from.offset / block_bytes)) {
  CCR_ASSERT(from.generation == header.generation && from.offset >= Position::first_offset);
  const std::size_t inside = from.offset % block_bytes;
  CCR_ASSERT(inside == 0 || inside > block_header_bytes);
  start_at_ = inside == 0 ? 0 : inside - block_header_bytes;
  if (from.offset != Position::first_offset) return;
  last_ = header.last_record;
  last_number_ = last_ ? last_->number : 0;
}

void RecordScan::set_pending(const CarriedRecord& carried) {
  Pending pending;
  pending.start = carried.start;
  pending.taken = carried.bytes_before;
  pending.header = carried.header;
  pending_ = pending;
}

Position RecordScan::position() const noexcept {
  if (pending_) return pending_->start;
  if (sealed_) return Position::start_of(generation_.next());
  return position_in_block(generation_, next_block_, start_at_);
}

Result<void> RecordScan::pass_seal() {
  CCR_ASSERT(!sealed_);
  if (pending_ && !pending_->header) return corrupt_at(generation_, next_block_, "the seal stands inside a record's header");
  sealed_ = true;
  return {};
}

std::optional<CarriedRecord> RecordScan::carried() const {
  if (!pending_) return std::nullopt;
  CCR_ASSERT(pending_->header.has_value());
  return CarriedRecord{*pending_->header, pending_->start, pending_->taken};
}

Result<void> RecordScan::enter(const GenerationHeader& next) {
  CCR_ASSERT(sealed_ && next.generation == generation_.next());
  if (pending_.has_value() != next.carried.has_value())
    return corrupt_at(next.generation, 0, pending_ ? "carries no record, but one goes on" : "carries a record, but none goes on");
  if (pending_ && *next.carried != *carried())
    return corrupt_at(next.generation, 0, "carries a record from " + to_text(next.carried->start) + " with " +
                   std::to_string(next.carried->bytes_before) + " bytes before it (expected " + to_text(pending_->start) + ", " +
                   std::to_string(pending_->taken) + ", and the same header)");
  if (last_number_ && next.last_record != last_) {
    const std::string found = next.last_record ? std::to_string(next.last_record->number) : "none";
    return corrupt_at(next.generation, 0, "last record " + found + " (expected " + std::to_string(*last_number_) + ")");
  }
  const std::uint64_t begun = begun_, abandoned = abandoned_;
  *this = RecordScan(next);
  begun_ = begun;
  abandoned_ = abandoned;
  return {};
}

Result<std::size_t> RecordScan::take_header(ByteView bytes, std::vector<RecordHeader>* begun) {
  Pending& record = *pending_;
  const std::size_t have = static_cast<std::size_t>(record.taken);
  const std::size_t count = std::min(bytes.size(), RecordHeader::encoded_bytes - have);
  std::copy_n(bytes.begin(), count, record.header_bytes.begin() + have);
  record.taken += count;
  if (record.taken < RecordHeader::encoded_bytes) return count;
  Result<RecordHeader> header = decode_record_header(record.header_bytes, page_size_);
  if (!header.ok()) return corrupt_at(generation_, next_block_, header.error().message);
  if (last_number_ && header->number != *last_number_ + 1)
    return corrupt_at(generation_, next_block_, "commit " + std::to_string(header->number) + " (expected " + std::to_string(*last_number_ + 1) + ")");
  record.header = *header;
  if (begun != nullptr) begun->push_back(*record.header);
  return count;
}

// Takes bytes of the pending record, at most to its end.
Result<std::size_t> RecordScan::take(ByteView bytes, std::vector<RecordHeader>* begun) {
  std::size_t count = 0;
  if (pending_->taken < RecordHeader::encoded_bytes) {
    Result<std::size_t> header = take_header(bytes, begun);
    if (!header.ok()) return header;
    count = *header;
  }
  if (pending_->taken < RecordHeader::encoded_bytes) return count;
  const std::uint64_t left = pending_->header->total_bytes(page_size_) - pending_->taken;
  const std::size_t body = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size() - count));
  pending_->taken += body;
  if (body == left) {
    last_ = pending_->header;
    last_number_ = last_->number;
    pending_.reset();
  }
  return count + body;
}

// The bytes with which a block goes on with the record of the block before it.
Result<std::size_t> RecordScan::take_carried(const Block& block, std::vector<RecordHeader>* begun) {
  if (!pending_) return std::size_t{0};
  if (block.first_record == 0) {
    if (block.number != 1) return corrupt_at(generation_, block.number, "begins a record where another goes on");
    pending_.reset();  // a crash abandoned it
    ++abandoned_;
    return std::size_t{0};
  }
  return take(block.payload, begun);
}

Result<void> RecordScan::begin_at(const Block& block, std::size_t at, bool first) {
  if (first && block.first_record != at && start_at_ == 0)
    return corrupt_at(generation_, block.number, "first record at " + offset_text(block.first_record) + " (expected " + std::to_string(at) + ")");
  Pending pending;
  pending.start = position_in_block(generation_, block.number, at);
  pending_ = pending;
  ++begun_;
  return {};
}

Result<void> RecordScan::feed(const Block& block, std::vector<RecordHeader>* begun) {
  CCR_ASSERT(!sealed_ && block.number == next_block_);
  if (block.number > blocks_max_) return corrupt_at(generation_, block.number, "lies behind the place of the seal");
  if (start_at_ >= block.payload.size()) return corrupt_at(generation_, block.number, "no record begins at " + std::to_string(start_at_));
  Result<std::size_t> carried = start_at_ != 0 ? Result<std::size_t>(start_at_) : take_carried(block, begun);
  if (!carried.ok()) return carried.error();
  std::size_t at = *carried;
  bool first = true;
  while (at < block.payload.size()) {
    CCR_TRY(begin_at(block, at, first));
    first = false;
    Result<std::size_t> taken = take(block.payload.subspan(at), begun);
    if (!taken.ok()) return taken.error();
    at += *taken;
  }
  if (first && block.first_record != Block::none)
    return corrupt_at(generation_, block.number, "first record at " + offset_text(block.first_record) + " (expected none)");
  if (pending_ && block.payload.size() != block_payload_max)
    return corrupt_at(generation_, block.number, "ends inside a record after " + std::to_string(block.payload.size()) + " bytes");
  start_at_ = 0;
  ++next_block_;
  return {};
}

}  // namespace ccr::storage
