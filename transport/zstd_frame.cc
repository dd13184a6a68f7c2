#include "transport/zstd_frame.h"

namespace ccr::transport {
namespace {

constexpr std::uint32_t zstd_magic = 0xFD2FB528, skippable_magic = 0x184D2A50, skippable_mask = 0xFFFFFFF0;
constexpr int window_log_base = 10;

Error bad_frame(const char* what) { return {ErrorKind::protocol, std::string("zstd frame: ") + what, ""}; }

// The content's length takes 0 (or 1 in a frame of one segment), 2, 4 or 8 bytes; two of them count from 256 on.
std::optional<std::uint64_t> content_bytes_of(Decoder& in, unsigned size_flag, bool single_segment) {
  switch (size_flag) {
    case 1:
      return std::uint64_t(in.u16()) + 256;
    case 2:
      return in.u32();
    case 3:
      return in.u64();
    default:
      break;
  }
  if (single_segment) return in.u8();
  return std::nullopt;
}

}  // namespace

Result<ZstdFrame> read_zstd_frame(ByteView bytes) {
  Decoder in(bytes);
  const std::uint32_t first_word = in.u32();
  if ((first_word & skippable_mask) == skippable_magic) return bad_frame("a skippable one");
  if (first_word != zstd_magic) return bad_frame("another magic");
  const unsigned descriptor = in.u8();
  const bool single_segment = (descriptor & 0x20) != 0;
  if ((descriptor & 0x08) != 0) return bad_frame("a reserved bit in use");
  if ((descriptor & 0x03) != 0) return bad_frame("it names a dictionary");
  ZstdFrame frame;
  frame.checksum = (descriptor & 0x04) != 0;
  if (!single_segment) {
    const unsigned window = in.u8();
    const std::uint64_t base = std::uint64_t(1) << (window_log_base + (window >> 3));
    frame.window_bytes = base + base / 8 * (window & 7);
  }
  frame.content_bytes = content_bytes_of(in, descriptor >> 6, single_segment);
  if (single_segment) frame.window_bytes = *frame.content_bytes;
  if (!in.ok()) return bad_frame("its header is not whole");
  frame.header_bytes = bytes.size() - in.remaining();
  return frame;
}

}  // namespace ccr::transport
