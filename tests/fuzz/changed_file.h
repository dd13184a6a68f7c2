// What may become of a file of blocks on a disk: a fuzzer's input as changes to one that was written well.
#pragma once

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace ccr {

inline constexpr std::size_t changed_block_bytes = 4096;

// Empty where the file has no whole block.
inline ByteSpan any_block(Decoder& in, Bytes& bytes) {
  const std::size_t number = in.u8(), blocks = bytes.size() / changed_block_bytes;
  return blocks == 0 ? ByteSpan() : ByteSpan(bytes).subspan(number % blocks * changed_block_bytes, changed_block_bytes);
}

inline void patch_block(Decoder& in, Bytes& bytes) {
  const ByteSpan block = any_block(in, bytes);
  const std::size_t at = in.u16() % changed_block_bytes, wanted = in.u8();
  const ByteView from = in.bytes(std::min(wanted, in.remaining()));
  if (!block.empty()) std::copy_n(from.begin(), std::min(from.size(), changed_block_bytes - at), block.begin() + std::ptrdiff_t(at));
}

inline void cut_file(Decoder& in, Bytes& bytes) {
  const std::size_t blocks = in.u8(), behind = in.u8() * 16u;
  bytes.resize(std::min(bytes.size(), blocks * changed_block_bytes + behind));
}

inline void put_block(ByteView source, ByteSpan target) {
  if (!source.empty() && !target.empty()) std::memmove(target.data(), source.data(), changed_block_bytes);
}

// A file that was written, after a few changes; `make_good` gives it its checksums again, where the input says so.
struct ChangedFile {
  ChangedFile(ByteView input, const Bytes& written, void (*make_good)(Bytes&)) : bytes(written) {
    Decoder in(input);
    good = (in.u8() & 1) != 0;
    constexpr std::size_t changes_max = 16;
    for (std::size_t i = 0; i < changes_max && in.remaining() > 0; ++i) change(in);
    if (good) make_good(bytes);
  }

  bool good = false;
  Bytes bytes;

 private:
  void change(Decoder& in) {
    switch (in.u8() % 4) {
      case 0: return cut_file(in, bytes);
      case 1: {
        const ByteSpan from = any_block(in, bytes), to = any_block(in, bytes);
        return put_block(from, to);
      }
      default: return patch_block(in, bytes);
    }
  }
};

}  // namespace ccr
