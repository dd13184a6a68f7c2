// Writing and reading a log: round trips, group commits, seals, and positions that are the same bytes on all sides.
#include "tests/log_support.h"

namespace ccr::storage {
namespace {

using namespace test;

struct Shape {
  std::uint32_t page_size;
  std::uint32_t images;
};

class RoundTrip : public testing::TestWithParam<Shape> {};

TEST_P(RoundTrip, EveryRecordComesBackWithItsPages) {
  MemoryDisk disk;
  Active active(disk, GetParam().page_size);
  ASSERT_OK(active.create());
  std::vector<Position> ends;
  for (int i = 0; i < 12; ++i) {
    ASSERT_OK(active.commit(GetParam().images));
    ends.push_back(active.log->durable());
  }
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
  ASSERT_FALSE(read.error) << read.error->message;
  ASSERT_EQ(read.records.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(read.records[i].header, header_of(i + 1, GetParam().images));
    EXPECT_TRUE(read.records[i].pages_right);
    EXPECT_EQ(read.records[i].behind, ends[i]);
  }
  EXPECT_EQ(read.position, active.log->durable());
}

INSTANTIATE_TEST_SUITE_P(Sizes, RoundTrip,
                         testing::Values(Shape{512, 0}, Shape{512, 1}, Shape{512, 1000}, Shape{1024, 3}, Shape{4096, 1}, Shape{4096, 200},
                                         Shape{8192, 5}, Shape{65536, 1}, Shape{65536, 40}));

TEST(LogStream, AGroupSharesBlocksAndASyncStartsANewOne) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  const Result<Position> first = active.write(1);
  const Result<Position> second = active.write(1);
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ(*first, (Position{{1}, 4096 + 64 + 128 + 516}));
  EXPECT_EQ(*second, (Position{{1}, 4096 + 64 + 2 * (128 + 516)}));
  EXPECT_EQ(active.log->durable(), Position::start_of({1}));
  ASSERT_OK(active.sync());
  EXPECT_EQ(active.log->durable(), (Position{{1}, 2 * 4096}));
  EXPECT_EQ(active.log->durable_commit(), 2u);
  const Bytes before = disk.content(directory_a + "/current.log");
  ASSERT_OK(active.commit(1));
  const Bytes& after = disk.content(directory_a + "/current.log");
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 2 * 4096, after.begin())) << "a synced block was written again";
}

TEST(LogStream, ARecordThatFillsItsBlockEndsAtTheNextBoundary) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  // 4032 bytes of payload are 6 records of one image (644 bytes) and 168 bytes: a header of 128 and 40 bytes of the body.
  for (int i = 0; i < 6; ++i) ASSERT_OK(active.write(1));
  const Result<Position> straddling = active.write(1);
  ASSERT_OK(straddling);
  EXPECT_EQ(*straddling, (Position{{1}, 2 * 4096 + 64 + 476}));
  ASSERT_OK(active.sync());
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
  ASSERT_EQ(read.records.size(), 7u);
  EXPECT_EQ(read.records[5].behind, (Position{{1}, 4096 + 64 + 6 * 644}));
  EXPECT_EQ(read.records[6].behind, (Position{{1}, 3 * 4096}));
}

TEST(LogStream, EveryEndOfARecordIsAPlaceToStartReading) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  for (std::uint32_t i = 0; i < 60; ++i) {
    ASSERT_OK(active.write(i % 23));
    if (i % 7 == 6) ASSERT_OK(active.sync());
  }
  ASSERT_OK(active.sync());
  const Position limit = active.log->durable();
  const ReadLog whole = read_all(disk, active.directory(), Position::start_of({1}), limit);
  ASSERT_EQ(whole.records.size(), 60u);
  EXPECT_GT(limit.generation.number, 1u) << "the test should cross generations";
  for (std::size_t i = 0; i < 60; ++i) {
    const ReadLog rest = read_all(disk, active.directory(), whole.records[i].behind, limit);
    ASSERT_FALSE(rest.error) << rest.error->message;
    ASSERT_EQ(rest.records.size(), 59 - i);
    if (!rest.records.empty()) {
      EXPECT_EQ(rest.records[0].header.number, i + 2);
    }
    EXPECT_EQ(rest.position, limit);
  }
}

TEST(LogStream, ALargeRecordGoesThroughManyGenerationsInBoundedMemory) {
  MemoryDisk disk;
  Active active(disk, 4096);
  ASSERT_OK(active.create());
  constexpr std::uint32_t images = 5000;  // 20 MB through generations of 256 KiB
  ASSERT_OK(active.commit(3));
  const Position small = active.log->durable();
  ASSERT_OK(active.write(images));
  EXPECT_EQ(active.log->durable(), small) << "no position inside a record is ever durable";
  EXPECT_EQ(active.log->durable_commit(), 1u);
  ASSERT_OK(active.sync());
  EXPECT_GT(active.log->open_generation().number, 75u);
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
  ASSERT_FALSE(read.error) << read.error->message;
  ASSERT_EQ(read.records.size(), 2u);
  EXPECT_TRUE(read.records[1].pages_right);
  EXPECT_EQ(read.seals.size(), active.log->open_generation().number - 1);
  EXPECT_EQ(read.seals.front().seal.last_commit, 1u) << "a seal inside a record names the record before it";
  EXPECT_EQ(read.seals.front().seal.root, root_of(1));
}

TEST(LogReader, NothingBehindTheLimitIsRead) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(9));
  const Position first = active.log->durable();
  ASSERT_OK(active.commit(9));
  const Position second = active.log->durable();
  sim::Content& file = disk.file(directory_a + "/current.log");
  file.write(first.offset, Bytes(file.size() - first.offset, std::byte{0x55}));
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), first);
  EXPECT_FALSE(read.error);
  EXPECT_EQ(read.records.size(), 1u);
  const ReadLog beyond = read_all(disk, active.directory(), Position::start_of({1}), second);
  ASSERT_TRUE(beyond.error);
  EXPECT_EQ(beyond.error->kind, ErrorKind::corrupt);
  EXPECT_EQ(beyond.records.size(), 1u);
}

TEST(LogReader, GoesOnWhereItStoodWhenTheLimitRises) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  LogReader reader(disk, active.directory(), Position::start_of({1}));
  ReadLog read;
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_OK(active.commit(i % 11));
    ASSERT_OK(run(read_on(reader, active.log->durable(), 512, read)));
    ASSERT_EQ(read.records.size(), i + 1);
    EXPECT_EQ(read.position, active.log->durable());
  }
  EXPECT_GT(read.seals.size(), 0u);
}

TEST(LogReader, PagesComeAsManyAtATimeAsItsBoundAllows) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(300));
  LogReader reader(disk, active.directory(), Position::start_of({1}));
  ASSERT_OK(run(reader.next(active.log->durable())));
  std::vector<std::size_t> counts;
  for (PageNumber expected = 1;;) {
    const Result<std::span<const Page>> pages = run(reader.next_pages());
    ASSERT_OK(pages);
    if (pages->empty()) break;
    counts.push_back(pages->size());
    for (const Page& page : *pages) ASSERT_EQ(page.number, expected++);
  }
  EXPECT_EQ(counts, (std::vector<std::size_t>{127, 127, 46})) << "64 KiB of 516 bytes each";
  EXPECT_EQ(reader.position(), active.log->durable());
}

TEST(LogReader, PagesThatWereNotTakenAreSkipped) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(700));
  ASSERT_OK(active.commit(2));
  LogReader reader(disk, active.directory(), Position::start_of({1}));
  const Position limit = active.log->durable();
  Result<std::optional<RecordHeader>> first = run(reader.next(limit));
  ASSERT_OK(first);
  ASSERT_OK(run(reader.next_pages()));
  EXPECT_EQ(reader.position(), Position::start_of({1}));
  Result<std::optional<RecordHeader>> second = run(reader.next(limit));
  ASSERT_OK(second);
  ASSERT_TRUE(second->has_value());
  EXPECT_EQ((*second)->number, 2u);
}

TEST(LogReader, AMissingGenerationIsAGap) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(active.commit(1));
    ASSERT_OK(run(active.log->roll()));
  }
  disk.drop(directory_a + "/" + sealed_name({2}));
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
  ASSERT_TRUE(read.error);
  EXPECT_EQ(read.error->kind, ErrorKind::gap);
  EXPECT_EQ(read.records.size(), 1u);
}

TEST(LogReader, AGenerationOfAnotherHistoryIsDiverged) {
  MemoryDisk disk, other_disk;
  Active active(disk), other(other_disk);
  ASSERT_OK(active.create());
  ASSERT_OK(other.create());
  ASSERT_OK(active.commit(1));
  ASSERT_OK(other.commit(2));
  for (Active* log : {&active, &other}) {
    ASSERT_OK(run(log->log->roll()));
    ASSERT_OK(log->commit(1));
    ASSERT_OK(run(log->log->roll()));
  }
  const std::string second = directory_a + "/" + sealed_name({2});
  disk.put(second, other_disk.content(second));
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
  ASSERT_TRUE(read.error);
  EXPECT_EQ(read.error->kind, ErrorKind::diverged);
}

TEST(LogStream, RollSealsAtOnceAndLeavesAnEmptyGenerationAlone) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(run(active.log->roll()));
  EXPECT_EQ(active.log->open_generation().number, 1u);
  ASSERT_OK(active.write(1));
  ASSERT_OK(run(active.log->roll()));
  EXPECT_EQ(active.log->open_generation().number, 2u);
  EXPECT_EQ(active.log->durable(), Position::start_of({2})) << "a seal makes what ended before it durable";
  EXPECT_EQ(active.log->durable_commit(), 1u);
  EXPECT_EQ(disk.content(directory_a + "/" + sealed_name({1})).size(), 3 * 4096u);
  const ReadLog read = read_all(disk, active.directory(), Position::start_of({1}), active.log->durable());
  EXPECT_EQ(read.position, Position::start_of({2}));
  ASSERT_EQ(read.seals.size(), 1u);
  EXPECT_EQ(read.seals[0].seal.last_commit, 1u);
  EXPECT_EQ(read.seals[0].seal.root, root_of(1));
  EXPECT_EQ(read.seals[0].seal.page_count, 8u);
}

TEST(LogStream, RollsWhenIdleOnlyWithADurableRecordThatIsOldEnough) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  const Duration minute = std::chrono::minutes(1);
  active.clock.at = {10 * minute.count()};
  EXPECT_FALSE(*run(active.log->roll_if_idle(minute))) << "it holds no record";
  ASSERT_OK(active.write(1));
  active.clock.at = {12 * minute.count()};
  EXPECT_FALSE(*run(active.log->roll_if_idle(minute))) << "its record is not durable";
  ASSERT_OK(active.sync());
  EXPECT_FALSE(*run(active.log->roll_if_idle(3 * minute))) << "its record is not old enough";
  EXPECT_TRUE(*run(active.log->roll_if_idle(minute)));
  EXPECT_EQ(active.log->open_generation().number, 2u);
}

TEST(LogStream, APreparedFileIsUsedByTheNextRoll) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(1));
  ASSERT_OK(run(active.log->prepare()));
  EXPECT_TRUE(disk.has(directory_a + "/prepared.log"));
  ASSERT_OK(run(active.log->roll()));
  EXPECT_FALSE(disk.has(directory_a + "/prepared.log"));
  EXPECT_EQ(disk.content(directory_a + "/current.log").size(), 256 * KiB);
  ASSERT_OK(active.commit(1));
  EXPECT_EQ(read_all(disk, active.directory(), Position::start_of({1}), active.log->durable()).records.size(), 2u);
}

TEST(LogStream, AFailedWriteMakesItUnusableWithTheFirstError) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(1));
  disk.stop_at(1);
  EXPECT_FALSE(active.commit(1).ok());
  EXPECT_TRUE(active.log->failed());
  disk.stop_at(MemoryDisk::never);
  const Result<void> again = active.sync();
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::io);
}

TEST(LogStream, CreateRefusesADirectoryThatHoldsALog) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  const Result<void> again = active.create();
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::exists);
}

}  // namespace
}  // namespace ccr::storage
