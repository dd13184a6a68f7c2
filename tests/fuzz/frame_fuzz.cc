// A stream of bytes as a node reads it: frames one after another, cut where their headers say. The input once as it is, and once
// with the checksums of every frame made good, so that mutation reaches what stands behind them.
#include <algorithm>

#include "transport/frame.h"
#include "transport/messages.h"

namespace {

using namespace ccr;
using namespace ccr::transport;

void seal(ByteSpan head, ByteView body) {
  Encoder(head.subspan(32)).u64(body_checksum({&body, 1}));
  Encoder(head.subspan(56)).u64(digest64(ByteView(head).first(56)));
}

// Reads frames until the first error, as FramedConnection does.
void read_stream(Bytes stream, bool sealed) {
  std::size_t at = 0;
  while (stream.size() - at >= frame_header_bytes) {
    const ByteSpan head = ByteSpan(stream).subspan(at, frame_header_bytes);
    const std::size_t there = stream.size() - at - frame_header_bytes;
    if (sealed) {
      const std::uint32_t wanted = Decoder(ByteView(head).subspan(24)).u32();
      Encoder(head.subspan(24)).u32(static_cast<std::uint32_t>(std::min<std::size_t>(wanted, there)));
      seal(head, ByteView(stream).subspan(at + frame_header_bytes, std::min<std::size_t>(wanted, there)));
    }
    const Result<FrameHeader> header = decode_frame_header(head, frame_body_max);
    if (!header.ok() || header->body_bytes > there) return;
    const ByteView body = ByteView(stream).subspan(at + frame_header_bytes, header->body_bytes);
    if (body_checksum({&body, 1}) != header->body_checksum) return;
    Bytes again(frame_header_bytes);
    encode_frame_header(*header, again);
    CCR_ASSERT(std::ranges::equal(again, head));  // a header that is let in has one form only
    if (!decode(header->type, body).ok()) return;
    at += frame_header_bytes + header->body_bytes;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  const Bytes stream(input.begin(), input.end());
  read_stream(stream, false);
  read_stream(stream, true);
  return 0;
}
