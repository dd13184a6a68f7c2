// A pass that is interrupted: the link is cut, the target or the power goes, the source forgets its pin.
#include <cstring>

#include "tests/seed_fixture.h"

namespace ccr::seed::seed_cut_test {
namespace {

using Keep = storage::PageMemoryDisk::Keep;

constexpr std::uint32_t page_size = 16384;
constexpr PageNumber pages_per_extent = 64;
constexpr PageNumber pages = 12 * pages_per_extent - 7;
constexpr std::uint64_t extents = 12;

// Every cut costs at most what the source had read ahead, queued and begun to send (seed_source.h: seven extents), and one that came in part; how
// many were asked for does not matter.
constexpr std::uint64_t sent_again_max = 8 * pages_per_extent;

struct SeedCut : testing::Test {
  FakeSource source{page_size, pages};
  FakeCopy copy{source};
};

TEST_F(SeedCut, AfterAnyFrameThePassGoesOnWhereItWas) {
  std::uint64_t frames = 0;
  {
    source.fill_with_pages(1);
    ASSERT_TRUE(copy.seed().ok());
    frames = copy.link.frames;
  }
  ASSERT_GT(frames, extents);
  for (std::uint64_t cut = 0; cut < frames; ++cut) {
    FakeSource steady(page_size, pages);
    steady.fill_with_pages(cut + 2);
    FakeCopy target(steady);
    target.link.frames_left = cut;
    const Result<SeedOutcome> broken = target.seed();
    ASSERT_FALSE(broken.ok()) << cut;
    EXPECT_EQ(broken.error().kind, ErrorKind::disconnected) << cut;
    target.link.frames_left = frames * 2;
    const Result<SeedOutcome> whole = target.seed();
    ASSERT_TRUE(whole.ok()) << cut << ": " << whole.error().message;
    EXPECT_EQ(target.opened + target.resumed, cut < 2 ? 1 : 2) << cut;
    EXPECT_LE(steady.pages_read, pages + sent_again_max) << cut;
    EXPECT_EQ(target.counters.counts.extents_sent, extents) << cut;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "cut after frame " << cut;
  }
}

TEST_F(SeedCut, AfterEveryFewFramesOverAndOverABusySourceIsSeededToTheEnd) {
  for (std::uint64_t number = 1; number <= 10; ++number) {
    Random random(number);
    FakeSource busy(page_size, pages);
    busy.fill_with_pages(number);
    FakeCopy target(busy);
    busy.while_seeding = churn(busy, random, 4);
    bool ended = false;
    std::uint64_t cuts = 0;
    for (; cuts < 40 && !ended; ++cuts) {
      target.link.frames_left = random.between(6, 22);
      ended = target.seed().ok();
    }
    ASSERT_TRUE(ended) << number;
    EXPECT_EQ(target.opened, 1) << number;
    EXPECT_GT(cuts, 1u) << number;
    EXPECT_LE(busy.pages_read, pages + cuts * sent_again_max) << number;
    busy.while_seeding = nullptr;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "seed " << number;
  }
}

std::uint64_t pages_here(const FakeCopy& copy, const FakeSource& source) {
  const Bytes content = copy.disk.content("/copy/db");
  std::uint64_t equal = 0;
  for (PageNumber page = 1; page <= source.page_count() && std::uint64_t(page) * page_size <= content.size(); ++page) {
    const ByteView here = ByteView(content).subspan(std::uint64_t(page - 1) * page_size, page_size);
    equal += std::memcmp(here.data(), source.page(page).data(), page_size) == 0 ? 1 : 0;
  }
  return equal;
}

// The process dies: what it wrote is in the page cache, but nothing was synced for it, and the map is behind the disk.
TEST_F(SeedCut, WhatAKilledTargetHadWrittenIsNotSentAgain) {
  std::uint64_t most = 0;
  for (std::uint64_t operation = 12; operation < 24; ++operation) {
    FakeSource steady(page_size, pages);
    steady.fill_with_pages(1);
    FakeCopy target(steady);
    Random random(operation);
    target.disk.fail_from(operation);
    ASSERT_FALSE(target.seed().ok());
    target.disk.crash(Keep::everything, random);
    const std::uint64_t here = pages_here(target, steady);
    most = std::max(most, here);
    steady.pages_read = 0;
    ASSERT_TRUE(target.seed().ok()) << operation;
    EXPECT_EQ(steady.pages_read, pages - here) << operation;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "killed at disk operation " << operation;
  }
  EXPECT_GT(most, 8 * pages_per_extent);
}

// A pass writes over pages whose old digests the table still has, and is interrupted; before the next pass begins the source's
// pages are what they were. Whoever believed the table would find everything equal.
struct SeedOverwritten : SeedCut {
  void SetUp() override {
    source.fill_with_pages(1);
    ASSERT_TRUE(copy.seed().ok());
    for (PageNumber page = 1; page <= pages; page += 2) source.write(page, 5000 + page);
    copy.open_pass = {};
  }
  void kill_at_operation(std::uint64_t operation) {
    copy.disk.fail_from(operation);
    ASSERT_FALSE(copy.seed().ok());
    Random random(1);
    copy.disk.crash(Keep::everything, random);
  }
  void cut_after(std::uint64_t frames) {
    copy.link.frames_left = frames;
    ASSERT_FALSE(copy.seed().ok());
    copy.link.frames_left = 10'000;
  }
  void expect_the_next_pass_to_repair() {
    EXPECT_GT(pages_here(copy, source), pages / 2 + 10);
    source.fill_with_pages(1);
    source.pin_lost = true;
    ASSERT_TRUE(copy.seed().ok());
    copy.replay_and_compare();
  }
};

TEST_F(SeedOverwritten, WhenTheTargetWasKilled) {
  kill_at_operation(200);
  expect_the_next_pass_to_repair();
}

TEST_F(SeedOverwritten, WhenTheTargetWasKilledAndTheRunAfterThatWasCut) {
  kill_at_operation(200);
  cut_after(5);
  expect_the_next_pass_to_repair();
}

TEST_F(SeedOverwritten, WhenTheRunAfterACutWasKilled) {
  cut_after(5);
  kill_at_operation(200);
  expect_the_next_pass_to_repair();
}

TEST_F(SeedOverwritten, WhenTheDiskFilledUpInsideAnExtent) {
  copy.write_limit_bytes = 75 * page_size;
  ASSERT_FALSE(copy.seed().ok());
  copy.write_limit_bytes = std::numeric_limits<std::uint64_t>::max();
  expect_the_next_pass_to_repair();
}

TEST_F(SeedCut, APowerCutAtAnyDiskOperationIsSurvivedAlsoUnderABusySource) {
  int crashed = 0;
  for (std::uint64_t number = 1; number <= 60; ++number) {
    Random random(number);
    FakeSource busy(page_size, static_cast<PageNumber>(random.between(1, pages)));
    busy.fill_with_pages(number);
    FakeCopy target(busy);
    busy.while_seeding = churn(busy, random, number % 3 * 3);
    for (int crashes = 0; crashes < 3; ++crashes) {
      target.disk.fail_from(random.between(0, 70));
      if (target.seed().ok()) break;
      ++crashed;
      const Keep keep = random.chance(1, 4) ? Keep::synced : Keep::some;
      target.disk.crash(keep, random);
    }
    target.disk.repair();
    const Result<SeedOutcome> whole = target.seed();
    ASSERT_TRUE(whole.ok()) << number << ": " << whole.error().message;
    busy.while_seeding = nullptr;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "seed " << number;
  }
  EXPECT_GT(crashed, 40);
}

// The same over a copy that had other pages before: a crash must not make old entries of the table count for pages that were
// overwritten.
TEST_F(SeedCut, APowerCutInAReseedOverOldPagesIsSurvived) {
  int crashed = 0;
  for (std::uint64_t number = 1; number <= 30; ++number) {
    Random random(number);
    FakeSource busy(page_size, static_cast<PageNumber>(random.between(pages / 2, pages)));
    busy.fill_with_pages(number);
    FakeCopy target(busy);
    ASSERT_TRUE(target.seed().ok());
    for (int i = 0; i < 60; ++i) churn(busy, random, 16)();
    target.open_pass = {};
    busy.while_seeding = churn(busy, random, 3);
    for (int crashes = 0; crashes < 4; ++crashes) {
      target.disk.fail_from(random.between(5, 60));
      if (target.seed().ok()) break;
      ++crashed;
      target.disk.crash(Keep::some, random);
      busy.pin_lost = random.chance(1, 3);
    }
    target.disk.repair();
    const Result<SeedOutcome> whole = target.seed();
    ASSERT_TRUE(whole.ok()) << number << ": " << whole.error().message;
    busy.while_seeding = nullptr;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "seed " << number;
  }
  EXPECT_GT(crashed, 20);
}

TEST_F(SeedCut, ATargetThatIsStoppedUnwindsAndTheNextRunGoesOn) {
  source.fill_with_pages(1);
  storage::TokenBucket bucket({1 * MiB, 0});
  copy.limits.rate = &bucket;
  copy.seed_stopped_after(std::chrono::milliseconds(5200));
  copy.limits.rate = nullptr;
  EXPECT_GE(pages_here(copy, source), 4 * pages_per_extent);
  source.pages_read = 0;
  const std::uint64_t here = pages_here(copy, source);
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(copy.resumed, 1);
  EXPECT_EQ(source.pages_read, pages - here);
  copy.replay_and_compare();
}

TEST_F(SeedCut, WhenThePinIsGoneANewPassGoesOnByDigests) {
  source.fill_with_pages(1);
  copy.link.frames_left = 20;
  ASSERT_FALSE(copy.seed().ok());
  const std::uint64_t read_before = source.pages_read;
  const Position first_pass = copy.open_pass;
  source.write(5, 77);
  source.pin_lost = true;
  copy.link.frames_left = 1000;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(copy.opened, 2);
  EXPECT_GT(copy.open_pass, first_pass);
  EXPECT_GT(read_before, 4 * pages_per_extent);
  EXPECT_LE(source.pages_read, pages + sent_again_max + 1);
  copy.replay_and_compare();
}

TEST_F(SeedCut, AMapOfAnotherPassThanTheEnginesIsNotResumed) {
  source.fill_with_pages(1);
  copy.link.frames_left = 20;
  ASSERT_FALSE(copy.seed().ok());
  copy.open_pass = {};
  copy.link.frames_left = 1000;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(copy.opened, 2);
  EXPECT_EQ(copy.resumed, 0);
}

TEST_F(SeedCut, AnEndThatWasLostIsAskedForAgainWithoutAPage) {
  source.fill_with_pages(1);
  ASSERT_TRUE(copy.seed().ok());
  source.pages_read = 0;
  ASSERT_TRUE(copy.seed().ok());  // the engine had not recorded Q yet
  EXPECT_EQ(copy.resumed, 1);
  EXPECT_EQ(source.pages_read, 0u);
  EXPECT_EQ(copy.counters.counts.extents_sent, extents);
}

TEST_F(SeedCut, AFullSeedThatWasCutGoesOnWithTheRest) {
  source.fill_with_pages(1);
  ASSERT_TRUE(copy.seed().ok());
  copy.open_pass = {};
  copy.full = true;
  source.pages_read = 0;
  copy.link.frames_left = 22;
  ASSERT_FALSE(copy.seed().ok());
  copy.link.frames_left = 1000;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_GE(source.pages_read, pages);
  EXPECT_LE(source.pages_read, pages + sent_again_max);
  copy.replay_and_compare();
}

TEST_F(SeedCut, AfterAFailedSyncTheDiskIsInDoubtAndAFullRunRepairsIt) {
  source.fill_with_pages(1);
  for (std::uint64_t sync = 0; sync < 8; ++sync) {
    FakeSource steady(page_size, pages);
    steady.fill_with_pages(1);
    FakeCopy target(steady);
    target.disk.fail_sync(sync);
    const Result<SeedOutcome> failed = target.seed();
    if (failed.ok()) continue;
    target.disk.repair();
    target.full = target.doubtful;
    ASSERT_TRUE(target.seed().ok()) << sync;
    Random random(sync);
    target.disk.crash(Keep::synced, random);
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "sync " << sync;
  }
}

}  // namespace
}  // namespace ccr::seed::seed_cut_test
