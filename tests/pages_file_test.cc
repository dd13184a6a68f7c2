// The page file, and the overlay of commits that are not durable yet.
#include "storage/page_file.h"

#include "storage/page_digests.h"
#include "storage/replay_target.h"
#include "tests/pages_fixture.h"

namespace ccr::storage::pages_file_test {
namespace {

using Keep = PageMemoryDisk::Keep;

const std::string table_path = "/db/orders.digests";
constexpr std::uint32_t page_size = 512;

Digest64 zeros(PageNumber page) { return page_digest(page, Bytes(page_size)); }

TEST(DigestOverlay, TheTableStaysBehindUntilItIsSettled) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, page_size);
  table.resize(2);
  DigestOverlay overlay(table);
  EXPECT_EQ(overlay.page_count(), 2u);
  EXPECT_EQ(overlay.root(), table.root());
  overlay.resize(3);
  overlay.set(1, 10);
  overlay.set(1, 11);
  overlay.set(3, 30);
  EXPECT_EQ(overlay.root(), 11 + zeros(2) + 30);
  EXPECT_EQ(table.root(), zeros(1) + zeros(2));
  overlay.settle();
  EXPECT_EQ(table.root(), 11 + zeros(2) + 30);
  EXPECT_EQ(table.page_count(), 3u);
}

TEST(DigestOverlay, PagesDroppedAndGrownAgainInOneGroupAreZeros) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, page_size);
  table.resize(4);
  for (PageNumber page = 1; page <= 4; ++page) table.set(page, page);
  DigestOverlay overlay(table);
  overlay.set(3, 33);
  overlay.resize(2);
  overlay.resize(4);
  EXPECT_EQ(overlay.root(), 1 + 2 + zeros(3) + zeros(4));
  overlay.set(4, 44);
  overlay.settle();
  EXPECT_EQ(table.at(3), zeros(3));
  EXPECT_EQ(table.at(4), 44u);
  EXPECT_EQ(table.root(), overlay.root());
}

TEST(DigestOverlay, RestartForgetsWhatWasNotSettled) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, page_size);
  table.resize(3);
  DigestOverlay overlay(table);
  overlay.resize(1);
  overlay.set(1, 5);
  overlay.resize(9);
  overlay.restart();
  EXPECT_EQ(overlay.page_count(), 3u);
  EXPECT_EQ(overlay.root(), zeros(1) + zeros(2) + zeros(3));
  overlay.settle();
  EXPECT_EQ(table.root(), zeros(1) + zeros(2) + zeros(3));
}

TEST(DigestOverlay, EqualsATableThatWasChangedAtOnceOverRandomGroups) {
  PageMemoryDisk disk;
  PageDigests table(disk, table_path, page_size), model(disk, "/db/model", page_size);
  DigestOverlay overlay(table);
  Random random(7);
  for (int step = 0; step < 4000; ++step) {
    if (model.page_count() == 0 || random.chance(1, 20)) {
      const auto count = static_cast<PageNumber>(random.below(200));
      overlay.resize(count);
      model.resize(count);
    } else {
      const auto page = static_cast<PageNumber>(random.between(1, model.page_count()));
      const Digest64 digest = random.next();
      overlay.set(page, digest);
      model.set(page, digest);
    }
    if (random.chance(1, 3)) {
      ASSERT_EQ(overlay.root(), model.root());
    }
    ASSERT_EQ(overlay.page_count(), model.page_count());
    if (random.chance(1, 30)) {
      overlay.settle();
      ASSERT_TRUE(equal(table, model));
    }
  }
}

const std::string page_path = "/db/orders.db.copy";

std::unique_ptr<PageFile> opened(PageMemoryDisk& disk) {
  return std::move(finish(PageFile::open(disk, page_path, page_size))).value();
}

Bytes image(int value) { return Bytes(page_size, static_cast<std::byte>(value)); }

TEST(PageFile, IsCreatedEmptyWithADurableName) {
  PageMemoryDisk disk;
  Random random(1);
  EXPECT_EQ(opened(disk)->page_count(), 0u);
  disk.crash(Keep::synced, random);
  EXPECT_TRUE(disk.exists(page_path));
}

TEST(PageFile, PagesAreReadAsTheyWereWritten) {
  PageMemoryDisk disk;
  const std::unique_ptr<PageFile> file = opened(disk);
  Bytes two = image(1);
  const Bytes second = image(2);
  two.insert(two.end(), second.begin(), second.end());
  ASSERT_TRUE(finish(file->write(3, two)).ok());
  EXPECT_EQ(file->page_count(), 4u);
  Bytes all(4 * page_size);
  ASSERT_TRUE(finish(file->read(1, 4, all)).ok());
  EXPECT_EQ(all[0], std::byte{0});
  EXPECT_EQ(all[2 * page_size], std::byte{1});
  EXPECT_EQ(all[4 * page_size - 1], std::byte{2});
}

TEST(PageFile, PagesBeyondTheEndAreAGap) {
  PageMemoryDisk disk;
  const std::unique_ptr<PageFile> file = opened(disk);
  ASSERT_TRUE(finish(file->resize(2)).ok());
  Bytes two(2 * page_size);
  EXPECT_TRUE(finish(file->read(1, 2, two)).ok());
  EXPECT_EQ(kind_of(finish(file->read(2, 2, two))), ErrorKind::gap);
}

TEST(PageFile, AFileThatSomebodyCutIsAGap) {
  PageMemoryDisk disk;
  const std::unique_ptr<PageFile> file = opened(disk);
  ASSERT_TRUE(finish(file->resize(2)).ok());
  std::unique_ptr<File> foreign = std::move(finish(disk.open(page_path, OpenMode::read_write))).value();
  ASSERT_TRUE(finish(foreign->truncate(page_size)).ok());
  Bytes two(2 * page_size);
  EXPECT_EQ(kind_of(finish(file->read(1, 2, two))), ErrorKind::gap);
}

TEST(PageFile, ShrunkAndGrownPagesAreZeros) {
  PageMemoryDisk disk;
  const std::unique_ptr<PageFile> file = opened(disk);
  ASSERT_TRUE(finish(file->write(1, image(1))).ok());
  ASSERT_TRUE(finish(file->write(2, image(2))).ok());
  ASSERT_TRUE(finish(file->resize(1)).ok());
  ASSERT_TRUE(finish(file->resize(2)).ok());
  Bytes page(page_size);
  ASSERT_TRUE(finish(file->read(2, 1, page)).ok());
  EXPECT_EQ(page, image(0));
}

TEST(PageFile, ALengthThatEndsInsideAPageIsCorruptWithThePath) {
  PageMemoryDisk disk;
  disk.put(page_path, Bytes(3 * page_size + 1));
  const Result<std::unique_ptr<PageFile>> file = finish(PageFile::open(disk, page_path, page_size));
  ASSERT_EQ(kind_of(file), ErrorKind::corrupt);
  EXPECT_NE(file.error().message.find(page_path), std::string::npos);
}

TEST(PageFile, ATailTornByARepeatedReplayIsCut) {
  PageMemoryDisk disk;
  disk.put(page_path, Bytes(3 * page_size + 1));
  const Result<std::unique_ptr<PageFile>> file = finish(PageFile::open(disk, page_path, page_size, PageFile::TornTail::cut));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->page_count(), 3u);
  EXPECT_EQ(disk.content(page_path).size(), 3 * page_size);
}

TEST(PageFile, SyncedPagesSurviveThePowerCut) {
  PageMemoryDisk disk;
  Random random(1);
  std::unique_ptr<PageFile> file = opened(disk);
  ASSERT_TRUE(finish(file->write(1, image(1))).ok());
  ASSERT_TRUE(finish(file->sync()).ok());
  ASSERT_TRUE(finish(file->write(2, image(2))).ok());
  disk.crash(Keep::synced, random);
  file = opened(disk);
  EXPECT_EQ(file->page_count(), 1u);
}

void replay_batch(PageFileTarget& target, PageNumber count, int value) {
  const Bytes content = image(value);
  ASSERT_TRUE(finish(target.resize(count)).ok());
  for (PageNumber page = 1; page <= count; ++page) {
    const Page written{page, content};
    ASSERT_TRUE(finish(target.write(std::span(&written, 1))).ok());
  }
}

// A table that counts pages which the file lost would prove what is not there.
TEST(PageFileTarget, ACrashAtEveryOperationOfAGrowingBatchLeavesNoTableLongerThanItsFile) {
  for (const Keep keep : every_keep) {
    bool synced = false;
    for (std::uint64_t operation = 0; !synced; ++operation) {
      PageMemoryDisk disk;
      Random random(operation);
      {
        const std::unique_ptr<PageFile> file = opened(disk);
        PageDigests table(disk, table_path, page_size);
        PageFileTarget target(*file, table, PageFileTarget::Digests::set);
        replay_batch(target, 4, 1);
        ASSERT_TRUE(finish(target.sync()).ok());
        replay_batch(target, 700, 2);  // its digests fill more than a block
        disk.fail_from(operation);
        synced = finish(target.sync()).ok();
      }
      disk.crash(keep, random);
      const Result<std::unique_ptr<PageFile>> file = finish(PageFile::open(disk, page_path, page_size, PageFile::TornTail::cut));
      PageDigests table(disk, table_path, page_size);
      ASSERT_TRUE(file.ok() && finish(table.load()).ok()) << operation;
      EXPECT_LE(table.page_count(), (*file)->page_count()) << "died in operation " << operation;
      EXPECT_TRUE(!synced || table.page_count() == 700u);
    }
  }
}

}  // namespace
}  // namespace ccr::storage::pages_file_test
