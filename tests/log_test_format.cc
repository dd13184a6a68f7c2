// The bytes of a generation: round trips, and no single bit that may change unseen.
#include "storage/generation_scan.h"
#include "tests/log_support.h"

namespace ccr::storage {
namespace {

using namespace test;

GenerationHeader header_five() {
  GenerationHeader header;
  header.signature = signature_a;
  header.epoch = 3;
  header.generation = {5};
  header.previous.bytes.fill(std::byte{0x11});
  header.created = {1'750'000'000'000'000'000};
  header.page_size = 512;
  header.generation_bytes = 256 * KiB;
  header.last_record = header_of(41, 2);
  header.carried = CarriedRecord{header_of(42, 9), Position{{4}, 8192}, 1000};
  header.first_commit = 43;
  return header;
}

// Header, one data block with two records, seal.
struct Small {
  static constexpr std::size_t bytes_total = 3 * block_bytes;
  Bytes bytes = Bytes(bytes_total);
  Small() {
    GenerationHeader header = header_five();
    header.carried.reset();
    header.first_commit = 42;
    encode_generation_header(header, block(0));
    Bytes payload;
    for (const CommitNumber number : {42u, 43u}) {
      Bytes record(RecordHeader::encoded_bytes);
      encode_record_header(header_of(number, 1), record);
      payload.insert(payload.end(), record.begin(), record.end());
      payload.insert(payload.end(), 4 + 512, std::byte{7});
    }
    Block data;
    data.number = 1;
    data.durable = Position::start_of({5});
    data.first_record = 0;
    data.payload = payload;
    encode_block(signature_a, {5}, data, block(1));
    Seal seal{2, digest128(ByteView(bytes).first(2 * block_bytes)), 43, 0x99, 8};
    encode_seal(signature_a, {5}, seal, block(2));
  }
  ByteSpan block(std::size_t number) { return ByteSpan(bytes).subspan(number * block_bytes, block_bytes); }
};

Result<void> scan(ByteView bytes, GenerationScan::Expected expected = {}) {
  expected.signature = signature_a;
  GenerationScan whole(expected);
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) CCR_TRY(whole.take(bytes.subspan(at, block_bytes)));
  if (!whole.sealed()) return Error{ErrorKind::corrupt, "no seal", ""};
  return {};
}

TEST(LogFormat, AGenerationHeaderComesBackWhole) {
  Bytes block(block_bytes);
  encode_generation_header(header_five(), block);
  const Result<GenerationHeader> decoded = decode_generation_header(block);
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, header_five());
}

TEST(LogFormat, ARecordHeaderComesBackWhole) {
  RecordHeader header = header_of(77, 3);
  header.kind = RecordKind::catch_up;
  header.cursor.fill(std::byte{0xcc});
  Bytes bytes(RecordHeader::encoded_bytes);
  encode_record_header(header, bytes);
  const Result<RecordHeader> decoded = decode_record_header(bytes, 512);
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, header);
  EXPECT_EQ(decoded->body_bytes(512), 3u * 516);
}

TEST(LogFormat, EverySingleBitFlipInASmallGenerationIsFound) {
  Small small;
  ASSERT_OK(scan(small.bytes));
  for (std::size_t bit = 0; bit < Small::bytes_total * 8; ++bit) {
    small.bytes[bit / 8] ^= std::byte(1u << (bit % 8));
    ASSERT_FALSE(scan(small.bytes).ok()) << "bit " << bit % 8 << " of byte " << bit / 8;
    small.bytes[bit / 8] ^= std::byte(1u << (bit % 8));
  }
  ASSERT_OK(scan(small.bytes));
}

TEST(LogFormat, EverySingleBitFlipInARecordHeaderIsFound) {
  Bytes bytes(RecordHeader::encoded_bytes);
  encode_record_header(header_of(5, 1), bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte(1u << (bit % 8));
    EXPECT_FALSE(decode_record_header(bytes, 512).ok()) << "bit " << bit;
    bytes[bit / 8] ^= std::byte(1u << (bit % 8));
  }
}

TEST(LogFormat, ABlockIsValidAtItsOwnPlaceOnly) {
  Small small;
  const ByteView block = small.block(1);
  EXPECT_OK(decode_block(signature_a, {5}, 1, block));
  EXPECT_EQ(decode_block(signature_a, {6}, 1, block).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(decode_block(signature_a, {5}, 2, block).error().kind, ErrorKind::corrupt);
  Signature other = signature_a;
  other.bytes[15] ^= std::byte{1};
  EXPECT_EQ(decode_block(other, {5}, 1, block).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(decode_seal(signature_a, {5}, 1, small.block(2)).error().kind, ErrorKind::corrupt);
}

TEST(LogFormat, MessagesNamePlaceExpectedAndFound) {
  Small small;
  small.block(1)[3000] ^= std::byte{1};
  const Result<Block> block = decode_block(signature_a, {5}, 1, small.block(1));
  ASSERT_FALSE(block.ok());
  EXPECT_TRUE(block.error().message.starts_with("generation 5 block 1: checksum ")) << block.error().message;
  EXPECT_NE(block.error().message.find("(expected "), std::string::npos);
}

// A header with one field set to something else, its checksum made right again.
template <class Change>
ErrorKind kind_of_changed_header(Change change) {
  Bytes block(block_bytes);
  encode_generation_header(header_five(), block);
  change(block);
  constexpr std::uint64_t header_seed = 0x67726363;
  Encoder checksum(ByteSpan(block).first(8));
  checksum.u64(digest64(ByteView(block).subspan(8), header_seed));
  const Result<GenerationHeader> decoded = decode_generation_header(block);
  return decoded.ok() ? ErrorKind::busy : decoded.error().kind;
}

void put(Bytes& block, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) block[at + i] = std::byte(value >> (8 * i));
}

TEST(LogFormat, HeadersThatAreWellCheckedButWrongAreRefused) {
  EXPECT_EQ(kind_of_changed_header([](Bytes&) {}), ErrorKind::busy) << "the unchanged header is good";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 12, 2, 4); }), ErrorKind::unsupported) << "version 2";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 16, 0, 8); }), ErrorKind::corrupt) << "generation 0";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 24, 0, 8), put(b, 32, 0, 8); }), ErrorKind::corrupt) << "no signature";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 72, 513, 4); }), ErrorKind::corrupt) << "page size";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 72, 131072, 4); }), ErrorKind::corrupt) << "page size";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 76, 1, 4); }), ErrorKind::corrupt) << "reserved";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 80, 128 * KiB, 8); }), ErrorKind::corrupt) << "length";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 88, 44, 8); }), ErrorKind::corrupt) << "first commit";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 96, 2, 1); }), ErrorKind::corrupt) << "flag";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 97, 0, 1); }), ErrorKind::corrupt) << "carried without its flag";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 104, 5, 8); }), ErrorKind::corrupt) << "carried from itself";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 120, 127, 8); }), ErrorKind::corrupt) << "a header cut by a seal";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 120, 128 + 9 * 516, 8); }), ErrorKind::corrupt) << "carried past its end";
  EXPECT_EQ(kind_of_changed_header([](Bytes& b) { put(b, 4000, 1, 1); }), ErrorKind::corrupt) << "behind the end";
}

TEST(LogFormat, BlocksThatAreWellCheckedButWrongAreRefused) {
  const auto kind_of = [](std::size_t at, std::uint64_t value, std::size_t size) {
    Small small;
    Bytes block(small.block(1).begin(), small.block(1).end());
    put(block, at, value, size);
    put(block, 0, block_checksum(signature_a, {5}, 1, block), 8);
    return decode_block(signature_a, {5}, 1, block).ok();
  };
  EXPECT_TRUE(kind_of(24, 4, 8)) << "durable in the generation before is fine";
  EXPECT_FALSE(kind_of(12, 2, 4)) << "another number";
  EXPECT_FALSE(kind_of(16, 6, 8)) << "another generation";
  EXPECT_FALSE(kind_of(32, 8192, 8)) << "durable behind itself";
  EXPECT_FALSE(kind_of(40, 2000, 2)) << "first record behind the payload";
  EXPECT_FALSE(kind_of(42, 0, 2)) << "no payload";
  EXPECT_FALSE(kind_of(42, 4033, 2)) << "too much payload";
  EXPECT_FALSE(kind_of(42, 100, 2)) << "bytes behind the payload";
  EXPECT_FALSE(kind_of(44, 1, 1)) << "reserved";
}

TEST(LogFormat, NamesAreSixteenHexDigits) {
  EXPECT_EQ(sealed_name({0x1a3}), "00000000000001a3.log");
  EXPECT_EQ(generation_of_name("00000000000001a3.log"), Generation{0x1a3});
  for (const char* other : {"current.log", "00000000000001A3.log", "0000000000001a3.log", "00000000000001a3.log.1", "00000000000001a3.tmp",
                            "0000000000000000.log", "000000000000000g.log", ""})
    EXPECT_EQ(generation_of_name(other), std::nullopt) << other;
}

TEST(Inspector, FindsEveryBitFlippedBlockOfASealedFileAndNamesIt) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  for (int i = 0; i < 4; ++i) ASSERT_OK(active.commit(5));
  ASSERT_OK(run(active.log->roll()));
  const std::string path = directory_a + "/" + sealed_name({1});
  const Result<GenerationFacts> facts = run(inspect_generation(disk, path, signature_a));
  ASSERT_OK(facts);
  EXPECT_EQ(facts->blocks, 4u);
  EXPECT_EQ(facts->records_total, 4u);
  EXPECT_EQ(facts->records.size(), 4u);
  EXPECT_EQ(facts->records[3], header_of(4, 5));
  EXPECT_EQ(facts->link.bytes, 6 * 4096u);
  EXPECT_EQ(facts->link.digest, digest128(disk.content(path)));
  for (std::size_t block = 1; block < 5; ++block) {
    disk.file(path).flip(block * block_bytes + 1234, 0);
    const Result<GenerationFacts> damaged = run(inspect_generation(disk, path, signature_a));
    ASSERT_FALSE(damaged.ok());
    EXPECT_NE(damaged.error().message.find(path + ": generation 1 block " + std::to_string(block)), std::string::npos) << damaged.error().message;
    disk.file(path).flip(block * block_bytes + 1234, 0);
  }
  disk.file(path).resize(7 * 4096);
  EXPECT_FALSE(run(inspect_generation(disk, path, signature_a)).ok()) << "bytes behind the seal";
  disk.file(path).resize(5 * 4096);
  EXPECT_FALSE(run(inspect_generation(disk, path, signature_a)).ok()) << "no seal";
}

TEST(Inspector, ReadsAnOpenFileUpToItsPreallocatedZeros) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(1));
  ASSERT_OK(active.commit(2));
  const std::string path = directory_a + "/current.log";
  const Result<GenerationFacts> facts = run(inspect_generation(disk, path, signature_a));
  ASSERT_OK(facts);
  EXPECT_EQ(facts->blocks, 2u);
  EXPECT_FALSE(facts->seal.has_value());
  EXPECT_FALSE(facts->link.sealed);
  EXPECT_EQ(facts->link.digest, digest128(ByteView(disk.content(path)).first(3 * 4096)));
  disk.file(path).flip(10 * 4096, 0);
  EXPECT_FALSE(run(inspect_generation(disk, path, signature_a)).ok());
}

TEST(Inspector, AChainIsVerifiedFromItsFirstGenerationToItsLast) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(active.commit(500));
    ASSERT_OK(active.commit(1));
  }
  const Result<std::vector<ChainLink>> chain = run(verify_chain(disk, directory_a));
  ASSERT_OK(chain);
  ASSERT_EQ(chain->size(), active.log->open_generation().number);
  EXPECT_FALSE(chain->back().sealed);
  disk.drop(directory_a + "/" + sealed_name({2}));
  const Result<std::vector<ChainLink>> broken = run(verify_chain(disk, directory_a));
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().kind, ErrorKind::gap);
}

}  // namespace
}  // namespace ccr::storage
