// The pure decisions of the log: what a record stream may look like, what recovery keeps, what may follow in a chain.
#include "storage/chain.h"
#include "storage/log_recovery.h"
#include "storage/record_scan.h"
#include "tests/log_support.h"

namespace ccr::storage {
namespace {

using namespace test;

// --- chain ---------------------------------------------------------------------------------------------------------------------

ChainLink link_29() {
  ChainLink link;
  link.generation = {0x29};
  link.digest.bytes = {std::byte{0xb0}, std::byte{0x7c}, std::byte{0x11}, std::byte{0xd4}};
  link.epoch = 7;
  link.sealed = true;
  return link;
}

GenerationHeader header_2a() {
  GenerationHeader header;
  header.signature = signature_a;
  header.generation = {0x2a};
  header.previous = link_29().digest;
  header.epoch = 7;
  header.page_size = 512;
  return header;
}

TEST(Chain, AGenerationThatContinuesTheOneBeforeIsAccepted) {
  GenerationHeader header = header_2a();
  EXPECT_OK(check_follows(link_29(), header));
  header.epoch = 8;
  EXPECT_OK(check_follows(link_29(), header));
}

TEST(Chain, AnotherDigestIsDivergedAndShowsBoth) {
  GenerationHeader header = header_2a();
  header.previous.bytes = {std::byte{0x9f}, std::byte{0x3e}, std::byte{0x51}, std::byte{0xc0}};
  const Result<void> verdict = check_follows(link_29(), header);
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error().kind, ErrorKind::diverged);
  EXPECT_EQ(verdict.error().message, "generation 2a: chain digest 9f3e51c0 does not follow 29 (expected b07c11d4)");
}

TEST(Chain, ANumberThatSkipsIsAGap) {
  GenerationHeader header = header_2a();
  header.generation = {0x2b};
  EXPECT_EQ(check_follows(link_29(), header).error().kind, ErrorKind::gap);
}

TEST(Chain, AnEpochThatFallsIsDiverged) {
  GenerationHeader header = header_2a();
  header.epoch = 6;
  EXPECT_EQ(check_follows(link_29(), header).error().kind, ErrorKind::diverged);
}

TEST(Chain, NothingFollowsAGenerationWithoutASeal) {
  ChainLink open = link_29();
  open.sealed = false;
  EXPECT_EQ(check_follows(open, header_2a()).error().kind, ErrorKind::corrupt);
}

TEST(Chain, AnotherSignatureOrPageSizeInTheMiddleIsRefused) {
  for (const bool signature : {true, false}) {
    ChainCheck chain(std::nullopt);
    GenerationHeader first = header_2a();
    first.generation = {0x29};
    ASSERT_OK(chain.add(first, link_29()));
    GenerationHeader second = header_2a();
    if (signature) second.signature.bytes[0] ^= std::byte{1};
    else second.page_size = 1024;
    ChainLink link = link_29();
    link.generation = {0x2a};
    EXPECT_EQ(chain.add(second, link).error().kind, ErrorKind::identity);
    EXPECT_EQ(chain.links().size(), 1u);
  }
}

// --- recovery ------------------------------------------------------------------------------------------------------------------

using Kind = BlockOutcome::Kind;
using Verdict = RecoveryVerdict::Kind;

BlockOutcome valid(std::uint64_t durable_offset, bool ends_record = true) { return {Kind::valid, Position{{9}, durable_offset}, ends_record}; }
BlockOutcome bad() { return {Kind::bad, {}, false}; }
BlockOutcome zero() { return {Kind::zero, {}, false}; }
BlockOutcome seal() { return {Kind::seal, {}, false}; }

RecoveryVerdict decide(std::vector<BlockOutcome> blocks, Position proven = {}, Position claimed = {}) {
  RecoveryFacts facts;
  facts.generation = {9};
  facts.blocks = std::move(blocks);
  facts.before = Position::start_of({9});
  facts.claimed = claimed;
  facts.proven = proven;
  return decide_recovery(facts);
}

TEST(Recovery, AWholeLogIsKept) {
  const RecoveryVerdict verdict = decide({valid(4096), valid(8192), zero(), zero()});
  EXPECT_EQ(verdict.kind, Verdict::keep);
  EXPECT_EQ(verdict.keep_blocks, 2u);
  EXPECT_EQ(verdict.cut_blocks, 0u);
}

TEST(Recovery, ATornTailBehindEverythingProvenIsCut) {
  const RecoveryVerdict verdict = decide({valid(4096), bad(), zero(), bad(), zero()});
  EXPECT_EQ(verdict.kind, Verdict::keep);
  EXPECT_EQ(verdict.keep_blocks, 1u);
  EXPECT_EQ(verdict.cut_blocks, 3u);
}

TEST(Recovery, ALaterBlockThatStatesTheBadOneDurableMakesItDamage) {
  const RecoveryVerdict verdict = decide({valid(4096), bad(), valid(12288)});
  EXPECT_EQ(verdict.kind, Verdict::damage);
  EXPECT_EQ(verdict.reason, "block 2 is bad, but block 3 states 9+12288 durable");
}

TEST(Recovery, ALaterBlockOfTheSameGroupProvesNothing) {
  const RecoveryVerdict verdict = decide({valid(4096), bad(), valid(8192), valid(8192)});
  EXPECT_EQ(verdict.kind, Verdict::keep);
  EXPECT_EQ(verdict.keep_blocks, 1u);
  EXPECT_EQ(verdict.cut_blocks, 3u);
}

TEST(Recovery, AHoleBeforeAProofIsDamageToo) { EXPECT_EQ(decide({valid(4096), zero(), valid(12288)}).kind, Verdict::damage); }

TEST(Recovery, ARecordWithoutItsEndIsCutBackToWhereItBegan) {
  const RecoveryVerdict verdict = decide({valid(4096), valid(8192, false), valid(8192, false), zero()});
  EXPECT_EQ(verdict.kind, Verdict::keep);
  EXPECT_EQ(verdict.keep_blocks, 1u);
  EXPECT_EQ(verdict.cut_blocks, 2u);
}

TEST(Recovery, AProvenPositionBehindBadBytesIsDamage) {
  EXPECT_EQ(decide({valid(4096), bad(), zero()}, Position{{9}, 12288}).kind, Verdict::damage);
}

TEST(Recovery, AProvenPositionBehindTheEndIsAGap) {
  const RecoveryVerdict verdict = decide({valid(4096), zero(), zero()}, Position{{9}, 12288});
  EXPECT_EQ(verdict.kind, Verdict::gap);
  EXPECT_EQ(verdict.reason, "the log ends at 9+8192, but 9+12288 is proven durable");
  EXPECT_EQ(decide({valid(4096), zero()}, Position::start_of({10})).kind, Verdict::gap);
}

TEST(Recovery, AProvenPositionAtTheEndIsKept) { EXPECT_EQ(decide({valid(4096), bad()}, Position{{9}, 8192}).kind, Verdict::keep); }

TEST(Recovery, ASealThatHoldsOnlyLacksItsName) {
  const RecoveryVerdict verdict = decide({valid(4096), valid(8192, false), seal()}, Position::start_of({10}));
  EXPECT_EQ(verdict.kind, Verdict::sealed);
  EXPECT_EQ(verdict.keep_blocks, 2u);
}

TEST(Recovery, AProofBehindTheSealIsAGap) { EXPECT_EQ(decide({valid(4096), seal()}, Position{{10}, 8192}).kind, Verdict::gap); }

TEST(Recovery, ALaterGenerationProvesWhatItsBlocksStateDurable) {
  EXPECT_EQ(decide({valid(4096), zero()}, {}, Position{{9}, 8192}).kind, Verdict::keep) << "it was being written in the same group";
  EXPECT_EQ(decide({valid(4096), bad()}, {}, Position{{9}, 12288}).kind, Verdict::damage);
  EXPECT_EQ(decide({valid(4096), bad(), seal()}, {}, Position::start_of({10})).kind, Verdict::damage);
  EXPECT_EQ(decide({valid(4096), seal()}, {}, Position::start_of({10})).kind, Verdict::sealed);
  const RecoveryVerdict verdict = decide({valid(4096), seal()}, {}, Position{{10}, 8192});
  EXPECT_EQ(verdict.kind, Verdict::damage);
  EXPECT_EQ(verdict.reason, "the open generation ends at a+4096, but a later one states a+8192 durable");
}

TEST(Recovery, NothingWrittenYetIsKeptAsItIs) {
  const RecoveryVerdict verdict = decide({zero(), zero()}, Position::start_of({9}));
  EXPECT_EQ(verdict.kind, Verdict::keep);
  EXPECT_EQ(verdict.keep_blocks, 0u);
}

// --- the record stream ---------------------------------------------------------------------------------------------------------

GenerationHeader header_nine(std::optional<CarriedRecord> carried = std::nullopt) {
  GenerationHeader header;
  header.signature = signature_a;
  header.generation = {9};
  header.page_size = 512;
  header.generation_bytes = 256 * KiB;
  header.last_record = header_of(20, 1);
  header.carried = carried;
  header.first_commit = carried ? 22 : 21;
  return header;
}

// Blocks of a payload that is `records` one after another, cut at `used` bytes.
Block block_of(std::uint32_t number, const Bytes& payload, std::uint16_t first_record) {
  Block block;
  block.number = number;
  block.first_record = first_record;
  block.payload = payload;
  return block;
}

Bytes record_bytes(CommitNumber number, std::uint32_t images) {
  Bytes bytes(RecordHeader::encoded_bytes);
  encode_record_header(header_of(number, images), bytes);
  bytes.resize(bytes.size() + images * 516);
  return bytes;
}

TEST(RecordScan, PositionsAreBoundariesAtBlockStartsAndOffsetsInside) {
  RecordScan scan(header_nine());
  EXPECT_EQ(scan.position(), Position::start_of({9}));
  Bytes payload = record_bytes(21, 1);
  const Bytes second = record_bytes(22, 9);
  payload.insert(payload.end(), second.begin(), second.end());
  const Bytes rest(payload.begin() + block_payload_max, payload.end());
  payload.resize(block_payload_max);
  ASSERT_OK(scan.feed(block_of(1, payload, 0)));
  EXPECT_EQ(scan.position(), (Position{{9}, 4096 + 64 + 644}));
  ASSERT_OK(scan.feed(block_of(2, rest, Block::none)));
  EXPECT_EQ(scan.position(), (Position{{9}, 3 * 4096}));
  EXPECT_EQ(scan.last_record(), header_of(22, 9));
  ASSERT_OK(scan.pass_seal());
  EXPECT_EQ(scan.position(), Position::start_of({10}));
}

TEST(RecordScan, ARecordThatGoesThroughASealKeepsItsStart) {
  RecordScan scan(header_nine());
  Bytes payload = record_bytes(21, 9);
  payload.resize(block_payload_max);
  ASSERT_OK(scan.feed(block_of(1, payload, 0)));
  ASSERT_OK(scan.pass_seal());
  EXPECT_EQ(scan.position(), Position::start_of({9}));
  GenerationHeader next = header_nine(CarriedRecord{header_of(21, 9), Position::start_of({9}), block_payload_max});
  next.generation = {10};
  RecordScan other = scan;
  ASSERT_OK(scan.enter(next));
  EXPECT_EQ(scan.position(), Position::start_of({9}));
  next.carried->bytes_before -= 1;
  EXPECT_EQ(other.enter(next).error().kind, ErrorKind::corrupt);
}

TEST(RecordScan, BreachesOfTheStreamAreFound) {
  const Bytes one = record_bytes(21, 1);
  const auto refused = [](const Block& block) { return !RecordScan(header_nine()).feed(block).ok(); };
  EXPECT_FALSE(refused(block_of(1, one, 0)));
  EXPECT_TRUE(refused(block_of(1, one, 644))) << "the first record is not where the block says";
  EXPECT_TRUE(refused(block_of(1, one, Block::none)));
  EXPECT_TRUE(refused(block_of(1, record_bytes(22, 1), 0))) << "a commit number is missing";
  EXPECT_TRUE(refused(block_of(1, record_bytes(20, 1), 0))) << "a commit number comes twice";
  EXPECT_TRUE(refused(block_of(1, Bytes(one.begin(), one.begin() + 400), 0))) << "the block ends inside the record";
  EXPECT_TRUE(refused(block_of(1, Bytes(one.begin(), one.begin() + 100), 0))) << "the block ends inside the header";
  EXPECT_TRUE(refused(block_of(1, Bytes(200, std::byte{1}), 0))) << "no record";
}

TEST(RecordScan, OnlyTheFirstBlockMayAbandonACarriedRecord) {
  const CarriedRecord carried{header_of(21, 20), Position{{8}, 8192}, 2000};
  RecordScan scan(header_nine(carried));
  EXPECT_EQ(scan.position(), (Position{{8}, 8192}));
  RecordScan abandoned = scan;
  ASSERT_OK(abandoned.feed(block_of(1, record_bytes(21, 1), 0)));
  EXPECT_EQ(abandoned.records_abandoned(), 1u);
  EXPECT_EQ(abandoned.position(), (Position{{9}, 8192}));
  ASSERT_OK(scan.feed(block_of(1, Bytes(block_payload_max), Block::none)));
  EXPECT_FALSE(scan.feed(block_of(2, record_bytes(21, 1), 0)).ok());
}

TEST(RecordScan, NoBlockMayStandInThePlaceOfTheSeal) {
  RecordScan scan(header_nine());
  const Bytes payload = record_bytes(21, 1000);
  for (std::uint32_t number = 1; number <= 62; ++number) {
    const Bytes part(payload.begin() + (number - 1) * 4032, payload.begin() + number * 4032);
    ASSERT_OK(scan.feed(block_of(number, part, number == 1 ? 0 : Block::none)));
  }
  EXPECT_EQ(data_blocks_max(256 * KiB), 62u);
  EXPECT_FALSE(scan.feed(block_of(63, Bytes(payload.begin(), payload.begin() + 4032), Block::none)).ok());
}

}  // namespace
}  // namespace ccr::storage
