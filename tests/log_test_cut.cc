// A received log that ends earlier than it came: where a point in time lies in it, and what becomes of the rest.
#include "storage/generation_file.h"
#include "storage/log_cut.h"
#include "storage/log_handover.h"
#include "tests/log_support.h"
#include "tests/sweep.h"

namespace ccr::storage::log_test_cut {
namespace {

using namespace test;

// Commit n has the wall time of n seconds; one of them goes through seals, and groups of three share blocks.
constexpr int commits = 30, long_one = 12;
using Files = std::vector<std::pair<std::string, Bytes>>;

WallTime second(double at) { return {static_cast<std::int64_t>(at * 1e9)}; }

struct Received {
  void build() {
    ASSERT_OK(active.create());
    for (int i = 1; i <= commits; ++i) {
      ASSERT_OK(active.write(i == long_one ? 1200 : static_cast<std::uint32_t>(i % 5)));
      if (i == 20) ASSERT_OK(run(active.log->roll()));
      if (i % 3 == 0 || i == 20) ASSERT_OK(active.sync());
    }
    Passive passive(active);
    ASSERT_OK(passive.open());
    ASSERT_OK(passive.ship(active, active.log->durable(), 16));
    ASSERT_OK(run(passive.log->sync()));
    end = passive.log->durable();
    directory = passive.directory;
    ASSERT_GE(end.generation.number, 4u);
    passive.log.reset();
    for (const auto& [name, content] : disk.all())
      if (name.find(directory_p) == 0) files.emplace_back(name, content);
  }
  // The same on another disk.
  void build_as(const Received& other) {
    directory = other.directory;
    end = other.end;
    ASSERT_OK(run(disk.make_directories(directory_p + "/incoming")));
    for (const auto& [name, content] : other.files) disk.put(name, content);
  }
  Result<TimeCut> find(WallTime until, Position from = Position::start_of({1})) {
    Position seen;
    const CutSearch search{directory, from, end, until};
    return run(find_cut(disk, search, seen));
  }
  Result<Position> cut_at(Position at, BehindCut& behind) {
    const Result<BehindCut> found = run(look_behind_cut(disk, directory, at));
    if (!found.ok()) return found.error();
    behind = *found;
    return run(cut_received_log(disk, directory, at, behind));
  }
  // The log as an active copy of the next epoch opens it, with one commit behind.
  void expect_goes_on(Position proven, CommitNumber last) {
    ASSERT_OK(run(take_received_log(disk, directory, proven)));
    Active next(disk);
    next.options.directory = directory_p;
    next.options.epoch = 2;
    ASSERT_OK(next.open(proven));
    EXPECT_EQ(next.log->last_commit(), last);
    ASSERT_OK(next.commit(3));
    const ReadLog log = read_all(disk, directory, Position::start_of({1}), next.log->durable());
    ASSERT_FALSE(log.error) << log.error->message;
    ASSERT_EQ(log.records.size(), last + 1);
    for (const ReadRecord& record : log.records) EXPECT_TRUE(record.pages_right) << record.header.number;
  }
  std::size_t aside() { return run(disk.list("/passive/quarantine")).ok() ? run(disk.list("/passive/quarantine"))->size() : 0; }

  MemoryDisk disk;
  Active active{disk};
  LogDirectory directory;
  Position end;
  Files files;  // as they were received
};

struct ReceivedCut : testing::Test, Received {
  void SetUp() override { build(); }
};

TEST_F(ReceivedCut, IsBehindTheLastCommitThatIsNotLater) {
  for (int commit = 1; commit < commits; ++commit) {
    const Result<TimeCut> exact = find(second(commit)), between = find(second(commit + 0.5));
    ASSERT_OK(exact);
    ASSERT_OK(between);
    ASSERT_TRUE(exact->kept && exact->next) << commit;
    EXPECT_EQ(exact->kept->number, static_cast<CommitNumber>(commit));
    EXPECT_EQ(exact->next->number, static_cast<CommitNumber>(commit + 1));
    EXPECT_EQ(between->at, exact->at);
    const Result<std::optional<RecordHeader>> before = run(record_before(disk, directory, exact->at));
    ASSERT_OK(before);
    ASSERT_TRUE(*before);
    EXPECT_EQ((*before)->number, static_cast<CommitNumber>(commit)) << text(exact->at);
  }
}

TEST_F(ReceivedCut, NothingThatIsLaterLeavesTheWholeLog) {
  const Result<TimeCut> whole = find(second(commits));
  ASSERT_OK(whole);
  EXPECT_FALSE(whole->next);
  EXPECT_EQ(whole->at, end);
  BehindCut behind;
  ASSERT_OK(cut_at(whole->at, behind));
  EXPECT_EQ(behind.first.number, 0u);
  EXPECT_EQ(aside(), 0u);
  expect_goes_on(end, commits);
}

TEST_F(ReceivedCut, EverythingThatIsLaterLeavesNothing) {
  const Result<TimeCut> none = find(second(0.5));
  ASSERT_OK(none);
  EXPECT_FALSE(none->kept);
  EXPECT_EQ(none->at, Position::start_of({1}));
  BehindCut behind;
  const Result<Position> cut = cut_at(none->at, behind);
  ASSERT_OK(cut);
  EXPECT_EQ(behind.first, Generation{1});
  EXPECT_EQ(behind.commits, static_cast<std::uint64_t>(commits));
  expect_goes_on(*cut, 0);
}

// Cut at each commit: the log goes on from there, and every block that came is in quarantine/ or kept.
TEST(ReceivedCuts, TheLogGoesOnAndTheRestIsAside) {
  Received made;
  made.build();
  for (int commit = 1; commit < commits; ++commit) {
    Received received;
    received.build_as(made);
    const Result<TimeCut> found = received.find(second(commit));
    ASSERT_OK(found);
    BehindCut behind, again;
    const Result<Position> cut = received.cut_at(found->at, behind);
    ASSERT_OK(cut);
    EXPECT_EQ(behind.commits, static_cast<std::uint64_t>(commits - commit)) << commit;
    EXPECT_EQ(behind.last, received.end.generation);
    EXPECT_EQ(received.aside(), received.end.generation.number - behind.first.number + 1) << commit;
    const Result<Position> twice = received.cut_at(found->at, again);
    ASSERT_OK(twice);
    EXPECT_EQ(again.first.number, 0u) << "done is done: " << commit;
    EXPECT_EQ(*twice, *cut) << commit;
    received.expect_goes_on(*cut, static_cast<CommitNumber>(commit));
  }
}

TEST_F(ReceivedCut, AClockThatWasPutBackEndsTheLogAtTheFirstCommitThatWasLater) {
  MemoryDisk other;
  Active jumps(other);
  ASSERT_OK(jumps.create());
  for (const std::int64_t wall : {10, 20, 90, 30, 40}) {
    RecordHeader header = header_of(jumps.log->last_commit() + 1, 0);
    header.wall = {wall * 1'000'000'000};
    ASSERT_OK(run(jumps.log->begin(header)));
    ASSERT_OK(run(jumps.log->end(0)));
    ASSERT_OK(jumps.sync());
  }
  Position seen;
  const CutSearch search{jumps.directory(), Position::start_of({1}), jumps.log->durable(), second(50)};
  const Result<TimeCut> cut = run(find_cut(other, search, seen));
  ASSERT_OK(cut);
  ASSERT_TRUE(cut->next && cut->kept);
  EXPECT_EQ(cut->next->number, 3u);
  EXPECT_EQ(cut->kept->number, 2u);
}

// A crash behind each operation of it, whatever of it reached the disk: the same again ends in the same log, and nothing is lost.
class ReceivedCutCrash : public testing::TestWithParam<Survives> {};

TEST_P(ReceivedCutCrash, AtEachOperationIsDoneAgain) {
  Received made;
  made.build();
  for (const int commit : {13, 24}) {
    bool done = false;
    std::uint64_t operation = 1;
    for (; !done; ++operation) {
      if (!swept(operation)) continue;
      Received received;
      received.build_as(made);
      const Result<TimeCut> found = received.find(second(commit));
      ASSERT_OK(found);
      received.disk.stop_at(operation);
      BehindCut behind;
      done = received.cut_at(found->at, behind).ok();
      received.disk.crash(GetParam());
      const Result<Position> cut = received.cut_at(found->at, behind);
      ASSERT_OK(cut);
      EXPECT_GE(received.aside(), received.end.generation.number - found->at.generation.number + 1) << operation << ": one of them may have kept both names";
      received.expect_goes_on(*cut, static_cast<CommitNumber>(commit));
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(operation, 40u);
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, ReceivedCutCrash, any_part, survives_name);

}  // namespace
}  // namespace ccr::storage::log_test_cut
