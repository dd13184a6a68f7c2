// A log whose disk has no room for another generation: what is under way comes to its end in the reserve, and nothing that was acknowledged is lost.
#include "storage/generation_file.h"
#include "storage/reserve_files.h"
#include "tests/log_support.h"

namespace ccr::storage::log_test_reserve {
namespace {

using namespace test;

std::size_t reserves_in(const MemoryDisk& disk) {
  std::size_t files = 0;
  for (const auto& [name, content] : disk.all()) files += name.starts_with(directory_a + "/reserve.") ? 1 : 0;
  return files;
}

TEST(ReserveFiles, AreMadeOnceStayOverARestartAndAreOfOneLength) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(run(active.log->fill_reserve()));
  EXPECT_EQ(reserves_in(disk), 2u);
  const std::uint64_t operations = disk.operations();
  ASSERT_OK(run(active.log->fill_reserve()));
  EXPECT_EQ(disk.operations(), operations) << "they are there";
  ASSERT_OK(active.commit(10));
  active.log.reset();
  ASSERT_OK(active.open());
  EXPECT_EQ(reserves_in(disk), 2u);
  disk.fill(true);
  ASSERT_OK(run(active.log->fill_reserve()));  // what is there needs no room
  EXPECT_FALSE(active.log->no_room());
  disk.put(directory_a + "/reserve.1", Bytes(4096));
  active.log.reset();
  disk.fill(false);
  ASSERT_OK(active.open());
  disk.fill(true);
  const Result<void> refused = run(active.log->fill_reserve());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::no_space);
  disk.fill(false);
  ASSERT_OK(run(active.log->fill_reserve()));
  EXPECT_EQ(disk.content(directory_a + "/reserve.1").size(), 256 * KiB);
}

// The group under way when the disk is full, one generation or two long.
TEST(ReserveFiles, TakeTheEndOfWhatIsUnderWayAndNoMoreThanTheyAre) {
  for (const std::uint32_t images : {100u, 600u, 900u, 1'400u}) {
    SCOPED_TRACE(images);
    MemoryDisk disk;
    Active active(disk);
    ASSERT_OK(active.create());
    ASSERT_OK(run(active.log->fill_reserve()));
    ASSERT_OK(active.commit(400));
    disk.fill(true);
    const CommitNumber before = active.log->durable_commit();
    const Result<void> committed = active.commit(images);
    const bool fits = images < 1'100;
    ASSERT_EQ(committed.ok(), fits);
    if (!fits) {
      EXPECT_EQ(committed.error().kind, ErrorKind::no_space);
    }
    ASSERT_TRUE(active.log->no_room().has_value());
    EXPECT_EQ(active.log->no_room()->kind, ErrorKind::no_space);
    EXPECT_EQ(reserves_in(disk), images < 400 ? 1u : 0u);
    const Position end = active.log->durable();
    EXPECT_EQ(active.log->durable_commit(), before + (fits ? 1 : 0));
    active.log.reset();
    disk.fill(false);
    ASSERT_OK(active.open(end));
    EXPECT_EQ(active.log->durable_commit(), before + (fits ? 1 : 0));
    EXPECT_FALSE(active.log->no_room());
    ASSERT_OK(run(active.log->fill_reserve()));
    EXPECT_EQ(reserves_in(disk), 2u);
    ASSERT_OK(active.commit(600));
    ASSERT_OK(run(verify_chain(disk, directory_a)));
    const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
    ASSERT_FALSE(read.error) << read.error->message;
    for (const ReadRecord& record : read.records) EXPECT_TRUE(record.pages_right);
  }
}

class FullCut : public testing::TestWithParam<Survives> {};

// Commits until the disk is full, and the one that is under way then. Ends at the first error; answers what was acknowledged.
std::pair<Position, CommitNumber> write_until_full(Active& active) {
  std::pair<Position, CommitNumber> believed;
  if (!active.create().ok() || !run(active.log->fill_reserve()).ok()) return believed;
  for (std::uint32_t i = 0; i < 12; ++i) {
    active.disk.fill(i >= 9);
    if (!active.commit(i * 53 % 150 + 60).ok()) return believed;
    believed = {active.log->durable(), active.log->durable_commit()};
    if (active.log->no_room()) return believed;
  }
  return believed;
}

TEST_P(FullCut, AtAnyOperationOfIt) {
  std::uint64_t operations = 0;
  {
    MemoryDisk disk;
    Active active(disk);
    disk.stop_at(MemoryDisk::never);
    static_cast<void>(write_until_full(active));
    ASSERT_TRUE(active.log->no_room().has_value());
    operations = disk.operations();
  }
  for (std::uint64_t operation = 2; operation <= operations; operation += 3) {
    SCOPED_TRACE("died in operation " + std::to_string(operation));
    MemoryDisk disk;
    Active active(disk);
    disk.stop_at(operation);
    const auto [durable, commit] = write_until_full(active);
    active.log.reset();
    disk.crash(GetParam());
    disk.fill(false);
    const Result<void> opened = active.open(durable);
    if (!opened.ok() && opened.error().kind == ErrorKind::not_found && !durable.known()) continue;
    ASSERT_OK(opened);
    ASSERT_GE(active.log->durable_commit(), commit);
    ASSERT_OK(run(active.log->fill_reserve()));
    for (int more = 0; more < 2; ++more) ASSERT_OK(active.commit(300));
    ASSERT_OK(run(verify_chain(disk, directory_a)));
    const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
    ASSERT_FALSE(read.error) << read.error->message;
    EXPECT_EQ(read.records.size(), active.log->durable_commit());
    for (const ReadRecord& record : read.records) EXPECT_TRUE(record.pages_right);
    if (testing::Test::HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Survivors, FullCut,
                         testing::Values(Survives::nothing, Survives::names, Survives::content, Survives::everything, Survives::last_name));

}  // namespace
}  // namespace ccr::storage::log_test_reserve
