// Packed log and packed pages as a peer may send them: the first byte says which, and what was granted or is said to come out; the
// rest is the packed bytes, for a stream in pieces, each behind its length of 2 bytes. Whatever they are, memory stays within what
// is counted.
#include <algorithm>

#include "transport/history_budget.h"
#include "transport/log_unpacker.h"
#include "transport/page_packing.h"
#include "transport/zstd_frame.h"

namespace {

using namespace ccr;
using namespace ccr::transport;

void judge(const Error& error) {
  CCR_ASSERT(error.kind == ErrorKind::protocol || error.kind == ErrorKind::corrupt);
  CCR_ASSERT(!error.message.empty());
}

void unpack_stream(ByteView bytes) {
  constexpr std::size_t raw_bytes = 16 * KiB;
  LogUnpacker unpacker(history_log_min);
  Bytes raw(raw_bytes);
  Decoder in(bytes);
  while (in.remaining() > 0) {
    const std::size_t size = in.u16();
    const ByteView piece = in.bytes(std::min(size, in.remaining()));
    if (!unpacker.begun()) {
      const Result<void> begun = unpacker.begin(piece);
      if (!begun.ok()) return judge(begun.error());
    }
    const Result<void> unpacked = unpacker.unpack(piece, raw);
    CCR_ASSERT(unpacker.memory_bytes() <= unpacking_bytes(history_log_min));
    if (!unpacked.ok()) return judge(unpacked.error());
  }
}

void unpack_pages(ByteView bytes, std::size_t images_bytes) {
  PageUnpacker unpacker;
  const Result<ByteView> images = unpacker.unpack(bytes, images_bytes);
  if (!images.ok()) return judge(images.error());
  CCR_ASSERT(images->size() == images_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const Result<ZstdFrame> frame = read_zstd_frame(bytes);
  if (!frame.ok()) judge(frame.error());
  if (data[0] % 2 == 0) {
    unpack_stream(bytes);
  } else {
    unpack_pages(bytes, std::size_t(1 + data[0] / 2) * 512);
  }
  return 0;
}
