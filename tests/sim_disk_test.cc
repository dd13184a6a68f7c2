// Each promise of storage/disk.h on the simulated disk, its faults, and what severing does.
#include <gtest/gtest.h>

#include "base/task_group.h"
#include "tests/sim/sim_disk.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using storage::Disk;
using storage::File;
using storage::OpenMode;

class SimDiskTest : public ::testing::Test {
 protected:
  SimDiskTest() : world(1), disk(world, "alpha"), mounted(disk.mount()) {}

  std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::create) {
    Result<std::unique_ptr<File>> file = complete(world, mounted->open(path, mode));
    CCR_ASSERT(file.ok());
    return std::move(*file);
  }
  Result<void> write(File& file, std::uint64_t offset, const std::string& text) {
    return complete(world, file.write_at(offset, as_bytes(text)));
  }
  std::string read(File& file, std::uint64_t offset = 0, std::size_t count = 100) {
    Bytes bytes(count);
    const Result<std::size_t> got = complete(world, file.read_at(offset, bytes));
    CCR_ASSERT(got.ok());
    bytes.resize(*got);
    return to_text(bytes);
  }
  void power_cut(Damage damage) {
    disk.crash({damage, Ordering::adversarial});
    mounted = disk.mount();
  }

  World world;
  SimDisk disk;
  std::unique_ptr<Disk> mounted;
};

TEST_F(SimDiskTest, ReadsGiveWhatWasWrittenAndAreShortOnlyAtTheEnd) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, "hello"));
  EXPECT_TRUE(write(*file, 8, "world"));
  EXPECT_EQ(read(*file), std::string("hello\0\0\0world", 13));
  EXPECT_EQ(read(*file, 11), "ld");
  EXPECT_EQ(read(*file, 13), "");
  EXPECT_EQ(*complete(world, file->size()), 13u);
}

TEST_F(SimDiskTest, ContentCrossesChunksAndShrinkingLeavesZerosBehind) {
  const auto file = open("/a");
  const std::string text(10'000, 'x');
  EXPECT_TRUE(write(*file, 100, text));
  EXPECT_EQ(read(*file, 4090, 20), std::string(20, 'x'));
  EXPECT_TRUE(complete(world, file->truncate(5000)).ok());
  EXPECT_TRUE(complete(world, file->truncate(6000)).ok());
  EXPECT_EQ(read(*file, 4998, 5), std::string("xx\0\0\0", 5));
}

TEST_F(SimDiskTest, AllocateExtendsWithZerosAndNeverShrinks) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, "abc"));
  EXPECT_TRUE(complete(world, file->allocate(6)).ok());
  EXPECT_TRUE(complete(world, file->allocate(2)).ok());
  EXPECT_EQ(read(*file), std::string("abc\0\0\0", 6));
}

TEST_F(SimDiskTest, OpenModesSayWhatMustBeThere) {
  EXPECT_EQ(complete(world, mounted->open("/a", OpenMode::read)).error().kind, ErrorKind::not_found);
  EXPECT_EQ(complete(world, mounted->open("/a", OpenMode::read_write)).error().kind, ErrorKind::not_found);
  EXPECT_EQ(complete(world, mounted->open("/no/a", OpenMode::create)).error().kind, ErrorKind::not_found);
  open("/a", OpenMode::create_new);
  EXPECT_EQ(complete(world, mounted->open("/a", OpenMode::create_new)).error().kind, ErrorKind::exists);
  EXPECT_TRUE(complete(world, mounted->open("/a", OpenMode::read)).ok());
}

TEST_F(SimDiskTest, ListIsSortedAndTellsDirectoriesFromFiles) {
  EXPECT_TRUE(complete(world, mounted->make_directories("/d/z")).ok());
  EXPECT_TRUE(complete(world, mounted->make_directories("/d/z")).ok());
  EXPECT_TRUE(write(*open("/d/b"), 0, "12"));
  open("/d/a");
  const auto entries = complete(world, mounted->list("/d"));
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[1].name, "b");
  EXPECT_EQ((*entries)[1].facts.bytes, 2u);
  EXPECT_EQ((*entries)[2].name, "z");
  EXPECT_TRUE((*entries)[2].directory);
  EXPECT_EQ(complete(world, mounted->list("/e")).error().kind, ErrorKind::not_found);
}

TEST_F(SimDiskTest, RenameReplacesAndAnUnlinkedFileLivesWhileItIsOpen) {
  const auto old_file = open("/b");
  EXPECT_TRUE(write(*old_file, 0, "old"));
  EXPECT_TRUE(write(*open("/a"), 0, "new"));
  EXPECT_TRUE(complete(world, mounted->rename("/a", "/b")).ok());
  EXPECT_TRUE(complete(world, mounted->sync_directory("/")).ok());
  EXPECT_EQ(read(*old_file), "old");
  EXPECT_EQ(read(*open("/b")), "new");
  EXPECT_EQ(complete(world, mounted->rename("/a", "/c")).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(complete(world, mounted->remove("/b")).ok());
  EXPECT_EQ(complete(world, mounted->remove("/b")).error().kind, ErrorKind::not_found);
}

TEST_F(SimDiskTest, SyncedContentUnderASyncedNameSurvivesEveryPowerCut) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, "kept"));
  EXPECT_TRUE(complete(world, file->sync()).ok());
  EXPECT_TRUE(complete(world, mounted->sync_directory("/")).ok());
  EXPECT_TRUE(write(*file, 0, "lost"));
  power_cut(Damage::lose_unsynced);
  EXPECT_EQ(read(*open("/a", OpenMode::read)), "kept");
}

TEST_F(SimDiskTest, ANameWithoutADirectorySyncIsLostAndAKilledProcessLosesNothing) {
  EXPECT_TRUE(write(*open("/a"), 0, "text"));
  disk.sever();
  mounted = disk.mount();
  EXPECT_EQ(read(*open("/a", OpenMode::read)), "text");
  power_cut(Damage::lose_unsynced);
  EXPECT_EQ(complete(world, mounted->open("/a", OpenMode::read)).error().kind, ErrorKind::not_found);
}

TEST_F(SimDiskTest, AMadeDirectoryIsDurableAtOnce) {
  EXPECT_TRUE(complete(world, mounted->make_directories("/x/y")).ok());
  power_cut(Damage::lose_unsynced);
  EXPECT_TRUE(complete(world, mounted->list("/x/y")).ok());
}

TEST_F(SimDiskTest, ASyncCoversOnlyWhatHadCompletedWhenItBegan) {
  const auto file = open("/a");
  EXPECT_TRUE(complete(world, mounted->sync_directory("/")).ok());
  EXPECT_TRUE(write(*file, 0, "first"));
  disk.options().sync_min = disk.options().sync_max = 10ms;
  TaskGroup group(world.executor());
  auto sync = [&]() -> Task<Result<void>> { return file->sync(); };
  group.spawn(sync());
  world.run_for(1ms);
  EXPECT_TRUE(write(*file, 0, "later"));  // completes while the sync runs
  world.run_until([&] { return group.running() == 0; }, 1s);
  power_cut(Damage::lose_unsynced);
  EXPECT_EQ(read(*open("/a")), "first");
}

Task<Result<void>> write_then_note(File& file, std::string text, std::vector<std::string>& order) {
  const ByteView bytes = as_bytes(text);
  Result<void> result = co_await file.write_at(0, bytes);
  if (result.ok()) order.push_back(text);
  co_return result;
}

TEST_F(SimDiskTest, OverlappingWritesEndInEitherOrderAndTheLastToCompleteWins) {
  const auto file = open("/a");
  int a_first = 0;
  for (int i = 0; i < 100; ++i) {
    TaskGroup group(world.executor());
    std::vector<std::string> order;
    group.spawn(write_then_note(*file, "aaaa", order));
    group.spawn(write_then_note(*file, "bbbb", order));
    world.run_until([&] { return group.running() == 0; }, 1s);
    ASSERT_EQ(order.size(), 2u);
    EXPECT_EQ(read(*file), order.back());
    a_first += order.front() == "aaaa" ? 1 : 0;
  }
  EXPECT_GT(a_first, 10);
  EXPECT_LT(a_first, 90);
}

Task<Result<void>> count_after_write(File& file, int& after, int& unwound) {
  struct Count {
    int& count;
    ~Count() { ++count; }
  } count{unwound};
  const std::string text = "done";
  const ByteView bytes = as_bytes(text);
  const Result<void> result = co_await file.write_at(0, bytes);
  ++after;
  co_return result;
}

TEST_F(SimDiskTest, AStoppedTaskUnwindsOnlyWhenItsWriteHasCompleted) {
  const auto file = open("/a");
  TaskGroup group(world.executor());
  int after = 0, unwound = 0;
  group.spawn(count_after_write(*file, after, unwound));
  world.settle();
  group.stop();
  world.settle();
  EXPECT_EQ(unwound, 0);
  world.run_for(1s);
  EXPECT_EQ(unwound, 1);
  EXPECT_EQ(after, 0);
  EXPECT_EQ(read(*file), "done");
}

TEST_F(SimDiskTest, SeveredHandlesFailAtOnceWithStoppedAndChangeNothing) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, "kept"));
  std::unique_ptr<Disk> old = std::move(mounted);
  disk.sever();
  mounted = disk.mount();
  const Instant begin = world.now();
  EXPECT_EQ(write(*file, 0, "evil").error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, file->sync()).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, file->truncate(0)).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, file->size()).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, old->remove("/a")).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, old->rename("/a", "/b")).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, old->open("/c", OpenMode::create)).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, old->make_directories("/d")).error().kind, ErrorKind::stopped);
  EXPECT_EQ(complete(world, old->list("/")).error().kind, ErrorKind::stopped);
  EXPECT_EQ(world.now(), begin);
  EXPECT_EQ(complete(world, mounted->list("/"))->size(), 1u);
  EXPECT_EQ(read(*open("/a")), "kept");
}

TEST_F(SimDiskTest, PendingOperationsOfASeveredDiskEndWhileTimeStandsStill) {
  const auto file = open("/a");
  TaskGroup group(world.executor());
  int after = 0, unwound = 0;
  group.spawn(count_after_write(*file, after, unwound));
  world.settle();
  const Instant begin = world.now();
  disk.crash({Damage::lose_unsynced, Ordering::adversarial});
  world.settle();
  EXPECT_EQ(unwound, 1);
  EXPECT_EQ(world.now(), begin);
  world.run_for(1s);
  EXPECT_EQ(disk.state().list("/")->size(), 0u);
}

TEST_F(SimDiskTest, WhatWasInFlightAtAKillIsThereOrNot) {
  int there = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string path = "/" + std::to_string(i);
    const auto file = open(path);
    TaskGroup group(world.executor());
    int after = 0, unwound = 0;
    group.spawn(count_after_write(*file, after, unwound));
    world.settle();
    disk.sever();
    world.settle();
    mounted = disk.mount();
    there += read(*open(path)) == "done" ? 1 : 0;
  }
  EXPECT_GT(there, 20);
  EXPECT_LT(there, 80);
}

TEST_F(SimDiskTest, APlannedErrorHitsTheChosenOperationOnce) {
  const auto file = open("/log.1");
  DiskPlan plan;
  plan.action = DiskAction::write;
  plan.path_part = "log";
  plan.skip = 1;
  disk.plan(plan);
  EXPECT_TRUE(write(*file, 0, "a").ok());
  EXPECT_EQ(write(*file, 0, "b").error().kind, ErrorKind::io);
  EXPECT_TRUE(write(*file, 0, "c").ok());
  EXPECT_EQ(world.fired(Fault::disk_write_error), 1u);
}

TEST_F(SimDiskTest, EveryKindOfOperationCanBeMadeToFail) {
  const auto file = open("/a");
  DiskPlan always;
  always.times = 1'000;
  always.error = ErrorKind::read_only;
  disk.plan(always);
  EXPECT_EQ(complete(world, file->size()).error().kind, ErrorKind::read_only);
  EXPECT_EQ(complete(world, mounted->rename("/a", "/b")).error().kind, ErrorKind::read_only);
  EXPECT_EQ(complete(world, mounted->list("/")).error().kind, ErrorKind::read_only);
  EXPECT_EQ(complete(world, mounted->space("/")).error().kind, ErrorKind::read_only);
  disk.clear_plans();
  EXPECT_EQ(complete(world, mounted->list("/"))->front().name, "a");
}

TEST_F(SimDiskTest, AfterAFailedSyncTheCacheShowsWhatTheDiskHasLost) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, "old"));
  EXPECT_TRUE(complete(world, file->sync()).ok());
  EXPECT_TRUE(complete(world, mounted->sync_directory("/")).ok());
  int lost = 0;
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(write(*file, 0, "old"));
    EXPECT_TRUE(complete(world, file->sync()).ok());
    EXPECT_TRUE(write(*file, 0, "new"));
    DiskPlan plan;
    plan.action = DiskAction::sync;
    disk.plan(plan);
    EXPECT_EQ(complete(world, file->sync()).error().kind, ErrorKind::io);
    EXPECT_EQ(read(*file), "new");
    EXPECT_TRUE(complete(world, file->sync()).ok());  // the retry lies
    lost += read(*open("/a")) == "old" ? 1 : 0;
  }
  EXPECT_GT(lost, 5);
  EXPECT_EQ(world.fired(Fault::disk_sync_error), 50u);
}

TEST_F(SimDiskTest, AFullDiskRefusesWhatExtendsAndServesTheRest) {
  disk.options().capacity_bytes = 16 * KiB;
  const auto file = open("/a");
  EXPECT_TRUE(complete(world, file->allocate(16 * KiB)).ok());
  const auto other = open("/b");
  EXPECT_EQ(write(*other, 0, "x").error().kind, ErrorKind::no_space);
  EXPECT_EQ(complete(world, other->allocate(4096)).error().kind, ErrorKind::no_space);
  EXPECT_TRUE(write(*file, 4096, "inside"));
  EXPECT_EQ(complete(world, mounted->space("/"))->free_bytes, 0u);
  EXPECT_TRUE(complete(world, file->truncate(4096)).ok());
  EXPECT_TRUE(write(*other, 0, "x"));
  EXPECT_EQ(complete(world, mounted->space("/"))->free_bytes, 8 * KiB);
}

TEST_F(SimDiskTest, AReadOnlyDiskReadsAndMayHaveLostWhatWasNotSynced) {
  const auto file = open("/a"), synced = open("/b");
  EXPECT_TRUE(write(*synced, 0, "kept"));
  EXPECT_TRUE(complete(world, synced->sync()).ok());
  EXPECT_TRUE(complete(world, mounted->sync_directory("/")).ok());
  EXPECT_TRUE(write(*file, 0, "perhaps"));
  disk.options().read_only = true;
  const auto kind = [this](Task<Result<void>> call) { return complete(world, std::move(call)).error().kind; };
  EXPECT_EQ(kind(file->sync()), ErrorKind::read_only);
  EXPECT_TRUE(complete(world, synced->sync()).ok()) << "it has nothing to write";
  EXPECT_EQ(write(*synced, 0, "lost").error().kind, ErrorKind::read_only);
  EXPECT_EQ(kind(synced->truncate(1)), ErrorKind::read_only);
  EXPECT_EQ(kind(mounted->rename("/a", "/c")), ErrorKind::read_only);
  EXPECT_EQ(kind(mounted->remove("/a")), ErrorKind::read_only);
  EXPECT_EQ(kind(mounted->make_directories("/d")), ErrorKind::read_only);
  EXPECT_EQ(complete(world, mounted->open("/c", OpenMode::create)).error().kind, ErrorKind::read_only);
  EXPECT_EQ(complete(world, mounted->open("/b", OpenMode::read_write)).error().kind, ErrorKind::read_only);
  EXPECT_EQ(read(*open("/b", OpenMode::read)), "kept");
  EXPECT_EQ(world.fired(Fault::disk_read_only), 8u);
  disk.options().read_only = false;
  EXPECT_TRUE(write(*synced, 0, "more"));
}

TEST_F(SimDiskTest, WithoutDescriptorsWhatIsOpenGoesOn) {
  const auto file = open("/a");
  disk.options().no_descriptors = true;
  EXPECT_EQ(complete(world, mounted->open("/a", OpenMode::read)).error().kind, ErrorKind::busy);
  EXPECT_EQ(complete(world, mounted->list("/")).error().kind, ErrorKind::busy);
  EXPECT_EQ(complete(world, mounted->sync_directory("/")).error().kind, ErrorKind::busy);
  EXPECT_EQ(complete(world, mounted->make_directories("/d")).error().kind, ErrorKind::busy);
  EXPECT_TRUE(complete(world, mounted->make_directories("/")).ok());
  EXPECT_TRUE(write(*file, 0, "text"));
  EXPECT_TRUE(complete(world, file->sync()).ok());
  EXPECT_EQ(read(*file), "text");
  EXPECT_EQ(world.fired(Fault::no_descriptors), 4u);
}

TEST_F(SimDiskTest, AStalledDiskCompletesNothingUntilItGoesOn) {
  const auto file = open("/a");
  const Instant begin = world.now();
  disk.stall(3s);
  EXPECT_TRUE(write(*file, 0, "late"));
  EXPECT_GE(world.now() - begin, 3s);
  EXPECT_LT(world.now() - begin, 3s + 100ms);
}

TEST_F(SimDiskTest, RotFlipsOneBitForReadersAndForGood) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, "abc"));
  EXPECT_TRUE(complete(world, file->sync()).ok());
  EXPECT_TRUE(complete(world, mounted->sync_directory("/")).ok());
  EXPECT_TRUE(disk.rot("/a", 1));
  const std::string rotten = read(*file);
  EXPECT_EQ(rotten[0], 'a');
  EXPECT_EQ(__builtin_popcount(static_cast<unsigned char>(rotten[1] ^ 'b')), 1);
  power_cut(Damage::keep_all);
  EXPECT_EQ(read(*open("/a")), rotten);
  EXPECT_FALSE(disk.rot("/none"));
}

TEST_F(SimDiskTest, LostAndMisdirectedWritesAreAcknowledged) {
  const auto file = open("/a");
  EXPECT_TRUE(write(*file, 0, std::string(8192, 'o')));
  disk.options().lost_write_ppm = 1'000'000;
  EXPECT_TRUE(write(*file, 0, "n"));
  EXPECT_EQ(read(*file, 0, 1), "o");
  disk.options().lost_write_ppm = 0;
  disk.options().misdirected_write_ppm = 1'000'000;
  EXPECT_TRUE(write(*file, 5000, "n"));
  EXPECT_EQ(read(*file, 5000, 1), "o");
  EXPECT_EQ(world.fired(Fault::disk_lost_write), 1u);
  EXPECT_EQ(world.fired(Fault::disk_misdirected_write), 1u);
}

TEST_F(SimDiskTest, ASnapshotIsADiskOfItsOwnAndCanBeRestored) {
  EXPECT_TRUE(write(*open("/a"), 0, "then"));
  const DiskState backup = disk.state();
  EXPECT_TRUE(write(*open("/a"), 0, "now!"));
  mounted.reset();
  disk.restore(backup);
  mounted = disk.mount();
  EXPECT_EQ(read(*open("/a")), "then");
}

TEST_F(SimDiskTest, AFrozenNodeSeesItsCompletionsOnlyWhenItGoesOn) {
  const auto file = open("/a");
  TaskGroup group(world.executor());
  int after = 0, unwound = 0;
  group.spawn(count_after_write(*file, after, unwound));
  disk.pause();
  world.run_for(1h);
  EXPECT_EQ(after, 0);
  disk.resume();
  world.settle();
  EXPECT_EQ(after, 1);
  EXPECT_EQ(group.running(), 0u);
}

TEST_F(SimDiskTest, ChanceFaultsFireAtAboutTheirRate) {
  disk.options().write_error_ppm = 100'000;
  const auto file = open("/a");
  int failed = 0;
  for (int i = 0; i < 1000; ++i) failed += write(*file, 0, "x").ok() ? 0 : 1;
  EXPECT_EQ(world.fired(Fault::disk_write_error), static_cast<std::uint64_t>(failed));
  EXPECT_GT(failed, 60);
  EXPECT_LT(failed, 150);
}

}  // namespace
}  // namespace ccr::sim
