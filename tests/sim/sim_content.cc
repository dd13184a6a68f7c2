#include "tests/sim/sim_content.h"

#include <algorithm>

namespace ccr::sim {

Content::Chunk& Content::writable(std::size_t index, Old old) {
  std::shared_ptr<Chunk>& chunk = chunks_[index];
  if (old == Old::overwritten) {
    if (chunk == nullptr || chunk.use_count() > 1) chunk = std::make_shared_for_overwrite<Chunk>();
  } else if (chunk == nullptr) {
    chunk = std::make_shared<Chunk>();
    chunk->fill(std::byte{0});
  } else if (chunk.use_count() > 1) {
    chunk = std::make_shared<Chunk>(*chunk);
  }
  return *chunk;
}

std::size_t Content::read(std::uint64_t offset, ByteSpan into) const {
  if (offset >= size_) return 0;
  const std::size_t count = std::min<std::uint64_t>(into.size(), size_ - offset);
  for (std::size_t done = 0; done < count;) {
    const std::uint64_t at = offset + done;
    const std::size_t piece = std::min<std::uint64_t>(count - done, chunk_bytes - at % chunk_bytes);
    const Chunk* chunk = chunks_[at / chunk_bytes].get();
    if (chunk == nullptr) {
      std::memset(into.data() + done, 0, piece);
    } else {
      std::memcpy(into.data() + done, chunk->data() + at % chunk_bytes, piece);
    }
    done += piece;
  }
  return count;
}

void Content::write(std::uint64_t offset, ByteView from) {
  if (offset + from.size() > size_) resize(offset + from.size());
  for (std::size_t done = 0; done < from.size();) {
    const std::uint64_t at = offset + done;
    const std::size_t piece = std::min<std::uint64_t>(from.size() - done, chunk_bytes - at % chunk_bytes);
    const Old old = piece == chunk_bytes ? Old::overwritten : Old::kept;
    std::memcpy(writable(at / chunk_bytes, old).data() + at % chunk_bytes, from.data() + done, piece);
    done += piece;
  }
}

void Content::resize(std::uint64_t size) {
  const std::size_t count = (size + chunk_bytes - 1) / chunk_bytes;
  if (size < size_ && size % chunk_bytes != 0 && chunks_[count - 1] != nullptr) {
    const std::size_t keep = size % chunk_bytes;
    std::memset(writable(count - 1, Old::kept).data() + keep, 0, chunk_bytes - keep);  // it must read as zeros when the file grows again
  }
  chunks_.resize(count);
  size_ = size;
}

void Content::flip(std::uint64_t offset, unsigned bit) {
  CCR_ASSERT(offset < size_);
  writable(offset / chunk_bytes, Old::kept)[offset % chunk_bytes] ^= static_cast<std::byte>(1u << (bit % 8));
}

Bytes Content::all() const {
  Bytes bytes(size_);
  read(0, bytes);
  return bytes;
}

}  // namespace ccr::sim
