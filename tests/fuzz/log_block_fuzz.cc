// Generations out of arbitrary bytes: headers, blocks and seals are decoded as they come, then with their checksums made right, so
// that the mutations reach what lies behind them. Nothing may crash, and what is accepted must encode to the same bytes.
#include <algorithm>
#include <cstdint>

#include "storage/generation_scan.h"

namespace ccr::storage {
namespace {

constexpr std::size_t blocks_max = 8;  // of one input

Signature fuzz_signature() {
  Signature signature;
  signature.bytes.fill(std::byte{0x5a});
  return signature;
}

void put_checksum(ByteSpan block, Digest64 checksum) {
  Encoder out(block.first(8));
  out.u64(checksum);
}

void repair(ByteSpan block, Generation generation, std::uint32_t number) {
  constexpr std::uint64_t header_seed = 0x67726363;
  const bool header = number == 0;
  put_checksum(block, header ? digest64(block.subspan(8), header_seed) : block_checksum(fuzz_signature(), generation, number, block));
}

// Decoding and encoding are one another's reverse.
void check_round_trip(ByteView block, Generation generation, std::uint32_t number) {
  Bytes again(block_bytes);
  if (const Result<GenerationHeader> header = decode_generation_header(block); header.ok()) {
    encode_generation_header(*header, again);
    CCR_ASSERT(std::equal(again.begin(), again.end(), block.begin()));
  }
  if (number == 0) return;
  if (const Result<Block> data = decode_block(fuzz_signature(), generation, number, block); data.ok()) {
    encode_block(fuzz_signature(), generation, *data, again);
    CCR_ASSERT(std::equal(again.begin(), again.end(), block.begin()));
  }
  if (const Result<Seal> seal = decode_seal(fuzz_signature(), generation, number, block); seal.ok()) {
    encode_seal(fuzz_signature(), generation, *seal, again);
    CCR_ASSERT(std::equal(again.begin(), again.end(), block.begin()));
  }
}

GenerationHeader first_header() {
  GenerationHeader header;
  header.signature = fuzz_signature();
  header.generation = {1};
  header.page_size = page_size_min;
  header.generation_bytes = generation_bytes_min;
  header.first_commit = 1;
  return header;
}

}  // namespace
}  // namespace ccr::storage

// The first byte says whether the generation's header is the input's own, and whether checksums are made right.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace ccr;
  using namespace ccr::storage;
  if (size == 0) return 0;
  const bool own_header = (input[0] & 1) != 0;
  const bool repaired = (input[0] & 2) != 0;
  const ByteView rest = std::as_bytes(std::span(input + 1, size - 1));
  GenerationScan scan{GenerationScan::Expected{}};
  Bytes block(block_bytes);
  if (!own_header) {
    encode_generation_header(first_header(), block);
    const Result<void> taken = scan.take(block);
    CCR_ASSERT(taken.ok());
  }
  for (std::size_t i = 0; i < blocks_max && i * block_bytes < rest.size() && !scan.sealed(); ++i) {
    const ByteView part = rest.subspan(i * block_bytes, std::min(block_bytes, rest.size() - i * block_bytes));
    std::fill(std::copy(part.begin(), part.end(), block.begin()), block.end(), std::byte{0});
    if (repaired) repair(block, scan.begun() ? scan.generation() : Generation{1}, scan.next_block());
    check_round_trip(block, scan.begun() ? scan.generation() : Generation{1}, scan.next_block());
    const std::uint32_t before = scan.next_block();
    const Result<void> taken = scan.take(block);
    CCR_ASSERT(scan.next_block() == before + (taken.ok() ? 1 : 0));
    if (!scan.begun()) return 0;
  }
  return 0;
}
