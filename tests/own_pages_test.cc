// A look at pages beside replay, and the bytes that rotted: replay goes on between any two reads of the disk.
#include "engine/own_pages.h"

#include <functional>
#include <map>

#include "base/random.h"
#include "storage/quarantine.h"
#include "tests/pages_fixture.h"
#include "tests/watched_file.h"

namespace ccr::engine::own_pages_test {
namespace {

using namespace storage;
using Standing = transport::PageAnswer::Standing;

constexpr std::uint32_t page_size = 4096;
const std::string path = "/db/orders.db.copy";

// A copy whose replay has digests at once and brings the images later, as a batch does.
class ReplayedPages final : public OwnPages {
 public:
  explicit ReplayedPages(PageNumber pages) : digests_(disk, "/db/orders.digests", page_size) {
    std::unique_ptr<File> inner = std::move(finish(disk.open(path, OpenMode::create))).value();
    const auto read = [this](std::uint64_t) {
      if (before_read) before_read();
    };
    file_ = std::make_unique<PageFile>(std::make_unique<WatchedFile>(std::move(inner), read), path, page_size, 0);
    for (PageNumber page = 1; page <= pages; ++page) apply(page, page);
    bring();
  }
  void apply(PageNumber page, std::uint64_t content) {
    Bytes image(page_size);
    Encoder(image).u64(content);
    if (page > digests_.page_count()) digests_.resize(page);
    digests_.set(page, page_digest(page, image));
    waiting_[page] = std::move(image);
  }
  void shrink(PageNumber count) {
    digests_.resize(count);
    waiting_.erase(waiting_.upper_bound(count), waiting_.end());
    if (file_->page_count() > count) CCR_ASSERT(finish(file_->resize(count)).ok());
  }
  void bring() {
    if (file_->page_count() < digests_.page_count()) CCR_ASSERT(finish(file_->resize(digests_.page_count())).ok());
    for (const auto& [page, image] : waiting_) CCR_ASSERT(finish(file_->write(page, image)).ok());
    waiting_.clear();
    ++position_.offset;
  }
  void flip(PageNumber page) { disk.flip(path, 8ull * (page - 1) * page_size + 77); }

  Task<Result<void>> hold() override {
    ++holds;
    bring();
    held = true;
    co_return Result<void>();
  }
  void release() override { held = false; }
  Task<Result<void>> catch_up() override { co_return Result<void>(); }
  PageFile& file() override { return *file_; }
  const PageDigests& digests() const override { return digests_; }
  Position position() const override { return position_; }

  PageMemoryDisk disk;
  std::function<void()> before_read;
  bool held = false;
  int holds = 0;

 private:
  PageDigests digests_;
  std::unique_ptr<PageFile> file_;
  std::map<PageNumber, Bytes> waiting_;
  Position position_{{1}, 4096};
};

class StillClock final : public Clock {
 public:
  Instant now() const override { return {}; }
  WallTime wall_now() const override { return {1}; }
  Task<void> sleep_until(Instant) override { co_return; }
};

ExtentLook look(ReplayedPages& pages, PageNumber first = 1) {
  StillClock clock;
  Result<ExtentLook> looked = finish(look_at_extent(clock, pages, first));
  CCR_ASSERT(looked.ok());
  EXPECT_FALSE(pages.held);
  return *looked;
}

TEST(OwnPages, ACleanExtentIsReadWithoutAHold) {
  ReplayedPages pages(600);
  const ExtentLook looked = look(pages, 257);
  EXPECT_EQ(looked.next, 513u);
  EXPECT_EQ(looked.page_count, 600u);
  EXPECT_TRUE(looked.rotten.empty());
  EXPECT_EQ(pages.holds, 0);
}

TEST(OwnPages, WhatIsOnItsWayIsNotRotten) {
  ReplayedPages pages(600);
  for (PageNumber page = 1; page <= 600; page += 3) pages.apply(page, 7'000 + page);
  EXPECT_TRUE(look(pages).rotten.empty());
  EXPECT_EQ(pages.holds, 1);
}

TEST(OwnPages, ReplayBetweenAnyTwoReadsHidesNoRotAndMakesNone) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    ReplayedPages pages(300);
    pages.flip(5);  // replay leaves the first pages alone
    pages.before_read = [&] {
      if (pages.held) return;
      for (int i = 0; i < 5; ++i) pages.apply(static_cast<PageNumber>(random.between(20, 320)), random.next());
      if (random.chance(1, 2)) pages.bring();
      if (random.chance(1, 4)) pages.shrink(static_cast<PageNumber>(random.between(20, 300)));
    };
    EXPECT_EQ(look(pages).rotten, std::vector<PageNumber>{5}) << round;
  }
}

TEST(OwnPages, ThePageIsGivenByItsDigestAlone) {
  ReplayedPages pages(10);
  const Digest64 wanted = pages.digests().at(4);
  pages.apply(4, 99);  // not on the disk yet: its old bytes are what somebody behind wants
  const Result<PageGiven> behind = finish(give_page(pages, {4, wanted}));
  ASSERT_TRUE(behind.ok());
  EXPECT_EQ(behind->standing, Standing::same);
  EXPECT_EQ(page_digest(4, behind->image.view()), wanted);
  const Result<PageGiven> present = finish(give_page(pages, {4, pages.digests().at(4)}));
  ASSERT_TRUE(present.ok());
  EXPECT_EQ(present->standing, Standing::same) << "held, what is on its way arrives";
  const Result<PageGiven> old = finish(give_page(pages, {4, wanted}));
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(old->standing, Standing::other);
  EXPECT_EQ(old->as_of, pages.position());
  EXPECT_EQ(old->image.size(), 0u);
}

TEST(OwnPages, ARottenPageIsNotGiven) {
  ReplayedPages pages(10);
  pages.flip(4);
  const Result<PageGiven> given = finish(give_page(pages, {4, pages.digests().at(4)}));
  ASSERT_TRUE(given.ok());
  EXPECT_EQ(given->standing, Standing::damaged);
  const Result<PageGiven> none = finish(give_page(pages, {11, 1}));
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->standing, Standing::other);
}

TEST(Quarantine, KeepsWhatRottedOnceAndUpToABound) {
  PageMemoryDisk disk;
  const Bytes bad(page_size, std::byte{0xee});
  const std::string first = "/log/quarantine/pages/0000002a-" + to_hex(page_digest(42, bad), 16) + ".page";
  for (int i = 0; i < 2; ++i) {
    const Result<bool> kept = finish(set_aside_page(disk, "/log", 42, bad));
    ASSERT_TRUE(kept.ok()) << kept.error().message;
    EXPECT_TRUE(*kept);
    EXPECT_EQ(disk.content(first), bad);
  }
  for (PageNumber page = 1; page < pages_set_aside_max; ++page) {
    const Result<bool> kept = finish(set_aside_page(disk, "/log", 1000 + page, bad));
    ASSERT_TRUE(kept.ok() && *kept) << page;
  }
  const Result<bool> beyond = finish(set_aside_page(disk, "/log", 7, bad));
  ASSERT_TRUE(beyond.ok());
  EXPECT_FALSE(*beyond);
  EXPECT_EQ(disk.content(first), bad) << "nothing that was kept is given up";
}

}  // namespace
}  // namespace ccr::engine::own_pages_test
