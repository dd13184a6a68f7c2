#include "storage/generation_writer.h"

#include <algorithm>
#include <utility>

namespace ccr::storage {

GenerationWriter::GenerationWriter(std::unique_ptr<File> file, GenerationScan scan, AlignedBuffer& batch)
    : file_(std::move(file)), scan_(std::move(scan)), batch_(&batch) {
  CCR_ASSERT(scan_.begun() && !scan_.sealed() && scan_.digest_known());
  CCR_ASSERT(batch_->size() >= block_bytes && batch_->size() % block_bytes == 0);
}

std::uint64_t GenerationWriter::room() const noexcept {
  const std::uint64_t blocks = data_blocks_max(scan_.header().generation_bytes) + 1 - scan_.next_block();
  return blocks * block_payload_max - fill_;
}

Position GenerationWriter::next_position() const noexcept {
  return position_in_block(scan_.header().generation, scan_.next_block(), fill_);
}

void GenerationWriter::begin_record() {
  CCR_ASSERT(room() > 0);
  if (first_record_ == Block::none) first_record_ = static_cast<std::uint16_t>(fill_);
}

void GenerationWriter::finish_block(Position durable) {
  CCR_ASSERT(fill_ > 0);
  Block next;
  next.number = scan_.next_block();
  next.durable = durable;
  next.first_record = first_record_;
  next.payload = ByteView(block()).subspan(block_header_bytes, fill_);
  encode_block(scan_.header().signature, scan_.header().generation, next, block());
  const Result<void> taken = scan_.take_own(next, block());
  CCR_ASSERT(taken.ok());
  ++finished_;
  fill_ = 0;
  first_record_ = Block::none;
  dirty_ = true;
}

Task<Result<void>> GenerationWriter::flush() {
  if (finished_ == 0) co_return Result<void>();
  const ByteView bytes = batch_->view().first(finished_ * block_bytes);
  const std::uint64_t offset = scan_.bytes() - bytes.size();
  finished_ = 0;
  co_return co_await file_->write_at(offset, bytes);
}

std::size_t GenerationWriter::put(ByteView bytes, Position durable) {
  const std::size_t fits = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room()));
  std::size_t taken = 0;
  while (taken < fits && finished_ * block_bytes < batch_->size()) {
    const std::size_t count = std::min(fits - taken, block_payload_max - fill_);
    std::memcpy(block().data() + block_header_bytes + fill_, bytes.data() + taken, count);
    fill_ += count;
    taken += count;
    if (fill_ == block_payload_max) finish_block(durable);
  }
  return taken;
}

Task<Result<void>> GenerationWriter::append(ByteView bytes, Position durable) {
  CCR_ASSERT(bytes.size() <= room());
  for (;;) {
    bytes = bytes.subspan(put(bytes, durable));
    if (bytes.empty()) co_return Result<void>();
    CCR_CO_TRY(co_await flush());
  }
}

Task<Result<void>> GenerationWriter::write_out(Position durable) {
  if (fill_ > 0) finish_block(durable);
  co_return co_await flush();
}

Task<Result<void>> GenerationWriter::seal(Standing standing, Position durable) {
  if (fill_ > 0) finish_block(durable);
  if (finished_ * block_bytes == batch_->size()) CCR_CO_TRY(co_await flush());
  Seal last;
  last.number = scan_.next_block();
  last.content = scan_.link().digest;
  last.last_commit = standing.last_commit;
  last.root = standing.root;
  last.page_count = standing.page_count;
  encode_seal(scan_.header().signature, scan_.header().generation, last, block());
  const Result<void> taken = scan_.take(block());
  CCR_ASSERT(taken.ok());
  ++finished_;
  CCR_CO_TRY(co_await flush());
  if (scan_.bytes() == scan_.header().generation_bytes) co_return Result<void>();  // which is how long the file was made
  co_return co_await file_->truncate(scan_.bytes());
}

}  // namespace ccr::storage
