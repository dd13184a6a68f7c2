// A pass that nobody interrupts.
#include "seed/seed_verify.h"
#include "tests/seed_fixture.h"

namespace ccr::seed {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t page_size = 4096;
constexpr PageNumber pages = 2100;  // 8 extents and a bit
constexpr std::uint64_t database_bytes = std::uint64_t(pages) * page_size;

struct SeedPass : testing::Test {
  FakeSource source{page_size, pages};
  FakeCopy copy{source};

  SeedOutcome seed() {
    const Result<SeedOutcome> outcome = copy.seed();
    EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
    return outcome.ok() ? *outcome : SeedOutcome{};
  }
  void seed_a_second_pass() {
    copy.open_pass = {};
    seed();
  }
};

TEST_F(SeedPass, AnEmptyTargetGetsEverythingOnce) {
  source.fill_with_pages(1);
  const SeedOutcome outcome = seed();
  EXPECT_EQ(outcome.until, source.position());
  EXPECT_FALSE(outcome.resumed);
  EXPECT_EQ(copy.opened, 1);
  EXPECT_EQ(copy.counters.counts.extents_sent, 9u);
  EXPECT_EQ(copy.counters.counts.extents_equal, 0u);
  EXPECT_EQ(source.pages_read, pages);
  EXPECT_GE(copy.counters.counts.wire_bytes, database_bytes);
  EXPECT_LT(copy.counters.counts.wire_bytes, database_bytes + 4 * KiB);
  EXPECT_EQ(copy.counters.done_bytes, database_bytes);
  EXPECT_EQ(copy.counters.total_bytes, database_bytes);
  copy.replay_and_compare();
  EXPECT_TRUE(copy.served.ok());
}

TEST_F(SeedPass, AnEqualTargetGetsNothing) {
  source.fill_with_pages(1);
  seed();
  source.pages_read = 0;
  seed_a_second_pass();
  EXPECT_EQ(source.pages_read, 0u);
  EXPECT_EQ(copy.counters.counts.extents_equal, 9u);
  EXPECT_EQ(copy.counters.counts.extents_sent, 0u);
  EXPECT_LT(copy.counters.counts.wire_bytes, 1 * KiB);
}

TEST_F(SeedPass, OnePercentOfThePagesCostsLittleMoreThanThosePages) {
  source.fill_with_pages(1);
  seed();
  for (PageNumber page = 50; page <= pages; page += 100) source.write(page, page);
  source.pages_read = 0;
  seed_a_second_pass();
  EXPECT_EQ(source.pages_read, 21u);
  EXPECT_LT(copy.counters.counts.wire_bytes, 21u * page_size + pages * 8 + 21 * run_overhead_bytes + 4 * KiB);
  copy.replay_and_compare();
}

TEST_F(SeedPass, ZerosAreFree) {
  for (PageNumber page = 300; page <= 310; ++page) source.write(page, page);
  seed();
  EXPECT_LT(copy.counters.counts.wire_bytes, 11u * page_size + 2 * KiB);
  EXPECT_EQ(copy.counters.counts.extents_equal, 8u);
  copy.replay_and_compare();
}

TEST_F(SeedPass, WhatBecameZerosIsMadeHere) {
  source.fill_with_pages(1);
  seed();
  for (PageNumber page = 257; page <= 512; ++page) source.write(page, 0);
  source.write(600, 0);
  source.pages_read = 0;
  seed_a_second_pass();
  EXPECT_EQ(source.pages_read, 0u);
  EXPECT_EQ(copy.counters.counts.extents_equal, 9u);
  copy.replay_and_compare();
}

TEST_F(SeedPass, AFullSeedAsksForEverythingButZeros) {
  source.fill_with_pages(1);
  for (PageNumber page = 257; page <= 512; ++page) source.write(page, 0);
  seed();
  source.pages_read = 0;
  copy.full = true;
  seed_a_second_pass();
  EXPECT_EQ(source.pages_read, pages - 256u);
  copy.replay_and_compare();
}

TEST_F(SeedPass, AnEmptyDatabaseIsSeededToo) {
  FakeSource nothing(page_size, 0);
  FakeCopy empty(nothing);
  EXPECT_TRUE(empty.seed().ok());
  empty.replay_and_compare();
}

TEST_F(SeedPass, ATargetThatWasLongerIsCut) {
  source.fill_with_pages(1);
  seed();
  source.resize(700);
  seed_a_second_pass();
  copy.replay_and_compare();
}

TEST_F(SeedPass, EveryPageSizeIsSeeded) {
  for (const std::uint32_t size : {512u, 1024u, 65536u}) {
    FakeSource other(size, static_cast<PageNumber>(3 * MiB / size + 5));
    other.fill_with_pages(3);
    FakeCopy target(other);
    EXPECT_TRUE(target.seed().ok()) << size;
    other.write(7, 99);
    target.open_pass = {};
    EXPECT_TRUE(target.seed().ok()) << size;
    target.replay_and_compare();
  }
}

TEST_F(SeedPass, ASourceThatWritesGrowsAndShrinksMeanwhileEndsEqualAfterReplay) {
  for (std::uint64_t number = 1; number <= 30; ++number) {
    Random random(number);
    FakeSource busy(page_size, static_cast<PageNumber>(random.between(1, 1500)));
    busy.fill_with_pages(number);
    FakeCopy target(busy);
    busy.while_seeding = churn(busy, random, 12);
    ASSERT_TRUE(target.seed().ok()) << number;
    busy.while_seeding = nullptr;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "seed " << number;
    target.open_pass = {};
    busy.while_seeding = churn(busy, random, 12);
    ASSERT_TRUE(target.seed().ok()) << number;
    busy.while_seeding = nullptr;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "seed " << number << ", second pass";
  }
}

TEST_F(SeedPass, ADoubtedTableIsReadFromTheDisk) {
  source.fill_with_pages(1);
  seed();
  copy.disk.flip("/copy/db", 8 * (1000 * page_size + 5));  // a lost write: the table says the page is right
  source.pages_read = 0;
  copy.own_table = OwnTable::doubted;
  seed_a_second_pass();
  EXPECT_EQ(source.pages_read, 1u);
  copy.replay_and_compare();
}

TEST_F(SeedPass, PagesThatTheOwnDiskCannotReadAreFetched) {
  source.fill_with_pages(1);
  seed();
  copy.disk.fail_reads_of("/copy/db", 1000 * page_size, page_size);
  copy.own_table = OwnTable::doubted;
  source.pages_read = 0;
  seed_a_second_pass();
  EXPECT_EQ(source.pages_read, 256u);
  copy.disk.repair();
  copy.replay_and_compare();
}

TEST_F(SeedPass, ARateLimitHoldsInVirtualTime) {
  source.fill_with_pages(1);
  storage::TokenBucket bucket({1 * MiB, 0});
  copy.limits.rate = &bucket;
  const Instant begin = copy.clock.now();
  seed();
  const double seconds = std::chrono::duration<double>(copy.clock.now() - begin).count();
  EXPECT_GT(seconds, 8.0);
  EXPECT_LT(seconds, 9.0);
  copy.replay_and_compare();
}

TEST_F(SeedPass, TheRateIsThatOfTheLastSeconds) {
  FakeSource large(65536, 20 * 16);
  large.fill_with_pages(1);
  FakeCopy target(large);
  storage::TokenBucket bucket({1 * MiB, 0});
  target.limits.rate = &bucket;
  std::uint64_t seen = 0;
  large.spoil = [&](SeedRead&) { seen = target.live_counters().rate; };
  ASSERT_TRUE(target.seed().ok());
  EXPECT_GT(seen, 800 * KiB);
  EXPECT_LT(seen, 1200 * KiB);
}

TEST_F(SeedPass, ASourceThatSaysNothingIsGivenUp) {
  source.fill_with_pages(1);
  storage::TokenBucket bucket({1, 0});  // a byte a second: nothing comes for minutes
  copy.limits.rate = &bucket;
  const Result<SeedOutcome> outcome = copy.seed();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().kind, ErrorKind::timeout);
}

TEST_F(SeedPass, ReleaseEndsThePin) {
  source.fill_with_pages(1);
  seed();
  EXPECT_EQ(source.pins.size(), 1u);
  EXPECT_TRUE(copy.ask_source([](transport::FramedConnection& link) { return release_seed(link); }).ok());
  EXPECT_TRUE(source.pins.empty());
}

TEST_F(SeedPass, VerificationNamesThePagesWhoseDiskIsNotItsTable) {
  source.fill_with_pages(1);
  source.rot_table(3);
  source.rot_table(2099);
  VerifyReport report;
  const auto verify = [&](transport::FramedConnection& link) -> Task<Result<void>> {
    VerifyOptions options;
    options.page_size = page_size;
    const Result<VerifyReport> found = co_await verify_extents(copy.clock, link, std::move(options));
    if (!found.ok()) co_return found.error();
    report = *found;
    co_return Result<void>();
  };
  ASSERT_TRUE(copy.ask_source(verify).ok());
  EXPECT_EQ(report.extents, 9u);
  EXPECT_EQ(report.pages, pages);
  EXPECT_EQ(report.differing, 2u);
  EXPECT_EQ(report.first_differing, (std::vector<PageNumber>{3, 2099}));
  EXPECT_EQ(report.as_of_last, source.position());
  EXPECT_TRUE(copy.served.ok());
}

TEST_F(SeedPass, VerificationAsksNoFasterThanItsRate) {
  source.fill_with_pages(1);
  std::uint64_t told_done = 0, told_total = 0;
  const auto took = [&](std::uint64_t bytes_per_second) {
    const Instant began = copy.clock.now();
    const auto verify = [&](transport::FramedConnection& link) -> Task<Result<void>> {
      VerifyOptions options;
      options.page_size = page_size;
      options.bytes_per_second = bytes_per_second;
      options.progress = [&](std::uint64_t done, std::uint64_t total) {
        told_done = done;
        told_total = total;
      };
      const Result<VerifyReport> found = co_await verify_extents(copy.clock, link, std::move(options));
      if (!found.ok()) co_return found.error();
      co_return Result<void>();
    };
    EXPECT_TRUE(copy.ask_source(verify).ok());
    return copy.clock.now() - began;
  };
  EXPECT_EQ(took(1 * MiB), std::chrono::seconds(8));  // nine extents, the first at once
  EXPECT_EQ(told_done, std::uint64_t(pages) * page_size);
  EXPECT_EQ(told_total, told_done);
  EXPECT_EQ(took(0), Duration::zero());
}

}  // namespace
}  // namespace ccr::seed
