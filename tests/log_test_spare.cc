// Files of truncated generations serve again: on both sides, cut at every operation, nothing of the older content is ever taken for newer.
#include "storage/generation_file.h"
#include "storage/spare_files.h"
#include "tests/log_support.h"

namespace ccr::storage::log_test_spare {
namespace {

using namespace test;

std::vector<std::string> spares_in(const MemoryDisk& disk, const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& [name, content] : disk.all()) {
    if (name.starts_with(directory + "/spare.")) names.push_back(name);
  }
  return names;
}

TEST(SpareFiles, ATruncatedGenerationsFileIsTheNextOnesAndWhatIsLeftInItIsNothing) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  while (active.log->open_generation().number < 4) ASSERT_OK(active.commit(40));
  const Result<Generation> first = run(active.log->truncate_below({3}));
  ASSERT_OK(first);
  EXPECT_EQ(first->number, 3u);
  EXPECT_EQ(spares_in(disk, directory_a).size(), 2u);
  ASSERT_OK(run(active.log->prepare()));
  EXPECT_FALSE(disk.has(directory_a + "/prepared.log")) << "there is enough";
  ASSERT_OK(run(active.log->roll()));
  EXPECT_EQ(spares_in(disk, directory_a).size(), 1u);
  ASSERT_OK(active.commit(3));
  const Position end = active.log->durable();
  const Bytes content = disk.content(directory_a + "/current.log");
  ASSERT_EQ(content.size(), 256 * KiB);
  EXPECT_TRUE(is_left_over(signature_a, {5}, 40, ByteView(content).subspan(40 * block_bytes, block_bytes)));
  const Result<GenerationFacts> facts = run(inspect_generation(disk, directory_a + "/current.log", signature_a));
  ASSERT_OK(facts);
  EXPECT_EQ(facts->records_total, 1u);
  ASSERT_OK(run(verify_chain(disk, directory_a)));
  active.log.reset();
  ASSERT_OK(active.open(end));
  EXPECT_EQ(active.log->durable(), end);
  EXPECT_EQ(active.log->recovered().cut_bytes, 0u);
  EXPECT_TRUE(spares_in(disk, directory_a).empty()) << "another life does not know what is in them";
}

TEST(SpareFiles, NobodyHasUseForThemOnceNothingComes) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  while (active.log->open_generation().number < 4) ASSERT_OK(active.commit(40));
  ASSERT_OK(run(active.log->truncate_below({3})));
  ASSERT_FALSE(spares_in(disk, directory_a).empty());
  ASSERT_OK(run(active.log->give_back()));
  EXPECT_TRUE(spares_in(disk, directory_a).empty());
  ASSERT_OK(run(active.log->roll()));
  ASSERT_OK(active.commit(1));
}

TEST(SpareFiles, OneOfAnotherLengthOrOfANumberThatIsNotLowerIsNotGiven) {
  MemoryDisk disk;
  ASSERT_OK(run(disk.make_directories("/s")));
  SpareFiles spares(disk, "/s");
  std::optional<GenerationFile> kept;
  for (const std::uint64_t number : {7u, 8u}) {
    const GenerationFile file{{number}, 256 * KiB, true, sealed_path("/s", {number})};
    ASSERT_OK(run(disk.open(file.path, OpenMode::create_new)));
    const Result<std::optional<GenerationFile>> spare = run(spares.keep_or_remove(file, number == 7 ? 256 * KiB : 512 * KiB));
    ASSERT_OK(spare);
    EXPECT_EQ(spare->has_value(), number == 7);
    if (number == 7) kept = *spare;
  }
  EXPECT_EQ(disk.all().size(), 1u) << "the one of another length is gone";
  EXPECT_TRUE(spares.empty()) << "a crash may still bring its old name back";
  spares.settle(kept);
  EXPECT_EQ(*run(spares.take("/s/new", {8}, 512 * KiB)), nullptr);
  EXPECT_EQ(*run(spares.take("/s/new", {7}, 256 * KiB)), nullptr);
  EXPECT_NE(*run(spares.take("/s/new", {8}, 256 * KiB)), nullptr);
  EXPECT_EQ(*run(spares.take("/s/newer", {9}, 256 * KiB)), nullptr);
}

TEST(SpareFiles, AGenerationThatIsTruncatedWhileItIsReadIsAGapAndNoDamage) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  while (active.log->open_generation().number < 4) ASSERT_OK(active.commit(40));
  BlockReader reader(disk, active.directory());
  Bytes buffer(8 * block_bytes);
  const ByteSpan into(buffer);
  ASSERT_OK(run(reader.read({1}, 0, active.log->durable(), into)));
  ASSERT_OK(run(active.log->truncate_below({3})));
  ASSERT_OK(run(active.log->roll()));
  while (active.log->open_generation().number < 6) ASSERT_OK(active.commit(40));
  const Result<BlockReader::Chunk> late = run(reader.read({1}, 8 * block_bytes, active.log->durable(), into));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().kind, ErrorKind::gap) << late.error().message;
}

// What an active log's owner believes at the moment of death: everything from `from` on is there.
struct Believed {
  Position from = Position::start_of({1}), durable;
  CommitNumber before = 0, commit = 0;
};

// Commits over many generations, truncated behind the writer again and again. Ends at the first error.
Believed write_and_truncate(Active& active) {
  Believed believed;
  if (!active.create().ok()) return believed;
  Position mark = believed.from;
  CommitNumber marked = 0;
  for (std::uint32_t i = 0; i < 36; ++i) {
    if (!active.write(i * 37 % 150).ok() || !active.sync().ok()) return believed;
    believed.durable = active.log->durable();
    believed.commit = active.log->durable_commit();
    if (i % 6 != 5) continue;
    believed.from = std::exchange(mark, believed.durable);
    believed.before = std::exchange(marked, believed.commit);
    if (!run(active.log->truncate_below(believed.from.generation)).ok()) return believed;
  }
  return believed;
}

void expect_all(Active& active, const Believed& believed) {
  const Position end = active.log->durable();
  EXPECT_GE(end, believed.durable);
  const ReadLog read = read_all(active.disk, active.directory(), believed.from, end);
  ASSERT_FALSE(read.error) << read.error->message;
  EXPECT_EQ(read.records.size(), active.log->durable_commit() - believed.before);
  for (const ReadRecord& record : read.records) EXPECT_TRUE(record.pages_right);
}

class Cut : public testing::TestWithParam<Survives> {};

TEST_P(Cut, AnActiveLogHoldsAtAnyOperationWhatWasAcknowledged) {
  std::uint64_t operations = 0;
  {
    MemoryDisk disk;
    Active active(disk);
    disk.stop_at(MemoryDisk::never);
    ASSERT_EQ(write_and_truncate(active).commit, 36u);
    operations = disk.operations();
    ASSERT_GE(active.log->open_generation().number, 5u);
  }
  for (std::uint64_t operation = 2; operation <= operations; operation += 3) {
    SCOPED_TRACE("died in operation " + std::to_string(operation));
    MemoryDisk disk;
    Active active(disk);
    disk.stop_at(operation);
    const Believed believed = write_and_truncate(active);
    active.log.reset();
    disk.crash(GetParam());
    const Result<void> opened = active.open(believed.durable);
    if (!opened.ok() && opened.error().kind == ErrorKind::not_found && !believed.durable.known()) continue;
    ASSERT_OK(opened);
    expect_all(active, believed);
    EXPECT_TRUE(spares_in(disk, directory_a).empty());
    ASSERT_OK(active.commit(200));
    ASSERT_OK(run(verify_chain(disk, directory_a)));
    if (testing::Test::HasFailure()) break;
  }
}

// The passive side follows an active log, truncates behind itself, and is cut.
TEST_P(Cut, AnIncomingLogHoldsAtAnyOperationWhatWasDurable) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  for (std::uint32_t i = 0; i < 36; ++i) ASSERT_OK(active.commit(i * 37 % 150));
  const Position end = active.log->durable();
  for (std::uint64_t operation = 1;; operation += 5) {
    SCOPED_TRACE("died in operation " + std::to_string(operation));
    Passive passive(active);
    disk.stop_at(operation);
    Position durable;
    Result<void> step = passive.open();
    while (step.ok() && passive.log->received() < end) {
      step = passive.ship(active, end, 11, 3);
      if (step.ok()) step = run(passive.log->sync());
      durable = passive.log->durable();
      if (step.ok() && durable.generation.number > 1) step = run(passive.log->truncate_below(durable.generation.previous()));
    }
    const bool done = step.ok();
    passive.log.reset();
    disk.crash(GetParam());
    ASSERT_OK(passive.open(durable));
    ASSERT_GE(passive.log->durable(), durable);
    EXPECT_TRUE(spares_in(disk, directory_p).empty());
    ASSERT_OK(passive.ship(active, end, 64));
    ASSERT_OK(run(passive.log->sync()));
    EXPECT_EQ(passive.log->inspected(), end);
    for (Generation g = passive.log->first(); g < end.generation; g = g.next())
      ASSERT_EQ(disk.content(sealed_path(directory_p, g)), disk.content(sealed_path(directory_a, g)));
    if (testing::Test::HasFailure() || done) break;
    passive.log.reset();
    for (const auto& [name, content] : disk.all()) {
      if (name.starts_with(directory_p + "/")) disk.drop(name);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, Cut, any_part, survives_name);

}  // namespace
}  // namespace ccr::storage::log_test_spare
