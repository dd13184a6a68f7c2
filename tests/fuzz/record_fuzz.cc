// Record streams out of arbitrary payloads: RecordScan is fed the input in blocks of the sizes it names, beside a second scan that is
// restarted at every position the first one reports. Both must agree on where records end.
#include <algorithm>
#include <cstdint>

#include "storage/record_scan.h"

namespace ccr::storage {
namespace {

GenerationHeader fuzz_header() {
  GenerationHeader header;
  header.signature.bytes.fill(std::byte{0x5a});
  header.generation = {1};
  header.page_size = page_size_min;
  header.generation_bytes = generation_bytes_min;
  header.first_commit = 1;
  return header;
}

// Record headers in the input get their number and checksum, so that the stream goes on behind the first one.
void repair_header(ByteSpan bytes, CommitNumber number) {
  if (bytes.size() < RecordHeader::encoded_bytes) return;
  RecordHeader header;
  Decoder in(ByteView(bytes).subspan(12));
  header.kind = static_cast<RecordKind>(1 + in.u8() % 3);
  header.number = number;
  header.images = header.kind == RecordKind::base_marker ? 0 : in.u8() % 20;
  header.page_count = in.u8();
  encode_record_header(header, bytes.first(RecordHeader::encoded_bytes));
}

}  // namespace
}  // namespace ccr::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace ccr;
  using namespace ccr::storage;
  const GenerationHeader header = fuzz_header();
  const ByteView bytes = std::as_bytes(std::span(input, size));
  if (bytes.size() >= RecordHeader::encoded_bytes) (void)decode_record_header(bytes.first(RecordHeader::encoded_bytes), header.page_size);
  Decoder in(bytes);
  RecordScan scan(header);
  CommitNumber next = 1;
  while (in.remaining() > 4) {
    const bool repaired = (in.u8() & 1) != 0;
    const std::uint16_t first_record = in.u16();
    const std::size_t wanted = 1 + in.u8() * 16u;
    const ByteView part = in.bytes(std::min({wanted, block_payload_max, in.remaining()}));
    if (part.empty()) return 0;
    Bytes payload(part.begin(), part.end());
    Block block;
    block.number = scan.next_block();
    block.first_record = scan.pending() ? first_record : 0;
    if (repaired && !scan.pending()) repair_header(payload, next);
    block.payload = payload;
    const Position start = scan.position();
    std::vector<RecordHeader> begun;
    const RecordScan before = scan;
    if (!scan.feed(block, &begun).ok()) return 0;
    next += begun.size();
    CCR_ASSERT(scan.position() >= start);
    if (before.pending()) continue;
    // A reader that starts at that position sees the same.
    RecordScan restarted(header, start);
    const Result<void> again = restarted.feed(block);
    CCR_ASSERT(again.ok() && restarted.position() == scan.position() && restarted.pending() == scan.pending());
  }
  return 0;
}
