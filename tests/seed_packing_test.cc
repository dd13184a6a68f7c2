// Packed pages in a seed: what comes is what was sent, for fewer bytes, and a bad frame ends the pass before a page is written.
#include "seed/extent_packing.h"
#include "tests/seed_fixture.h"

namespace ccr::seed::seed_packing_test {
namespace {

constexpr std::uint32_t page_size = 4096;
constexpr PageNumber pages = 2100;  // 8 extents and a bit
constexpr std::uint64_t database_bytes = std::uint64_t(pages) * page_size;

struct SeedPacking : testing::Test {
  FakeSource source{page_size, pages};
  FakeCopy copy{source};
  InlineCpuPool cpu;

  void pack(const char* setting) {
    copy.limits.cpu = &cpu;
    copy.limits.compression = transport::compression_setting(setting);
  }
  void seed() {
    const Result<SeedOutcome> outcome = copy.seed();
    EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  }
};

TEST_F(SeedPacking, PagesComeBackForFewerBytesAndBothAreCounted) {
  for (const char* setting : {"auto", "zstd:1", "zstd:19"}) {
    FakeSource own_source{page_size, pages};
    FakeCopy own_copy{own_source};
    own_copy.limits.cpu = &cpu;
    own_copy.limits.compression = transport::compression_setting(setting);
    own_source.fill_with_pages(1);
    const Result<SeedOutcome> outcome = own_copy.seed();
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(own_copy.counters.counts.image_bytes, database_bytes) << setting;
    EXPECT_LT(own_copy.counters.counts.wire_bytes, database_bytes / 20) << setting;
    own_copy.replay_and_compare();
  }
}

TEST_F(SeedPacking, NoneLeavesPagesAsTheyAre) {
  pack("none");
  source.fill_with_pages(1);
  seed();
  EXPECT_EQ(copy.counters.counts.image_bytes, database_bytes);
  EXPECT_GE(copy.counters.counts.wire_bytes, database_bytes);
  copy.replay_and_compare();
}

TEST_F(SeedPacking, OnePercentOfThePagesIsPackedRunByRun) {
  pack("zstd:1");
  source.fill_with_pages(1);
  seed();
  for (PageNumber page = 50; page <= pages; page += 100) source.write(page, page);
  copy.open_pass = {};
  seed();
  EXPECT_EQ(copy.counters.counts.image_bytes, 21u * page_size);
  EXPECT_LT(copy.counters.counts.wire_bytes, pages * 8 + 21u * 512 + 4 * KiB);
  copy.replay_and_compare();
}

// One extent, offered by hand; `packed` is what comes for it.
ErrorKind kind_of_end(Bytes packed, std::uint32_t images_bytes) {
  FakeSource source{page_size, 256};
  FakeCopy copy{source};
  source.fill_with_pages(1);
  const auto script = [&](const transport::Message& ask) -> transport::Message {
    if (std::holds_alternative<transport::SeedOpen>(ask)) return transport::SeedOffer{source.position(), 1, 256, page_size, false};
    if (std::holds_alternative<transport::ExtentDigestsAsk>(ask)) return transport::ExtentDigests{0, {1}};
    transport::ExtentPacked answer;
    answer.as_of = source.position();
    answer.page_count = 256;
    answer.first = 1;
    answer.images_bytes = images_bytes;
    answer.packed = packed;
    answer.last = true;
    return answer;
  };
  const Result<SeedOutcome> outcome = copy.seed_from(script);
  EXPECT_FALSE(outcome.ok());
  EXPECT_EQ(copy.counters.counts.extents_sent, 0u);
  return outcome.ok() ? ErrorKind::stopped : outcome.error().kind;
}

TEST_F(SeedPacking, AFrameThatIsNoneOrOfAnotherLengthOrDamagedEndsThePass) {
  transport::PagePacker packer;
  const Bytes images(2 * page_size, std::byte{7});
  const Result<ByteView> packed = packer.pack(images, 1);
  ASSERT_TRUE(packed.ok());
  const Bytes good(packed->begin(), packed->end());
  Bytes longer = good;
  longer.push_back(std::byte{0});
  Bytes cut(good.begin(), good.end() - 1);
  EXPECT_EQ(kind_of_end(Bytes(100, std::byte{1}), 2 * page_size), ErrorKind::protocol);
  EXPECT_EQ(kind_of_end(good, 3 * page_size), ErrorKind::protocol);
  EXPECT_EQ(kind_of_end(longer, 2 * page_size), ErrorKind::protocol);
  EXPECT_EQ(kind_of_end(cut, 2 * page_size), ErrorKind::corrupt);
}

}  // namespace
}  // namespace ccr::seed::seed_packing_test
