// Content is the bytes of one simulated file: 4 KiB chunks, shared between copies until one of them writes. A missing chunk is
// zeros.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace ccr::sim {

class Content {
 public:
  std::uint64_t size() const noexcept { return size_; }
  std::size_t read(std::uint64_t offset, ByteSpan into) const;  // short only at the end
  void write(std::uint64_t offset, ByteView from);              // extends, with zeros in a hole
  void resize(std::uint64_t size);                              // new bytes are zeros
  void flip(std::uint64_t offset, unsigned bit);
  Bytes all() const;

 private:
  static constexpr std::uint64_t chunk_bytes = 4 * KiB;
  using Chunk = std::array<std::byte, chunk_bytes>;

  enum class Old { kept, overwritten };  // what a chunk holds when it is about to be written

  Chunk& writable(std::size_t index, Old old);

  std::vector<std::shared_ptr<Chunk>> chunks_;
  std::uint64_t size_ = 0;
};

}  // namespace ccr::sim
