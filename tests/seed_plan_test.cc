#include "seed/seed_plan.h"

#include <gtest/gtest.h>

namespace ccr::seed {
namespace {

Digest64 of_zeros(PageNumber page) { return 1000 + page; }

TEST(SeedPlan, TheLastExtentOfADatabaseIsShortAndNoneFollowsIt) {
  EXPECT_EQ(pages_of_extent(0, 1000, 4096), (PageRun{1, 256}));
  EXPECT_EQ(pages_of_extent(3, 1000, 4096), (PageRun{769, 232}));
  EXPECT_EQ(pages_of_extent(4, 1000, 4096), PageRun{});
  EXPECT_EQ(pages_of_extent(0, 0, 4096), PageRun{});
}

TEST(SeedPlan, TheLargestDatabaseHasALastExtent) {
  EXPECT_EQ(pages_of_extent(268435455, 4294967295u, 65536), (PageRun{4294967281u, 15}));
  EXPECT_EQ(pages_of_extent(4294967295u, 4294967295u, 65536), PageRun{});
}

TEST(SeedPlan, EqualExtentsNeedNothing) { EXPECT_EQ(judge_extent({7, 7, 3, true}), ExtentVerdict::equal); }

TEST(SeedPlan, AnExtentOfZerosIsMadeHereAlsoInAFullSeed) {
  EXPECT_EQ(judge_extent({7, 3, 3, true}), ExtentVerdict::zeros);
  EXPECT_EQ(judge_extent({3, 3, 3, false}), ExtentVerdict::zeros);
}

TEST(SeedPlan, AnExtentThatHoldsNothingYetIsAskedForWhole) { EXPECT_EQ(judge_extent({3, 9, 3, true}), ExtentVerdict::whole); }

TEST(SeedPlan, AnExtentThatDiffersIsNarrowed) { EXPECT_EQ(judge_extent({7, 9, 3, true}), ExtentVerdict::narrow); }

TEST(SeedPlan, AFullSeedBelievesNothingThatIsHere) { EXPECT_EQ(judge_extent({7, 7, 3, false}), ExtentVerdict::whole); }

TEST(SeedPlan, ExactlyThePagesThatDifferAreAskedFor) {
  const std::vector<Digest64> own{1, 2, 3, 4}, offered{1, 9, 3, 8};
  const PagePlan plan = plan_pages(257, own, offered, of_zeros);
  EXPECT_EQ(plan.ask.runs(257), (std::vector<PageRun>{{258, 1}, {260, 1}}));
  EXPECT_TRUE(plan.zeros.none());
}

TEST(SeedPlan, PagesOfZerosAreMadeHere) {
  const std::vector<Digest64> own{1, 2, 1259, 4}, offered{1, 1258, 1259, 8};
  const PagePlan plan = plan_pages(257, own, offered, of_zeros);
  EXPECT_EQ(plan.ask.runs(257), (std::vector<PageRun>{{260, 1}}));
  EXPECT_EQ(plan.zeros.runs(257), (std::vector<PageRun>{{258, 1}}));
}

TEST(SeedPlan, PagesThatTheSourceLostOrGainedSinceAreTheLogsBusiness) {
  const std::vector<Digest64> four{1, 2, 3, 4}, two{1, 9}, six{1, 2, 3, 8, 5, 6};
  EXPECT_EQ(plan_pages(1, four, two, of_zeros).ask.runs(1), (std::vector<PageRun>{{2, 1}}));
  EXPECT_EQ(plan_pages(1, four, six, of_zeros).ask.runs(1), (std::vector<PageRun>{{4, 1}}));
}

TEST(SeedPlan, RunsWithASmallGapAreReadAsOne) {
  PageBits bits(16);
  for (const std::uint32_t index : {0u, 1u, 3u, 9u, 15u}) bits.set(index);
  EXPECT_EQ(bits.runs(101), (std::vector<PageRun>{{101, 2}, {104, 1}, {110, 1}, {116, 1}}));
  EXPECT_EQ(bits.runs(101, 4), (std::vector<PageRun>{{101, 4}, {110, 1}, {116, 1}}));
  EXPECT_EQ(bits.runs(101, 5), (std::vector<PageRun>{{101, 16}}));
}

TEST(SeedPlan, APageMapHasTheWiresOrder) {
  PageBits bits(12);
  bits.set(0);
  bits.set(9);
  EXPECT_EQ(to_hex(bits.bytes()), "0102");
  const Result<PageBits> decoded = PageBits::decode(12, bits.bytes());
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->test(9));
  EXPECT_EQ(decoded->count(), 2u);
}

TEST(SeedPlan, APageMapOfAnotherLengthOrWithPagesBeyondTheExtentIsRefused) {
  const Bytes short_map(1), beyond{std::byte{0}, std::byte{0x10}};
  EXPECT_EQ(PageBits::decode(12, short_map).error().kind, ErrorKind::protocol);
  EXPECT_EQ(PageBits::decode(12, beyond).error().kind, ErrorKind::protocol);
}

TEST(SeedPlan, AllMeansEveryPage) {
  PageBits bits(11);
  bits.set_all();
  EXPECT_TRUE(bits.all());
  EXPECT_EQ(bits.runs(1), (std::vector<PageRun>{{1, 11}}));
}

}  // namespace
}  // namespace ccr::seed
