// Page digests: the table, what is flushed of it, and what crashes leave.
#include "storage/page_digests.h"

#include "tests/pages_fixture.h"

namespace ccr::storage {
namespace {

using Keep = PageMemoryDisk::Keep;

const std::string table_path = "/db/orders.digests";
constexpr std::uint32_t table_page_bytes = 512;
constexpr std::uint64_t block = 4096;

Digest64 zeros(PageNumber page) { return page_digest(page, Bytes(table_page_bytes)); }

Digest64 brute_force_root(const PageDigests& table) {
  Digest64 sum = 0;
  for (PageNumber page = 1; page <= table.page_count(); ++page) sum += table.at(page);
  return sum;
}

TEST(PageDigests, RootIsTheSumOfThePagesOverRandomSetsAndResizes) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  Random random(1);
  for (int step = 0; step < 3000; ++step) {
    if (table.page_count() == 0 || random.chance(1, 50)) {
      table.resize(static_cast<PageNumber>(random.below(2000)));
    } else {
      table.set(static_cast<PageNumber>(random.between(1, table.page_count())), random.next());
    }
    if (step % 20 != 0) continue;
    ASSERT_EQ(table.root(), brute_force_root(table));
  }
  EXPECT_EQ(table.root(), brute_force_root(table));
}

TEST(PageDigests, AnEmptyTableHasRootZero) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  EXPECT_EQ(table.page_count(), 0u);
  EXPECT_EQ(table.root(), 0u);
  table.resize(5);
  table.resize(0);
  EXPECT_EQ(table.root(), 0u);
}

TEST(PageDigests, GrownPagesAreZerosAlsoWhereOtherPagesHadBeen) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(3);
  table.set(3, 0x1234);
  table.resize(2);
  table.resize(4);
  EXPECT_EQ(table.at(3), zeros(3));
  EXPECT_EQ(table.at(4), zeros(4));
  EXPECT_NE(zeros(3), zeros(4));
  EXPECT_EQ(table.root(), zeros(1) + zeros(2) + zeros(3) + zeros(4));
}

TEST(PageDigests, SettingAPageTwiceIsHarmless) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(2);
  table.set(1, 7);
  table.set(1, 7);
  EXPECT_EQ(table.root(), 7 + zeros(2));
}

TEST(PageDigests, AnExtentIsTheSumOfItsPagesAndTheExtentsSumToTheRoot) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, 65536);
  table.resize(40);  // 16 pages an extent: 16, 16, 8
  for (PageNumber page = 1; page <= 40; ++page) table.set(page, page);
  EXPECT_EQ(extent_count(40, 65536), 3u);
  EXPECT_EQ(table.extent(0), 136u);  // 1 + … + 16
  EXPECT_EQ(table.extent(1), 392u);  // 17 + … + 32
  EXPECT_EQ(table.extent(2), 292u);  // 33 + … + 40
  EXPECT_EQ(table.extent(0) + table.extent(1) + table.extent(2), table.root());
}

TEST(PageDigests, ATableThatIsNotThereIsNotFound) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  EXPECT_EQ(kind_of(finish(table.load())), ErrorKind::not_found);
}

TEST(PageDigests, AFlushedTableIsLoadedAgain) {
  for (const PageNumber pages : {0u, 1u, 511u, 512u, 513u, 200000u}) {
    PageMemoryDisk disk;
    PageDigests table(disk, table_path, table_page_bytes);
    table.resize(pages);
    for (PageNumber page = 1; page <= pages; page += 97) table.set(page, page * 0x9e3779b97f4a7c15ULL);
    ASSERT_TRUE(finish(table.flush()).ok());
    Random random(2);
    disk.crash(Keep::synced, random);
    PageDigests again(disk, table_path, table_page_bytes);
    ASSERT_TRUE(finish(again.load()).ok());
    EXPECT_TRUE(equal(table, again)) << pages;
  }
}

TEST(PageDigests, FlushWritesOnlyTheBlocksThatChangedAndJoinsNeighbours) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(512 * 1000);
  ASSERT_TRUE(finish(table.flush()).ok());
  EXPECT_EQ(disk.counts().writes, 5u);  // 1000 blocks in pieces of 256, and the header
  EXPECT_EQ(disk.counts().directory_syncs, 1u);

  disk.reset_counts();
  ASSERT_TRUE(finish(table.flush()).ok());
  EXPECT_EQ(disk.counts().operations, 0u);

  table.set(1, 1);             // block 0
  table.set(512 * 10 + 1, 1);  // block 10
  table.set(512 * 11 + 1, 1);  // block 11
  table.set(512 * 11 + 2, 1);  // block 11
  table.set(512 * 1000, 1);    // block 999
  ASSERT_TRUE(finish(table.flush()).ok());
  EXPECT_EQ(disk.counts().writes, 3u);
  EXPECT_EQ(disk.counts().written_bytes, 4 * block);
  EXPECT_EQ(disk.counts().syncs, 1u);
  EXPECT_EQ(disk.counts().directory_syncs, 0u);
}

TEST(PageDigests, AGrownTableIsSyncedBeforeItsHeaderCountsTheNewPages) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(10);
  ASSERT_TRUE(finish(table.flush()).ok());
  disk.reset_counts();
  table.resize(600);
  ASSERT_TRUE(finish(table.flush()).ok());
  EXPECT_EQ(disk.counts().writes, 2u);  // blocks 0 and 1 in one, and the header
  EXPECT_EQ(disk.counts().syncs, 2u);
}

TEST(PageDigests, AShrunkTableGivesItsTailBack) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(5000);
  ASSERT_TRUE(finish(table.flush()).ok());
  EXPECT_EQ(disk.content(table_path).size(), block + 10 * block);
  table.resize(700);
  ASSERT_TRUE(finish(table.flush()).ok());
  EXPECT_EQ(disk.content(table_path).size(), block + 2 * block);
  PageDigests again(disk, table_path, table_page_bytes);
  ASSERT_TRUE(finish(again.load()).ok());
  EXPECT_TRUE(equal(table, again));
}

TEST(PageDigests, EveryFlippedBitOfTheHeaderIsFound) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(3);
  ASSERT_TRUE(finish(table.flush()).ok());
  for (std::uint64_t bit = 0; bit < block * 8; ++bit) {
    disk.flip(table_path, bit);
    PageDigests again(disk, table_path, table_page_bytes);
    ASSERT_EQ(kind_of(finish(again.load())), ErrorKind::corrupt) << bit;
    disk.flip(table_path, bit);
  }
}

TEST(PageDigests, AFlippedBitOfAnEntryMakesTheRootDiffer) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(3);
  ASSERT_TRUE(finish(table.flush()).ok());
  for (std::uint64_t bit = block * 8; bit < (block + 3 * 8) * 8; ++bit) {
    disk.flip(table_path, bit);
    PageDigests again(disk, table_path, table_page_bytes);
    ASSERT_TRUE(finish(again.load()).ok());
    ASSERT_NE(again.root(), table.root()) << bit;
    disk.flip(table_path, bit);
  }
}

TEST(PageDigests, AShortTableAndATableOfAnotherPageSizeAreCorrupt) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(600);
  ASSERT_TRUE(finish(table.flush()).ok());
  PageDigests other(disk, table_path, 4096);
  EXPECT_EQ(kind_of(finish(other.load())), ErrorKind::corrupt);
  const Bytes whole = disk.content(table_path);
  for (const std::size_t size : {std::size_t(0), std::size_t(block - 1), std::size_t(block), std::size_t(3 * block - 1)}) {
    disk.put(table_path, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    PageDigests again(disk, table_path, table_page_bytes);
    EXPECT_EQ(kind_of(finish(again.load())), ErrorKind::corrupt) << size;
  }
}

TEST(PageDigests, ATableThatDidNotLoadIsReplacedAsAWhole) {
  PageMemoryDisk disk;
  disk.put(table_path, Bytes(10 * block, std::byte{0x5a}));
  PageDigests table(disk, table_path, table_page_bytes);
  ASSERT_EQ(kind_of(finish(table.load())), ErrorKind::corrupt);
  table.resize(20);
  ASSERT_TRUE(finish(table.flush()).ok());
  PageDigests again(disk, table_path, table_page_bytes);
  ASSERT_TRUE(finish(again.load()).ok());
  EXPECT_TRUE(equal(table, again));
}

// One group of commits as a replay does it: lengths and images, the same each time it is repeated.
void replay_group(PageDigests& table, std::uint64_t group) {
  Random random(group);
  for (int commit = 0; commit < 4; ++commit) {
    table.resize(static_cast<PageNumber>(random.between(1, 3000)));
    for (int image = 0; image < 20; ++image)
      table.set(static_cast<PageNumber>(random.between(1, table.page_count())), random.next());
  }
}

// Crashes inside the flush after `group` at every operation; what is loaded, with the group replayed again, must be what the group
// makes.
void crash_everywhere_after(std::uint64_t group, Keep keep) {
  for (std::uint64_t operation = 0;; ++operation) {
    PageMemoryDisk disk;
    Random random(group * 1000 + operation);
    PageDigests table(disk, table_path, table_page_bytes);
    replay_group(table, group);
    ASSERT_TRUE(finish(table.flush()).ok());
    replay_group(table, group + 1);
    disk.fail_from(operation);
    const bool flushed = finish(table.flush()).ok();
    disk.crash(keep, random);
    PageDigests again(disk, table_path, table_page_bytes);
    ASSERT_TRUE(finish(again.load()).ok()) << operation;
    ASSERT_TRUE(!flushed || equal(table, again));
    replay_group(again, group + 1);
    ASSERT_TRUE(equal(table, again)) << "group " << group << ", operation " << operation;
    ASSERT_TRUE(finish(again.flush()).ok());
    if (flushed) break;
  }
}

TEST(PageDigests, AReplayFromMinRequiredMendsACrashAtEveryOperationOfAFlush) {
  for (const Keep keep : every_keep) {
    for (std::uint64_t group = 1; group <= 60; ++group) crash_everywhere_after(group, keep);
  }
}

TEST(PageDigests, ACrashAtEveryOperationOfTheFirstFlushLeavesNoTableOrAll) {
  for (const Keep keep : every_keep) {
    bool flushed = false;
    for (std::uint64_t operation = 0; !flushed; ++operation) {
      PageMemoryDisk disk;
      Random random(operation);
      PageDigests table(disk, table_path, table_page_bytes);
      replay_group(table, 5);
      disk.fail_from(operation);
      flushed = finish(table.flush()).ok();
      disk.crash(keep, random);
      PageDigests again(disk, table_path, table_page_bytes);
      const Result<void> loaded = finish(again.load());
      if (loaded.ok()) {
        EXPECT_TRUE(equal(table, again));
      } else {
        EXPECT_EQ(loaded.error().kind, ErrorKind::not_found);
      }
      EXPECT_TRUE(!flushed || loaded.ok());
    }
  }
}

TEST(PageDigests, AfterAFailedSyncTheNextFlushTakesAnotherInode) {
  PageMemoryDisk disk;
  Random random(3);
  PageDigests table(disk, table_path, table_page_bytes);
  table.resize(2000);
  ASSERT_TRUE(finish(table.flush()).ok());
  table.set(1500, 42);
  disk.fail_sync(0);
  ASSERT_EQ(kind_of(finish(table.flush())), ErrorKind::io);
  disk.repair();
  ASSERT_TRUE(finish(table.flush()).ok());
  disk.crash(Keep::synced, random);
  PageDigests again(disk, table_path, table_page_bytes);
  ASSERT_TRUE(finish(again.load()).ok());
  EXPECT_EQ(again.at(1500), 42u);
  EXPECT_TRUE(equal(table, again));
}

// A process dies between the writes of a flush and its sync; the next one loads what is in the page cache, replays, flushes; power
// cut.
TEST(PageDigests, WhatAnEarlierProcessDidNotSyncIsSyncedByTheNext) {
  for (const bool sync_failed : {false, true}) {
    PageMemoryDisk disk;
    Random random(4);
    PageDigests before(disk, table_path, table_page_bytes);
    replay_group(before, 1);
    ASSERT_TRUE(finish(before.flush()).ok());
    before.resize(4000);
    before.set(1, 42);
    if (sync_failed) {
      disk.fail_sync(1);  // the last
    } else {
      disk.fail_from(5);  // open, entries, entries, sync, header; then dead
    }
    ASSERT_FALSE(finish(before.flush()).ok());
    disk.repair();
    PageDigests next(disk, table_path, table_page_bytes);
    ASSERT_TRUE(finish(next.load()).ok());
    next.resize(4000);
    next.set(1, 42);
    ASSERT_TRUE(finish(next.flush()).ok());
    disk.crash(Keep::synced, random);
    PageDigests again(disk, table_path, table_page_bytes);
    ASSERT_TRUE(finish(again.load()).ok());
    EXPECT_TRUE(equal(next, again)) << sync_failed;
    EXPECT_EQ(again.page_count(), 4000u);
    EXPECT_EQ(again.at(1), 42u);
  }
}

// The process that renamed the table into place died before it synced the directory; the one that loads it must not rely on the
// name.
TEST(PageDigests, ANameThatAnEarlierProcessDidNotSyncIsDurableAfterTheNextFlush) {
  PageMemoryDisk disk;
  Random random(6);
  PageDigests before(disk, table_path, table_page_bytes);
  before.resize(3);
  disk.fail_from(6);  // remove, open, entries, header, sync, rename; then dead
  ASSERT_FALSE(finish(before.flush()).ok());
  disk.repair();
  ASSERT_TRUE(disk.exists(table_path));
  PageDigests next(disk, table_path, table_page_bytes);
  ASSERT_TRUE(finish(next.load()).ok());
  ASSERT_TRUE(finish(next.flush()).ok());
  disk.crash(Keep::synced, random);
  PageDigests again(disk, table_path, table_page_bytes);
  ASSERT_TRUE(finish(again.load()).ok());
  EXPECT_TRUE(equal(next, again));
}

}  // namespace
}  // namespace ccr::storage
