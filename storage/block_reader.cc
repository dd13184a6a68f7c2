#include <algorithm>
#include <utility>

#include "storage/generation_file.h"

namespace ccr::storage {

struct BlockReader::State {
  State(Disk& d, LogDirectory place) : disk(d), directory(std::move(place)) {}

  Task<Result<bool>> open(Generation generation);
  Task<bool> is_gone(Generation generation);
  Result<Chunk> verify(Generation generation, std::uint64_t offset, ByteView bytes);

  Disk& disk;
  LogDirectory directory;
  std::optional<OpenedGeneration> opened;
};

BlockReader::BlockReader(Disk& disk, LogDirectory directory) : state_(std::make_unique<State>(disk, std::move(directory))) {}
BlockReader::~BlockReader() = default;

// False where the generation is in none of the places. The file stays open from call to call.
Task<Result<bool>> BlockReader::State::open(Generation generation) {
  if (opened && opened->header.generation == generation) co_return true;
  opened.reset();
  Result<std::optional<OpenedGeneration>> found = co_await open_generation(disk, directory, generation);
  if (!found.ok()) co_return found.error();
  opened = std::move(*found);
  co_return opened.has_value();
}

// Truncated while its file was open here: another generation's bytes may lie in that file now (spare_files.h).
Task<bool> BlockReader::State::is_gone(Generation generation) {
  opened.reset();
  const Result<bool> there = co_await open(generation);
  co_return there.ok() && !*there;
}

Result<BlockReader::Chunk> BlockReader::State::verify(Generation generation, std::uint64_t offset, ByteView bytes) {
  Chunk chunk{generation, offset, 0, false};
  while (chunk.bytes < bytes.size() && !chunk.sealed) {
    const ByteView block = bytes.subspan(chunk.bytes, block_bytes);
    const std::uint32_t number = static_cast<std::uint32_t>((offset + chunk.bytes) / block_bytes);
    if (number == 0) {
      const Result<GenerationHeader> header = decode_generation_header(block);
      if (!header.ok()) return header.error().within(opened->path);
      if (header->generation != generation || header->signature != directory.signature)
        return Error{ErrorKind::corrupt, opened->path + ": holds generation " + to_text(header->generation) + " of " + header->signature.text(), ""};
    } else if (is_seal(block)) {
      const Result<Seal> seal = decode_seal(directory.signature, generation, number, block);
      if (!seal.ok()) return seal.error().within(opened->path);
      chunk.sealed = true;
    } else {
      const Result<Block> data = decode_block(directory.signature, generation, number, block);
      if (!data.ok()) return data.error().within(opened->path);
    }
    chunk.bytes += block_bytes;
  }
  return chunk;
}

Task<Result<BlockReader::Chunk>> BlockReader::read(Generation generation, std::uint64_t offset, Position durable, ByteSpan into) {
  CCR_ASSERT(offset % block_bytes == 0 && into.size() % block_bytes == 0 && !into.empty());
  const Chunk nothing{generation, offset, 0, false};
  if (generation > durable.generation) co_return nothing;
  const bool behind = generation < durable.generation;  // then the whole generation is durable, up to its seal
  const std::uint64_t limit = end_of_block(durable).offset;
  if (!behind && offset >= limit) co_return nothing;
  Result<bool> there = co_await state_->open(generation);
  if (!there.ok()) co_return there.error();
  if (!*there) {
    // The header block behind the last seal is durable only once it exists.
    if (!behind && limit == Position::first_offset) co_return nothing;
    co_return Error{ErrorKind::gap, "generation " + to_text(generation) + " is not in " + state_->directory.path, missing_generation_hint};
  }
  const std::uint64_t wanted = behind ? into.size() : std::min<std::uint64_t>(into.size(), limit - offset);
  const ByteSpan target = into.first(static_cast<std::size_t>(wanted));
  Result<std::size_t> count = co_await state_->opened->file->read_at(offset, target);
  if (!count.ok()) co_return count.error().within(state_->opened->path);
  const ByteView whole = ByteView(target).first(*count / block_bytes * block_bytes);
  if (whole.empty() && behind && offset > 0) {
    // At the end of a sealed generation: nothing more, if the end is its seal.
    AlignedBuffer last(block_bytes);
    const ByteSpan span = last.span();
    Result<std::size_t> got = co_await state_->opened->file->read_at(offset - block_bytes, span);
    if (!got.ok()) co_return got.error().within(state_->opened->path);
    const std::uint32_t number = static_cast<std::uint32_t>(offset / block_bytes - 1);
    if (*got == block_bytes && decode_seal(state_->directory.signature, generation, number, last.view()).ok()) co_return nothing;
  }
  Result<Chunk> chunk = nothing;
  if (whole.empty() || (!behind && whole.size() != wanted))
    chunk = Error{ErrorKind::corrupt, state_->opened->path + ": ends at " + std::to_string(offset + *count) + ", but " + to_text(durable) + " is durable", ""};
  else
    chunk = state_->verify(generation, offset, whole);
  if (chunk.ok()) co_return chunk;
  const bool gone = co_await state_->is_gone(generation);
  if (gone) co_return Error{ErrorKind::gap, "generation " + to_text(generation) + " is not in " + state_->directory.path + " any more", ""};
  co_return chunk;
}

}  // namespace ccr::storage
