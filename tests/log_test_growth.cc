// Which page files that are shorter than their digest table says redo makes whole again.
#include "storage/growth_check.h"
#include "tests/log_support.h"

namespace ccr::storage::test {
namespace {

// A table of `whole` pages, of which the file has `there`; the log holds what a test commits.
class CutFile : public testing::Test {
 protected:
  static constexpr std::uint32_t page_size = 512;
  static constexpr PageNumber there = 4, whole = 8;

  void SetUp() override {
    ASSERT_OK(active.create());
    ASSERT_OK(run(disk.make_directories("/data")));
    Result<std::unique_ptr<File>> file = run(disk.open("/data/orders.pages", OpenMode::create_new));
    ASSERT_OK(file);
    pages = std::make_unique<PageFile>(std::move(*file), "/data/orders.pages", page_size, 0);
    ASSERT_OK(run(pages->resize(there)));
    digests.resize(whole);
    for (PageNumber page = 1; page <= whole; ++page) digests.set(page, page_digest(page, image_of(0, page, page_size)));
  }
  void commit(PageNumber page_count, std::vector<PageNumber> written, RecordKind kind = RecordKind::commit) {
    RecordHeader header = header_of(active.log->last_commit() + 1, static_cast<std::uint32_t>(written.size()));
    header.kind = kind;
    header.page_count = page_count;
    ASSERT_OK(run(write_pages(*active.log, header, std::move(written), page_size)));
    ASSERT_OK(active.sync());
  }
  Result<void> look(Position until) {
    return run(check_growth(disk, active.directory(), Position::start_of({1}), until, *pages, digests, "put it back"));
  }
  Result<void> look() { return look(active.log->durable()); }
  void expect_missing(const Result<void>& found, PageNumber page) {
    ASSERT_FALSE(found.ok());
    EXPECT_EQ(found.error().kind, ErrorKind::corrupt);
    const std::string text = "/data/orders.pages has 4 pages, expected 8: page " + std::to_string(page) + " is not in the log";
    EXPECT_EQ(found.error().hint, "put it back");
    EXPECT_EQ(found.error().message.substr(0, text.size()), text);
  }

  MemoryDisk disk;
  Active active{disk, page_size};
  std::unique_ptr<PageFile> pages;
  PageDigests digests{disk, "/data/digests", page_size};
};

TEST_F(CutFile, IsWholeBehindRedoThatWritesAllThatIsMissing) {
  commit(8, {1, 5, 6});
  commit(8, {7});
  expect_missing(look(), 8);
  const Position before = active.log->durable();
  commit(9, {8, 9});
  EXPECT_OK(look());
  expect_missing(look(before), 8);
}

TEST_F(CutFile, LacksWhatNoLogWrites) {
  expect_missing(look(), 5);
  commit(8, {5, 6, 8});
  expect_missing(look(), 7);
}

TEST_F(CutFile, NeedsNotWhatRedoDrops) {
  commit(8, {8});
  commit(6, {2});
  commit(8, {6});  // 7 and 8 are zeros again
  expect_missing(look(), 5);
  commit(8, {5});
  EXPECT_OK(look());
}

TEST_F(CutFile, NeedsNotWhatIsZeros) {
  digests.set(5, digests.of_zeros(5));
  commit(8, {6, 7, 8});
  EXPECT_OK(look());
}

TEST_F(CutFile, GetsNothingBehindABaseMarker) {
  commit(8, {5, 6, 7});
  commit(8, {}, RecordKind::base_marker);
  commit(8, {8});
  expect_missing(look(), 8);
}

TEST_F(CutFile, IsNoneWhereItIsAsLongAsItsTable) {
  ASSERT_OK(run(pages->resize(whole)));
  ASSERT_OK(run(disk.remove(directory_a + "/current.log")));
  EXPECT_OK(look());
}

TEST_F(CutFile, CannotBeJudgedWithoutItsLog) {
  commit(8, {5, 6, 7, 8});
  ASSERT_OK(run(disk.remove(directory_a + "/current.log")));
  const Result<void> found = look();
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, ErrorKind::gap) << found.error().message;
}

}  // namespace
}  // namespace ccr::storage::test
