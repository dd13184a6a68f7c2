// The digests that two nodes compare when they meet, of a log that moves on meanwhile.
#include "engine/chain_points.h"

#include <functional>

#include "tests/log_support.h"

namespace ccr::engine {
namespace {

using namespace storage::test;
using storage::Disk;
using storage::DirectoryEntry;
using storage::DiskSpace;
using storage::File;
using storage::MemoryDisk;
using storage::OpenMode;

// Does something once, before the n-th time that a file of that name is opened.
class InterruptedDisk final : public Disk {
 public:
  InterruptedDisk(Disk& disk, std::string name, int nth, std::function<void()> interruption)
      : disk_(disk), name_(std::move(name)), left_(nth), interruption_(std::move(interruption)) {}
  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    if (path.ends_with(name_) && --left_ == 0) interruption_();
    return disk_.open(std::move(path), mode);
  }
  Task<Result<void>> make_directories(std::string path) override { return disk_.make_directories(std::move(path)); }
  Task<Result<void>> sync_directory(std::string path) override { return disk_.sync_directory(std::move(path)); }
  Task<Result<void>> rename(std::string from, std::string to) override { return disk_.rename(std::move(from), std::move(to)); }
  Task<Result<void>> remove(std::string path) override { return disk_.remove(std::move(path)); }
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path) override { return disk_.list(std::move(path)); }
  Task<Result<DiskSpace>> space(std::string path) override { return disk_.space(std::move(path)); }
  std::string_view name() const override { return disk_.name(); }
  bool interrupted() const { return left_ <= 0; }

 private:
  Disk& disk_;
  std::string name_;
  int left_;
  std::function<void()> interruption_;
};

// An active log, and a copy that has all of it: two sealed generations, and a part of the third.
class ChainPoints : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(active.create());
    for (int generation = 0; generation < 2; ++generation) {
      ASSERT_OK(active.commit(3));
      ASSERT_OK(run(active.log->roll()));
      ASSERT_OK(active.sync());
    }
    ASSERT_OK(active.commit(3));
    ASSERT_OK(passive.open());
    ASSERT_OK(passive.ship(active, active.log->durable(), 4));
    ASSERT_OK(run(passive.log->sync()));
    const Result<std::vector<transport::ChainPoint>> there = run(points_of(memory, passive.directory, *passive.log));
    ASSERT_OK(there);
    points = *there;
    ASSERT_EQ(points.size(), 3u);
    ASSERT_EQ(points.front().generation, Generation{3});
    ASSERT_GT(points.front().bytes, 0u);
  }
  void seal_and_go_on() {
    ASSERT_OK(run(active.log->roll()));
    ASSERT_OK(active.commit(5));
  }
  std::vector<bool> equal(Disk& disk) {
    const Result<std::vector<std::optional<Digest128>>> own = run(own_digests(disk, active.directory(), active.log->durable(), points));
    EXPECT_OK(own);
    std::vector<bool> same;
    for (std::size_t i = 0; own.ok() && i < own->size(); ++i) same.push_back((*own)[i] == points[i].digest);
    return same;
  }

  MemoryDisk memory;
  Active active{memory};
  Passive passive{active};
  std::vector<transport::ChainPoint> points;
  const std::vector<bool> all = {true, true, true};
};

TEST_F(ChainPoints, AreEqualInALogThatIsThere) { EXPECT_EQ(equal(memory), all); }

// Another file takes the name current.log between two looks: its bytes are none of the generation that was asked for.
TEST_F(ChainPoints, AreEqualHoweverTheOpenGenerationIsSealedMeanwhile) {
  InterruptedDisk disk(memory, storage::current_name, 1, [this] { seal_and_go_on(); });
  EXPECT_EQ(equal(disk), all);
  EXPECT_TRUE(disk.interrupted());
}

TEST_F(ChainPoints, OfALogThatIsNoPartOfIt) {
  points.front().digest.bytes[0] ^= std::byte{1};
  EXPECT_EQ(equal(memory), (std::vector<bool>{false, true, true}));
}

// A file whose header rotted proves nothing; the others do.
TEST_F(ChainPoints, AreProvenByTheOthersWhereOneRotted) {
  memory.file(storage::sealed_path(directory_a, {2})).write(16, Bytes(32, std::byte{0x5a}));
  EXPECT_EQ(equal(memory), (std::vector<bool>{true, false, true}));
}

}  // namespace
}  // namespace ccr::engine
