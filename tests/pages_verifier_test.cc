// The scrub and the arithmetic of its rate, in virtual time.
#include "storage/disk_verifier.h"

#include <asio/post.hpp>

#include "base/task_group.h"
#include "storage/rate_turn.h"
#include "tests/pages_fixture.h"
#include "tests/watched_file.h"

namespace ccr::storage::pages_verifier_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant t0{1'000'000};

TEST(TokenBucket, WithoutALimitNothingWaits) {
  TokenBucket bucket({0, 0});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(bucket.wait_for(t0, 1 * GiB), 0ns);
}

TEST(TokenBucket, EachRequestWaitsForTheOnesBeforeIt) {
  TokenBucket bucket({1000, 0});
  EXPECT_EQ(bucket.wait_for(t0, 500), 0ns);
  EXPECT_EQ(bucket.wait_for(t0, 250), 500ms);
  EXPECT_EQ(bucket.wait_for(t0, 1), 750ms);
  EXPECT_EQ(bucket.wait_for(t0 + 751ms, 1), 0ns);
}

TEST(TokenBucket, APauseEarnsTheBurstAndNotMore) {
  TokenBucket bucket({1000, 2000});
  EXPECT_EQ(bucket.wait_for(t0, 2000), 0ns);
  EXPECT_EQ(bucket.wait_for(t0, 100), 0ns);
  EXPECT_EQ(bucket.wait_for(t0, 1), 100ms);
  const Instant later = t0 + 3600s;
  EXPECT_EQ(bucket.wait_for(later, 2000), 0ns);
  EXPECT_EQ(bucket.wait_for(later, 100), 0ns);
  EXPECT_EQ(bucket.wait_for(later, 1), 100ms);
}

TEST(TokenBucket, AnOddRateDoesNotDrift) {
  TokenBucket bucket({3, 0});
  Instant now = t0;
  for (int i = 0; i < 3'000'000; ++i) now = now + bucket.wait_for(now, 1);
  EXPECT_EQ(now - t0, Duration(2'999'999'000'000'000 / 3));
}

TEST(TokenBucket, TheFastestRateAndTheLargestRequestFit) {
  TokenBucket fast({TokenBucket::rate_max, 0});
  fast.wait_for(t0, TokenBucket::request_bytes_max);
  EXPECT_EQ(fast.wait_for(t0, 1), 62'500'000ns);
  TokenBucket slow({1, 0});
  slow.wait_for(t0, TokenBucket::request_bytes_max);
  EXPECT_EQ(slow.wait_for(t0, 1), 1'073'741'824s);
}

TEST(TokenBucket, ANewLimitForgetsTheDebtOfTheOld) {
  TokenBucket bucket({80, 0});
  bucket.wait_for(t0, 16 * KiB);
  EXPECT_EQ(bucket.wait_for(t0, 1), 204'800ms);
  bucket.set_limit({1000, 0});
  EXPECT_EQ(bucket.wait_for(t0, 500), 0ns);
  EXPECT_EQ(bucket.wait_for(t0, 1), 500ms);
  bucket.set_limit({0, 0});
  EXPECT_EQ(bucket.wait_for(t0, 1000), 0ns);
}

// Never lets more through than burst + rate * time + the last request, whatever the pattern.
TEST(TokenBucket, TheRateHoldsOverRandomRequests) {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    const TokenBucket::Limit limit{random.between(1000, 1'000'000), random.below(100'000)};
    TokenBucket bucket(limit);
    Instant now = t0;
    std::uint64_t moved = 0;
    for (int i = 0; i < 300; ++i) {
      if (random.chance(1, 10)) now = now + Duration(static_cast<Duration::rep>(random.below(1'000'000'000)));
      const std::uint64_t bytes = random.between(1, 50'000);
      now = now + bucket.wait_for(now, bytes);
      const double earned = std::chrono::duration<double>(now - t0).count() * static_cast<double>(limit.bytes_per_second);
      ASSERT_LE(static_cast<double>(moved), static_cast<double>(limit.burst_bytes) + earned + 1);
      moved += bytes;
    }
  }
}

// Time that passes only where somebody sleeps; a sleeper goes on at once, at its instant.
class SleptClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall_now() const override { return {1}; }
  Task<void> sleep_until(Instant at) override {
    if (at > now_) now_ = at;
    co_return;
  }

 private:
  Instant now_ = t0;
};

// Raises the limit of a bucket when a second has passed.
class CorrectingClock final : public Clock {
 public:
  explicit CorrectingClock(TokenBucket& bucket) : bucket_(bucket) {}
  Instant now() const override { return inner_.now(); }
  WallTime wall_now() const override { return inner_.wall_now(); }
  Task<void> sleep_until(Instant at) override {
    co_await inner_.sleep_until(at);
    if (!corrected_ && now() - t0 >= 1s) {
      corrected_ = true;
      bucket_.set_limit({0, 0});
    }
  }

 private:
  SleptClock inner_;
  TokenBucket& bucket_;
  bool corrected_ = false;
};

TEST(RateTurn, ANewLimitHoldsWithinOneTurnForWhatWaits) {
  TokenBucket bucket({80, 0});
  CorrectingClock clock(bucket);
  const auto waits = [&]() -> Task<Result<void>> {
    co_await wait_for_rate(clock, bucket, 16 * KiB);
    co_await wait_for_rate(clock, bucket, 16 * KiB);
    co_return Result<void>();
  };
  ASSERT_TRUE(finish(waits()).ok());
  EXPECT_GE(clock.now() - t0, 1s);
  EXPECT_LE(clock.now() - t0, 1s + rate_turn_max);
}

constexpr std::uint32_t page_size = 4096;
const std::string path = "/db/orders.db.copy";

// A page file of `pages` different pages, with the digests they should have.
struct Copy {
  explicit Copy(PageNumber pages) : digests(disk, "/db/orders.digests", page_size) {
    file = std::move(finish(PageFile::open(disk, path, page_size))).value();
    for (PageNumber page = 1; page <= pages; ++page) write(page, page);
  }
  void write(PageNumber page, std::uint64_t content) {
    Bytes image(page_size);
    Encoder(image).u64(content);
    CCR_ASSERT(finish(file->write(page, image)).ok());
    if (page > digests.page_count()) digests.resize(page);
    digests.set(page, page_digest(page, image));
  }
  DiskVerifier::Hold hold() {
    return {[this]() -> Task<Result<void>> {
              ++held;
              co_return Result<void>();
            },
            [this] { ++released; }};
  }

  PageMemoryDisk disk;
  PageDigests digests;
  std::unique_ptr<PageFile> file;
  SleptClock clock;
  int held = 0, released = 0;
};

DiskVerifier verified(Copy& copy, DiskVerifier::Options options = {}) {
  DiskVerifier verifier(copy.clock, *copy.file, copy.digests, options);
  EXPECT_TRUE(finish(verifier.run(copy.hold())).ok());
  EXPECT_TRUE(verifier.finished());
  EXPECT_EQ(copy.held, copy.released);
  return verifier;
}

TEST(DiskVerifier, AGoodFileHasNoDifferenceAndEveryPageIsRead) {
  Copy copy(600);  // 256 pages an extent: 256, 256, 88
  const DiskVerifier verifier = verified(copy);
  EXPECT_EQ(verifier.progress().pages_checked, 600u);
  EXPECT_EQ(verifier.progress().pages_total, 600u);
  EXPECT_EQ(verifier.progress().bytes_read, 600u * page_size);
  EXPECT_EQ(verifier.progress().pages_differing, 0u);
  EXPECT_EQ(verifier.position(), 601u);
  EXPECT_EQ(copy.held, 3);
}

TEST(DiskVerifier, AnEmptyFileIsProvenAtOnce) {
  Copy copy(0);
  EXPECT_EQ(verified(copy).progress().pages_checked, 0u);
  EXPECT_EQ(copy.held, 0);
}

TEST(DiskVerifier, AFlippedBitIsFoundInItsPage) {
  Random random(1);
  for (int i = 0; i < 40; ++i) {
    Copy copy(600);
    const std::uint64_t bit = random.below(600ull * page_size * 8);
    copy.disk.flip(path, bit);
    const DiskVerifier verifier = verified(copy);
    EXPECT_EQ(verifier.progress().differing, std::vector<PageNumber>{static_cast<PageNumber>(bit / 8 / page_size + 1)});
    EXPECT_EQ(verifier.progress().pages_differing, 1u);
  }
}

TEST(DiskVerifier, AMisdirectedWriteDiffersAtBothPages) {
  Copy copy(300);
  const Bytes before = copy.disk.content(path);
  Bytes after = before;
  const auto page = [&](std::ptrdiff_t number) { return (number - 1) * std::ptrdiff_t(page_size); };
  std::copy(before.begin() + page(7), before.begin() + page(8), after.begin() + page(290));
  copy.disk.put(path, after);
  copy.file = std::move(finish(PageFile::open(copy.disk, path, page_size))).value();
  copy.write(7, 7777);
  copy.digests.set(8, 1);
  EXPECT_EQ(verified(copy).progress().differing, (std::vector<PageNumber>{8, 290}));
}

TEST(DiskVerifier, TheListEndsAndTheCountGoesOn) {
  Copy copy(2500);
  for (PageNumber page = 1; page <= 2500; ++page) copy.digests.set(page, 1);
  const DiskVerifier verifier = verified(copy);
  EXPECT_EQ(verifier.progress().pages_differing, 2500u);
  ASSERT_EQ(verifier.progress().differing.size(), DiskVerifier::differing_listed_max);
  EXPECT_EQ(verifier.progress().differing.back(), 2048u);
}

TEST(DiskVerifier, PagesThatOnlyTheFileOrOnlyTheTableHasDiffer) {
  Copy longer(10);
  longer.digests.resize(8);
  EXPECT_EQ(verified(longer).progress().differing, (std::vector<PageNumber>{9, 10}));
  Copy shorter(10);
  shorter.digests.resize(600);
  const DiskVerifier verifier = verified(shorter);
  EXPECT_EQ(verifier.progress().pages_differing, 590u);
  EXPECT_EQ(verifier.progress().differing.front(), 11u);
}

TEST(DiskVerifier, ABadSectorIsThatPageAndNoOther) {
  Copy copy(600);
  copy.disk.fail_reads_of(path, 299 * page_size + 512, 1);
  const DiskVerifier verifier = verified(copy);
  EXPECT_EQ(verifier.progress().differing, std::vector<PageNumber>{300});
  EXPECT_EQ(verifier.progress().pages_unreadable, 1u);
  EXPECT_EQ(verifier.progress().pages_checked, 600u);
}

TEST(DiskVerifier, TheRateHoldsInVirtualTime) {
  Copy copy(2560);  // 10 MiB
  const Instant begin = copy.clock.now();
  verified(copy, {2 * MiB, 1});
  // The first extent goes at once, each further one when those before it are earned.
  EXPECT_EQ(copy.clock.now() - begin, 4500ms);
}

TEST(DiskVerifier, GoesOnWhereAnEarlierOneStood) {
  Copy copy(600);
  copy.disk.flip(path, 8ull * 299 * page_size);  // page 300, in the second extent
  copy.disk.flip(path, 8ull * 9 * page_size);    // page 10, in the first
  EXPECT_EQ(verified(copy, {0, 257}).progress().differing, std::vector<PageNumber>{300});
  EXPECT_EQ(verified(copy, {0, 300}).progress().pages_checked, 301u);
  EXPECT_EQ(verified(copy, {0, 300}).progress().differing, std::vector<PageNumber>{300});
  EXPECT_EQ(verified(copy, {0, 9999}).progress().pages_checked, 0u);
}

TEST(DiskVerifier, ARefusedHoldEndsTheRunAndTheNextGoesOn) {
  Copy copy(600);
  DiskVerifier verifier(copy.clock, *copy.file, copy.digests, {});
  DiskVerifier::Hold hold = copy.hold();
  hold.acquire = [&copy]() -> Task<Result<void>> {
    if (copy.held == 2) co_return Error{ErrorKind::busy, "replay does not stop", ""};
    ++copy.held;
    co_return Result<void>();
  };
  EXPECT_EQ(kind_of(finish(verifier.run(hold))), ErrorKind::busy);
  EXPECT_FALSE(verifier.finished());
  EXPECT_EQ(verifier.position(), 513u);
  EXPECT_EQ(copy.released, 2);
  ASSERT_TRUE(finish(verifier.run(copy.hold())).ok());
  EXPECT_TRUE(verifier.finished());
  EXPECT_EQ(verifier.progress().pages_checked, 600u);
  EXPECT_EQ(verifier.progress().pages_differing, 0u);
}

// Replay changes pages, grows and shrinks the file between the extents: no false alarm, and the end is the end of that moment.
TEST(DiskVerifier, ChangesBetweenTheExtentsAreNoDifference) {
  Copy copy(2000);
  Random random(9);
  DiskVerifier verifier(copy.clock, *copy.file, copy.digests, {1 * MiB, 1});
  DiskVerifier::Hold hold = copy.hold();
  hold.acquire = [&]() -> Task<Result<void>> {
    ++copy.held;
    const auto count = static_cast<PageNumber>(random.between(1500, 2500));
    Result<void> resized = co_await copy.file->resize(count);
    copy.digests.resize(count);
    Bytes image(page_size);
    for (int i = 0; i < 50 && resized.ok(); ++i) {
      const auto page = static_cast<PageNumber>(random.between(1, count));
      Encoder(image).u64(random.next());
      resized = co_await copy.file->write(page, image);
      copy.digests.set(page, page_digest(page, image));
    }
    co_return resized;
  };
  ASSERT_TRUE(finish(verifier.run(hold)).ok());
  EXPECT_EQ(verifier.progress().pages_differing, 0u);
  EXPECT_GE(copy.held, 6);
  EXPECT_EQ(copy.held, copy.released);
}

TEST(DiskVerifier, PagesAreReadOnlyWhileReplayIsHeld) {
  Copy copy(600);
  copy.disk.flip(path, 8ull * 299 * page_size);  // read twice
  bool held = false;
  std::unique_ptr<File> inner = std::move(finish(copy.disk.open(path, OpenMode::read_write))).value();
  const auto only_held = [&held](std::uint64_t offset) { EXPECT_TRUE(held) << "read at " << offset; };
  PageFile file(std::make_unique<WatchedFile>(std::move(inner), only_held), path, page_size, 600);
  DiskVerifier verifier(copy.clock, file, copy.digests, {});
  DiskVerifier::Hold hold;
  hold.acquire = [&held]() -> Task<Result<void>> {
    EXPECT_FALSE(held);
    held = true;
    co_return Result<void>();
  };
  hold.release = [&held] { held = false; };
  ASSERT_TRUE(finish(verifier.run(hold)).ok());
  EXPECT_FALSE(held);
  EXPECT_EQ(verifier.progress().pages_checked, 600u);
}

TEST(DiskVerifier, AFileThatShrankBehindItsPositionIsFinished) {
  Copy copy(600);
  DiskVerifier verifier(copy.clock, *copy.file, copy.digests, {});
  DiskVerifier::Hold hold = copy.hold();
  hold.acquire = [&copy]() -> Task<Result<void>> {
    if (++copy.held < 2) co_return Result<void>();
    copy.digests.resize(100);
    co_return co_await copy.file->resize(100);
  };
  ASSERT_TRUE(finish(verifier.run(hold)).ok());
  EXPECT_TRUE(verifier.finished());
  EXPECT_EQ(verifier.progress().pages_checked, 256u);
  EXPECT_EQ(verifier.progress().pages_total, 100u);
  EXPECT_EQ(verifier.progress().pages_differing, 0u);
  EXPECT_EQ(copy.released, 2);
}

// A clock whose sleepers wait until they are stopped.
class EndlessClock final : public Clock {
 public:
  explicit EndlessClock(const Executor& executor) : never_(executor) {}
  Instant now() const override { return t0; }
  WallTime wall_now() const override { return {1}; }
  Task<void> sleep_until(Instant) override {
    for (;;) co_await never_.wait();
  }

 private:
  Signal never_;
};

Task<Result<bool>> stop_in_the_wait(Copy& copy, std::uint64_t& stood_at) {
  const Executor executor = co_await asio::this_coro::executor;
  EndlessClock clock(executor);
  DiskVerifier verifier(clock, *copy.file, copy.digests, {1, 1});
  TaskGroup group(executor);
  group.spawn(verifier.run(copy.hold()));
  while (verifier.position() == 1) co_await asio::post(executor, asio::use_awaitable);
  group.stop();
  const Result<void> joined = co_await group.join();
  stood_at = verifier.position();
  co_return joined.ok() && !verifier.finished();
}

TEST(DiskVerifier, NothingIsHeldWhileItWaitsForTheRateAndItCanBeStoppedThere) {
  Copy copy(600);
  std::uint64_t stood_at = 0;
  const Result<bool> stopped = finish(stop_in_the_wait(copy, stood_at));
  ASSERT_TRUE(stopped.ok() && *stopped);
  EXPECT_EQ(stood_at, 257u);
  EXPECT_EQ(copy.held, 1);
  EXPECT_EQ(copy.released, 1);
}

}  // namespace
}  // namespace ccr::storage::pages_verifier_test
