// The passive side: blocks arrive in any chunks, the log is restarted at any point, and nothing that is wrong reaches a file.
#include "storage/generation_file.h"
#include "storage/quarantine.h"
#include "tests/log_support.h"

namespace ccr::storage::log_test_incoming {
namespace {

using namespace test;

// An active log of several generations, with groups, an early roll, and one record that goes through seals.
struct Shipping : testing::Test {
  void SetUp() override {
    ASSERT_OK(active.create());
    for (std::uint32_t i = 0; i < 30; ++i) {
      ASSERT_OK(active.write(i == 11 ? 1200 : i % 25));
      if (i % 4 == 2) continue;
      if (i == 20) ASSERT_OK(run(active.log->roll()));
      ASSERT_OK(active.sync());
      ends.push_back(active.log->durable());
    }
    end = active.log->durable();
    ASSERT_GE(end.generation.number, 5u);
  }
  // The blocks of the active log, one after another, as one chunk each.
  Bytes chunk(const BlockReader::Chunk& at, std::size_t blocks) {
    BlockReader reader(disk, active.directory());
    Bytes bytes(blocks * block_bytes);
    const ByteSpan into(bytes);
    const Result<BlockReader::Chunk> read = run(reader.read(at.generation, at.offset, end, into));
    EXPECT_TRUE(read.ok());
    bytes.resize(read.ok() ? read->bytes : 0);
    return bytes;
  }
  void expect_equal_to_active(Passive& passive) {
    EXPECT_EQ(passive.log->received(), end);
    EXPECT_EQ(passive.log->durable(), end);
    EXPECT_EQ(passive.log->inspected(), end);
    const ReadLog here = read_all(disk, passive.directory, Position::start_of({1}), end);
    ASSERT_FALSE(here.error) << here.error->message;
    EXPECT_EQ(here.records.size(), 30u);
    EXPECT_EQ(here.position, end);
    for (Generation g{1}; g < end.generation; g = g.next())
      EXPECT_EQ(disk.content(sealed_path(directory_p, g)), disk.content(sealed_path(directory_a, g)));
  }
  MemoryDisk disk;
  Active active{disk};
  std::vector<Position> ends;
  Position end;
};

class ChunkSize : public Shipping, public testing::WithParamInterface<std::size_t> {};

TEST_P(ChunkSize, EveryGenerationArrivesByteForByte) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, GetParam()));
  EXPECT_LT(passive.log->durable(), end) << "nothing is durable before a sync";
  EXPECT_EQ(passive.log->received(), end);
  ASSERT_OK(run(passive.log->sync()));
  expect_equal_to_active(passive);
  const ChainLink prefix = passive.log->open_prefix();
  EXPECT_EQ(prefix.generation, end.generation);
  EXPECT_EQ(prefix.bytes, end.offset);
  EXPECT_EQ(prefix.digest, digest128(ByteView(disk.content(directory_a + "/current.log")).first(end.offset)));
}

INSTANTIATE_TEST_SUITE_P(Blocks, ChunkSize, testing::Values(1, 2, 3, 7, 61, 64, 256));

TEST_F(Shipping, EveryGroupIsAtTheSamePositionOnAllSides) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  for (const Position position : ends) {
    ASSERT_OK(passive.ship(active, position, 5));
    ASSERT_OK(run(passive.log->sync()));
    EXPECT_EQ(passive.log->inspected(), position);
    EXPECT_EQ(read_all(disk, active.directory(), Position::start_of({1}), position).position, position);
    EXPECT_EQ(read_all(disk, passive.directory, Position::start_of({1}), position).position, position);
  }
}

// Power cuts at every operation of the passive side; after each, it opens, holds what was durable, and ends equal.
class Restarted : public Shipping, public testing::WithParamInterface<Survives> {};

TEST_P(Restarted, AtAnyOperationItHoldsWhatWasDurableAndGoesOn) {
  for (std::uint64_t operation = 1;; operation += 3) {
    SCOPED_TRACE("died in operation " + std::to_string(operation));
    Passive passive(active);
    disk.stop_at(operation);
    Position durable;
    Result<void> step = passive.open();
    while (step.ok() && passive.log->received() < end) {
      step = passive.ship(active, end, 9, 3);
      if (step.ok()) step = run(passive.log->sync());
      durable = passive.log->durable();
    }
    const bool done = step.ok();
    passive.log.reset();
    disk.crash(GetParam());
    ASSERT_OK(passive.open(durable));
    ASSERT_GE(passive.log->durable(), durable);
    ASSERT_OK(passive.ship(active, end, 64));
    ASSERT_OK(run(passive.log->sync()));
    expect_equal_to_active(passive);
    if (testing::Test::HasFatalFailure() || done) break;
    passive.log.reset();
    for (const auto& [name, content] : disk.all()) {
      if (name.starts_with(directory_p + "/")) disk.drop(name);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, Restarted, any_part, survives_name);

TEST_F(Shipping, CorruptBlocksAreRefusedAndChangeNothing) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, ends[2], 4));
  const Position wanted = passive.log->wanted();
  const Position received = passive.log->received();
  const Bytes good = chunk({wanted.generation, wanted.offset, 0, false}, 6);
  const auto before = disk.all();
  for (std::size_t at = 0; at < good.size(); at += 997) {
    Bytes bad = good;
    bad[at] ^= std::byte{0x10};
    const Result<void> taken = run(passive.log->accept(wanted.generation, wanted.offset, bad));
    ASSERT_FALSE(taken.ok());
    EXPECT_EQ(taken.error().kind, ErrorKind::corrupt);
  }
  EXPECT_EQ(disk.all(), before);
  EXPECT_EQ(passive.log->wanted(), wanted);
  EXPECT_EQ(passive.log->received(), received);
  EXPECT_OK(run(passive.log->accept(wanted.generation, wanted.offset, good)));
}

TEST_F(Shipping, BytesThatDoNotFollowAreRefused) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, ends[1], 4));
  const Position wanted = passive.log->wanted();
  const Bytes good = chunk({wanted.generation, wanted.offset, 0, false}, 2);
  const ByteView view(good);
  EXPECT_EQ(run(passive.log->accept(wanted.generation, wanted.offset + 4096, view)).error().kind, ErrorKind::protocol);
  EXPECT_EQ(run(passive.log->accept(wanted.generation.next(), 0, view)).error().kind, ErrorKind::protocol);
  EXPECT_EQ(run(passive.log->accept(wanted.generation, wanted.offset, view.first(100))).error().kind, ErrorKind::protocol);
  EXPECT_EQ(run(passive.log->accept(wanted.generation, wanted.offset, view.first(0))).error().kind, ErrorKind::protocol);
  EXPECT_EQ(run(passive.log->accept(wanted.generation, wanted.offset, view.subspan(4096))).error().kind, ErrorKind::corrupt);
}

TEST_F(Shipping, AForeignHistoryIsRefused) {
  MemoryDisk other_disk;
  Active other(other_disk);
  Signature foreign = signature_a;
  foreign.bytes[0] ^= std::byte{0x80};
  ASSERT_OK(other.take(run(LogStream::create(other_disk, other.clock, other.options, foreign))));
  Passive passive(active);
  ASSERT_OK(passive.open());
  Bytes header = other_disk.content(directory_a + "/current.log");
  header.resize(4096);
  const Result<void> taken = run(passive.log->accept({1}, 0, header));
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().kind, ErrorKind::identity);
}

// Two actives with one history up to generation 1, then different generations 2.
TEST_F(Shipping, AForkIsRefusedAtTheFirstGenerationThatDiffers) {
  MemoryDisk other_disk;
  Active other(other_disk);
  ASSERT_OK(other.create());
  ASSERT_OK(other.commit(3));
  ASSERT_OK(run(other.log->roll()));
  ASSERT_OK(other.commit(3));
  Passive passive(active);
  ASSERT_OK(passive.open());
  const Bytes first = disk.content(sealed_path(directory_a, {1}));
  ASSERT_OK(run(passive.log->accept({1}, 0, first)));
  ASSERT_EQ(passive.log->wanted(), (Position{{2}, 0}));
  const auto before = disk.all();
  const Bytes& file = other_disk.content(directory_a + "/current.log");
  const Bytes fork(file.begin(), file.begin() + 2 * 4096);
  const Result<void> taken = run(passive.log->accept({2}, 0, fork));
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().kind, ErrorKind::diverged);
  EXPECT_NE(taken.error().message.find("generation 2: chain digest"), std::string::npos) << taken.error().message;
  EXPECT_EQ(disk.all(), before);
}

TEST_F(Shipping, ASealOverOtherContentIsRefused) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  Bytes file = disk.content(sealed_path(directory_a, {1}));
  Result<Seal> seal = decode_seal(signature_a, {1}, static_cast<std::uint32_t>(file.size() / block_bytes - 1), ByteView(file).last(block_bytes));
  ASSERT_OK(seal);
  seal->content.bytes[0] ^= std::byte{1};
  encode_seal(signature_a, {1}, *seal, ByteSpan(file).last(block_bytes));
  EXPECT_EQ(run(passive.log->accept({1}, 0, file)).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(passive.log->wanted(), (Position{{1}, 0}));
}

TEST_F(Shipping, AnEndBeforeTheProvenPositionIsAGap) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  passive.log.reset();
  disk.file(incoming_path(directory_p, end.generation)).flip(2 * 4096 + 77, 0);
  const Result<void> opened = passive.open(end);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::gap);
  ASSERT_OK(passive.open(Position::start_of(end.generation)));
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  expect_equal_to_active(passive);
}

TEST_F(Shipping, SetAsideMovesGenerationsToQuarantineAndWantsThemAgain) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  for (int round = 1; round <= 2; ++round) {
    ASSERT_OK(passive.ship(active, end, 64));
    ASSERT_OK(run(passive.log->sync()));
    ASSERT_OK(run(passive.log->set_aside({3})));
    EXPECT_EQ(passive.log->wanted(), (Position{{3}, 0}));
    EXPECT_LE(passive.log->durable(), Position::start_of({3}));
    EXPECT_TRUE(disk.has(directory_p + "/quarantine/" + sealed_name({3}) + "." + std::to_string(round)));
    EXPECT_TRUE(disk.has(directory_p + "/quarantine/" + sealed_name(end.generation) + "." + std::to_string(round)));
    EXPECT_FALSE(disk.has(sealed_path(directory_p, {3})));
    EXPECT_TRUE(disk.has(sealed_path(directory_p, {2})));
  }
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  expect_equal_to_active(passive);
}

TEST_F(Shipping, SetAsideOfAllTakesOlderFilesInFrontOfAHoleToo) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  disk.drop(sealed_path(directory_p, {2}));
  ASSERT_OK(passive.open());
  ASSERT_EQ(passive.log->first(), Generation{3});
  ASSERT_OK(run(passive.log->set_aside({3})));
  EXPECT_EQ(passive.log->wanted(), (Position{{3}, 0}));
  EXPECT_TRUE(disk.has(directory_p + "/quarantine/" + sealed_name({1}) + ".1"));
  EXPECT_TRUE(disk.has(directory_p + "/quarantine/" + sealed_name({3}) + ".1"));
}

TEST_F(Shipping, RestartAtForgetsTheLogAndBeginsAtAnotherGeneration) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->restart_at({4}, Generation{4})));
  EXPECT_EQ(passive.log->wanted(), (Position{{4}, 0}));
  EXPECT_EQ(passive.log->first().number, 0u);
  EXPECT_EQ(passive.log->durable(), Position::start_of({4}));
  EXPECT_FALSE(disk.has(sealed_path(directory_p, {1})));
  EXPECT_FALSE(disk.has(sealed_path(directory_p, {4})));
  EXPECT_TRUE(disk.has(directory_p + "/quarantine/" + sealed_name({4}) + ".1"));
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  EXPECT_EQ(passive.log->durable(), end);
  EXPECT_EQ(passive.log->first().number, 4u);
  passive.log.reset();
  ASSERT_OK(passive.open(end, {4}));
  EXPECT_EQ(passive.log->durable(), end);
}

TEST_F(Shipping, ALogThatIsAPrefixOfTheNextOneIsNotSetAside) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->restart_at({4}, std::nullopt)));
  EXPECT_EQ(passive.log->first().number, 0u);
  EXPECT_EQ(*run(measure_quarantine(disk, directory_p)), (Quarantine{0, 0}));
  EXPECT_FALSE(disk.has(sealed_path(directory_p, {3})));
  EXPECT_FALSE(disk.has(sealed_path(directory_p, {4})));
}

TEST_F(Shipping, AFullQuarantineRefusesBeforeAnythingIsMoved) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  passive.log.reset();
  const std::string folder = directory_p + "/quarantine";
  ASSERT_OK(run(disk.make_directories(folder)));
  for (std::uint64_t i = 0; i + 1 < Quarantine::files_max; ++i) {
    const std::string path = folder + "/0000000000000001.log." + std::to_string(i + 1);
    Result<std::unique_ptr<File>> file = run(disk.open(path, OpenMode::create_new));
    ASSERT_OK(file);
  }
  const std::vector<GenerationFile> before = *run(list_generations(disk, directory_p));
  ASSERT_GT(before.size(), 2u);
  const Result<void> refused = run(set_aside_generations(disk, directory_p, {1}));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::full);
  EXPECT_EQ(run(list_generations(disk, directory_p))->size(), before.size());
  EXPECT_EQ(run(measure_quarantine(disk, directory_p))->files, Quarantine::files_max - 1);
  // One more fits, under a name that is free.
  ASSERT_OK(run(set_aside_generations(disk, directory_p, end.generation)));
  EXPECT_EQ(run(measure_quarantine(disk, directory_p))->files, Quarantine::files_max);
}

TEST(QuarantineRoom, AnEmptyOneTakesAnyOneLogAndAFullOneNone) {
  EXPECT_TRUE((Quarantine{0, 0}.has_room(5000, 5 * GiB)));
  EXPECT_TRUE((Quarantine{255, 1}.has_room(1, 1)));
  EXPECT_FALSE((Quarantine{256, 1}.has_room(1, 1)));
  EXPECT_TRUE((Quarantine{1, GiB - 1}.has_room(1, 1)));
  EXPECT_FALSE((Quarantine{1, GiB}.has_room(1, 1)));
  EXPECT_TRUE((Quarantine{256, GiB}.has_room(0, 0)));
}

TEST_F(Shipping, TruncationRemovesFromBelowAndKeepsTheNewestSealedGeneration) {
  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, end, 64));
  ASSERT_OK(run(passive.log->sync()));
  ASSERT_OK(run(passive.log->truncate_below({3})));
  EXPECT_EQ(passive.log->first().number, 3u);
  EXPECT_FALSE(disk.has(sealed_path(directory_p, {2})));
  ASSERT_OK(run(passive.log->truncate_below({3})));
  EXPECT_EQ(passive.log->first().number, 3u);
  ASSERT_OK(run(passive.log->truncate_below({1000})));
  EXPECT_EQ(passive.log->first(), end.generation.previous());
  passive.log.reset();
  ASSERT_OK(passive.open(end));
  EXPECT_EQ(passive.log->durable(), end);
}

TEST_F(Shipping, ATruncatedGenerationIsAGapForTheBlockReader) {
  disk.drop(sealed_path(directory_a, {1}));
  BlockReader reader(disk, active.directory());
  Bytes buffer(4096);
  const ByteSpan into(buffer);
  EXPECT_EQ(run(reader.read({1}, 0, end, into)).error().kind, ErrorKind::gap);
}

TEST_F(Shipping, TheBlockReaderStopsAtTheDurablePositionAndAtSeals) {
  BlockReader reader(disk, active.directory());
  Bytes buffer(1024 * 4096);
  const ByteSpan into(buffer);
  const Result<BlockReader::Chunk> first = run(reader.read({1}, 0, end, into));
  ASSERT_OK(first);
  EXPECT_TRUE(first->sealed);
  EXPECT_EQ(first->bytes, disk.content(sealed_path(directory_a, {1})).size());
  EXPECT_EQ(run(reader.read({1}, first->bytes, end, into))->bytes, 0u);
  const Result<BlockReader::Chunk> last = run(reader.read(end.generation, 0, end, into));
  ASSERT_OK(last);
  EXPECT_FALSE(last->sealed);
  EXPECT_EQ(last->bytes, end.offset);
  EXPECT_EQ(run(reader.read(end.generation, end.offset, end, into))->bytes, 0u);
  EXPECT_EQ(run(reader.read(end.generation.next(), 0, end, into))->bytes, 0u);
  EXPECT_EQ(run(reader.read(end.generation.next(), 0, Position::start_of(end.generation.next()), into))->bytes, 0u)
      << "the header behind the last seal is shipped once it exists";
}

TEST_F(Shipping, ADamagedBlockIsNeverHandedOut) {
  disk.file(sealed_path(directory_a, {2})).flip(5 * 4096 + 900, 2);
  BlockReader reader(disk, active.directory());
  Bytes buffer(8 * 4096);
  const ByteSpan into(buffer);
  const Result<BlockReader::Chunk> read = run(reader.read({2}, 0, end, into));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().kind, ErrorKind::corrupt);
  EXPECT_NE(read.error().message.find("block 5"), std::string::npos) << read.error().message;
}

}  // namespace
}  // namespace ccr::storage::log_test_incoming
