#include "seed/seed_map.h"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/random.h"
#include "tests/page_memory_disk.h"

namespace ccr::seed {
namespace {

using Keep = storage::PageMemoryDisk::Keep;

// Runs one task to its end on an executor of its own.
template <class T>
T run(Task<T> task) {
  asio::io_context context;
  std::optional<T> result;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr failure, T value) {
    EXPECT_EQ(failure, nullptr);
    result.emplace(std::move(value));
  });
  context.run();
  return std::move(*result);
}

constexpr SeedPassId small_pass{{{3}, 8192}, 17, 1000, 4096};      // 4 extents
constexpr SeedPassId large_pass{{{5}, 4096}, 90, 700000000, 512};  // 341797 extents: 11 blocks of bits

struct Fixture : testing::Test {
  storage::PageMemoryDisk disk;
  Random random{7};

  SeedMap loaded() {
    SeedMap map(disk, "/state");
    EXPECT_TRUE(run(map.load()).ok());
    return map;
  }
};
using SeedMapTest = Fixture;

TEST_F(SeedMapTest, WithoutAFileNothingWasBegunAndTheTableIsBelieved) {
  const SeedMap map = loaded();
  EXPECT_FALSE(map.known());
  EXPECT_TRUE(map.believed(0));
}

TEST_F(SeedMapTest, MarksSurviveACrashOnceFlushed) {
  {
    SeedMap map = loaded();
    ASSERT_TRUE(run(map.reset(small_pass)).ok());
    map.mark(2);
    ASSERT_TRUE(run(map.flush({3, 4, 5})).ok());
    map.mark(1);
  }
  disk.crash(Keep::synced, random);
  const SeedMap map = loaded();
  EXPECT_EQ(map.pass(), small_pass);
  EXPECT_EQ(map.counts(), (SeedCounts{3, 4, 5}));
  EXPECT_EQ(map.done_count(), 1u);
  EXPECT_TRUE(map.done(2));
  EXPECT_TRUE(map.believed(2));
  EXPECT_FALSE(map.believed(1));
}

TEST_F(SeedMapTest, ASettledMapIsBelievedEverywhereUntilItIsUnsettled) {
  {
    SeedMap map = loaded();
    ASSERT_TRUE(run(map.reset(small_pass)).ok());
    map.mark(2);
    ASSERT_TRUE(run(map.settle({})).ok());
  }
  disk.crash(Keep::synced, random);
  {
    SeedMap map = loaded();
    EXPECT_TRUE(map.believed(1));
    ASSERT_TRUE(run(map.unsettle()).ok());
    EXPECT_TRUE(map.believed(1));
  }
  disk.crash(Keep::synced, random);
  EXPECT_FALSE(loaded().believed(1));
}

TEST_F(SeedMapTest, ANewPassBeginsWithNothingDone) {
  {
    SeedMap map = loaded();
    ASSERT_TRUE(run(map.reset(large_pass)).ok());
    for (std::uint32_t extent = 0; extent < map.extents(); ++extent) map.mark(extent);
    ASSERT_TRUE(run(map.flush({})).ok());
  }
  {
    SeedMap map = loaded();
    EXPECT_EQ(map.done_count(), 341797u);
    ASSERT_TRUE(run(map.reset(large_pass)).ok());
    EXPECT_EQ(map.done_count(), 0u);
    EXPECT_TRUE(map.believed(341796));
  }
  const SeedMap map = loaded();
  EXPECT_EQ(map.pass(), large_pass);
  EXPECT_EQ(map.done_count(), 0u);
}

TEST_F(SeedMapTest, TheFileGrowsWithTheDatabaseOnly) {
  SeedMap map = loaded();
  ASSERT_TRUE(run(map.reset(small_pass)).ok());
  map.mark(0);
  ASSERT_TRUE(run(map.flush({})).ok());
  for (int round = 0; round < 20; ++round) ASSERT_TRUE(run(map.flush({})).ok());
  EXPECT_LE(disk.content("/state/seed.map").size(), 4 * SeedMap::block_bytes);
}

TEST_F(SeedMapTest, WithoutAReadableHeaderNothingIsBelieved) {
  {
    SeedMap map = loaded();
    ASSERT_TRUE(run(map.reset(small_pass)).ok());
    map.mark(2);
    ASSERT_TRUE(run(map.flush({})).ok());
  }
  disk.flip("/state/seed.map", 8 * 100);
  disk.flip("/state/seed.map", 8 * (100 + SeedMap::block_bytes));
  {
    SeedMap map = loaded();
    EXPECT_FALSE(map.known());
    EXPECT_FALSE(map.believed(2));
    ASSERT_TRUE(run(map.reset(small_pass)).ok());
  }
  EXPECT_EQ(loaded().done_count(), 0u);
}

TEST_F(SeedMapTest, ANewerVersionIsRefused) {
  {
    SeedMap map = loaded();
    ASSERT_TRUE(run(map.reset(small_pass)).ok());
  }
  Bytes file = disk.content("/state/seed.map");
  ByteSpan slot = ByteSpan(file).subspan(SeedMap::block_bytes);
  Encoder(slot.subspan(12)).u32(2);
  Encoder(slot).u64(digest64(slot.subspan(8), 0));
  disk.put("/state/seed.map", file);
  SeedMap map(disk, "/state");
  EXPECT_EQ(run(map.load()).error().kind, ErrorKind::unsupported);
}

// Every operation of a short life of a map is the last one before a power cut that keeps any part of what was not synced.
TEST_F(SeedMapTest, APowerCutAtAnyOperationLosesNoFlushedMarkAndInventsNone) {
  for (std::uint64_t cut = 0; cut < 40; ++cut) {
    storage::PageMemoryDisk fresh;
    std::uint32_t flushed = 0, marked = 0;
    fresh.fail_from(cut);
    const auto live = [&]() -> Task<Result<void>> {
      SeedMap map(fresh, "/state");
      CCR_CO_TRY(co_await map.load());
      CCR_CO_TRY(co_await map.reset(small_pass));
      for (std::uint32_t extent = 0; extent < 4; ++extent) {
        marked = extent + 1;
        map.mark(extent);
        const SeedCounts counts{extent, 0, 0};
        CCR_CO_TRY(co_await map.flush(counts));
        flushed = marked;
      }
      co_return co_await map.settle({});
    };
    const Result<void> lived = run(live());
    fresh.crash(Keep::some, random);
    SeedMap map(fresh, "/state");
    ASSERT_TRUE(run(map.load()).ok());
    EXPECT_GE(map.done_count(), flushed) << cut;
    EXPECT_LE(map.done_count(), marked) << cut;
    const bool interrupted = !lived.ok() && flushed < 4 && map.known();
    EXPECT_FALSE(interrupted && map.settled()) << cut;
  }
}

}  // namespace
}  // namespace ccr::seed
