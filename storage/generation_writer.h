// GenerationWriter fills one generation: bytes into blocks, blocks into batches, batches into the file, at last the seal.
//
// Every finished block goes through the same GenerationScan that readers use, so no record stream is written that they would refuse.
// Completion: append() when the bytes are in the buffer or written; write_out() and seal() when everything is written, but not synced.
// Failure: the file may hold any part; the writer is not used again. Bounds: `batch` is the only buffer. Lifetime: batch outlives it.
#pragma once

#include <memory>

#include "storage/generation_scan.h"

namespace ccr::storage {

class GenerationWriter {
 public:
  // Goes on behind what `scan` took. `batch`: a multiple of block_bytes.
  GenerationWriter(std::unique_ptr<File> file, GenerationScan scan, AlignedBuffer& batch);

  // Payload bytes that still fit before the seal.
  std::uint64_t room() const noexcept;
  bool empty() const noexcept { return scan_.next_block() == 1 && fill_ == 0; }
  bool clean() const noexcept { return !dirty_ && fill_ == 0; }  // settled() with nothing since
  Position next_position() const noexcept;  // of the next byte
  const GenerationScan& scan() const noexcept { return scan_; }

  void begin_record();  // the next byte is a record's first; room() > 0
  // Takes what fits before the seal and before the disk is needed; answers how much that is. `durable` goes into the blocks that are finished.
  std::size_t put(ByteView bytes, Position durable);
  Task<Result<void>> append(ByteView bytes, Position durable);  // all of it, at most room() bytes
  Task<Result<void>> write_out(Position durable);  // pads, so that the next record starts a new block
  void settled() noexcept { dirty_ = false; }      // the file was synced after write_out()
  struct Standing {  // of the database, after the last record that ended
    CommitNumber last_commit = 0;
    Digest64 root = 0;
    std::uint32_t page_count = 0;
  };
  Task<Result<void>> seal(Standing standing, Position durable);  // the file ends with it
  File& file() noexcept { return *file_; }
  std::unique_ptr<File> take_file() noexcept { return std::move(file_); }  // the last call

 private:
  ByteSpan block() noexcept { return batch_->span().subspan(finished_ * block_bytes, block_bytes); }
  void finish_block(Position durable);
  Task<Result<void>> flush();

  std::unique_ptr<File> file_;
  GenerationScan scan_;
  AlignedBuffer* batch_;
  std::size_t finished_ = 0;  // blocks at the front of batch_, not written yet
  std::size_t fill_ = 0;      // payload bytes in the block behind them
  std::uint16_t first_record_ = Block::none;
  bool dirty_ = false;
};

}  // namespace ccr::storage
