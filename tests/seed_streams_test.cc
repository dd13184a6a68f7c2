// A pass over several connections, and from several sources.
#include <algorithm>

#include "seed/stream_growth.h"
#include "tests/seed_fixture.h"

namespace ccr::seed::seed_streams_test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t page_size = 16384;
constexpr PageNumber pages_per_extent = 64;
constexpr std::uint64_t extents = 30;
constexpr PageNumber pages = extents * pages_per_extent - 7;

struct SeedStreams : testing::Test {
  FakeSource source{page_size, pages};
  FakeCopy copy{source};
  MoreStreams more{{&source}};

  SeedStreams() {
    source.fill_with_pages(1);
    copy.more = &more;
  }
  void with(std::size_t streams) { copy.streams.least = copy.streams.most = streams; }
};

int asked_most(const FakeSource& source) {
  int most = 0;
  for (const auto& [extent, times] : source.extents_read) most = std::max(most, times);
  return most;
}

TEST_F(SeedStreams, TogetherBringEachExtentOnce) {
  with(4);
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(more.connected, 3u);
  EXPECT_TRUE(more.losses.empty());
  EXPECT_EQ(source.pages_read, pages);
  EXPECT_EQ(asked_most(source), 1);
  EXPECT_EQ(copy.counters.counts.extents_sent, extents);
  EXPECT_GE(copy.counters.counts.wire_bytes, std::uint64_t(pages) * page_size);
  EXPECT_LT(copy.counters.counts.wire_bytes, std::uint64_t(pages) * page_size + 64 * KiB);
  copy.replay_and_compare();
}

TEST_F(SeedStreams, WhatALostOneOwedComesOverTheOthers) {
  with(3);
  std::uint64_t lost = 0;
  for (std::uint64_t cut = 0; cut < 20; ++cut) {
    FakeSource busy(page_size, pages);
    busy.fill_with_pages(cut + 2);
    Random random(cut + 1);
    busy.while_seeding = churn(busy, random, 1, false);
    FakeCopy target(busy);
    MoreStreams streams({&busy});
    target.more = &streams;
    target.streams = copy.streams;
    streams.links[1].frames_left = cut;
    ASSERT_TRUE(target.seed().ok()) << cut;
    lost += streams.losses.size();
    EXPECT_EQ(target.opened, 1) << cut;
    EXPECT_EQ(target.counters.counts.extents_sent + target.counters.counts.extents_equal, extents) << cut;
    // What a stream may have asked for, and one that came in part.
    EXPECT_LE(busy.pages_read, pages + (SeedWork::in_flight_each + 1) * pages_per_extent) << cut;
    busy.while_seeding = nullptr;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "cut after frame " << cut;
  }
  EXPECT_GT(lost, 8u);
}

TEST_F(SeedStreams, PagesThatDifferAreAskedForAgainWhereTheStreamWentThatHadTheirDigests) {
  for (std::uint64_t cut = 0; cut < 36; cut += 3) {
    FakeSource steady = source;
    FakeCopy target(steady);
    ASSERT_TRUE(target.seed().ok());
    for (PageNumber page = 5; page <= pages; page += pages_per_extent) steady.write(page, 100'000 + page + cut);
    MoreStreams streams({&steady});
    target.more = &streams;
    target.streams.least = target.streams.most = 2;
    streams.links[0].frames_left = cut;
    target.open_pass = {};
    steady.pages_read = 0;
    ASSERT_TRUE(target.seed().ok()) << cut;
    EXPECT_GE(steady.pages_read, extents) << cut;
    EXPECT_LE(steady.pages_read, extents + SeedWork::in_flight_each + 1) << cut;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << "cut after frame " << cut;
  }
}

TEST_F(SeedStreams, ThatWereLostComeBackInTheirRun) {
  with(3);
  storage::TokenBucket slow({4 * MiB, 0});
  copy.rate = &slow;
  more.links[0].frames_left = 6;
  std::size_t fewest = 3, last = 0;
  source.while_seeding = [&] {
    if (more.losses.empty()) return;
    more.links[0].frames_left = 100'000;
    last = copy.live_counters().streams;
    fewest = std::min(fewest, last);
  };
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(more.losses.size(), 1u);
  EXPECT_EQ(fewest, 2u);
  EXPECT_EQ(last, 3u);
  EXPECT_EQ(more.connected, 3u);
  source.while_seeding = nullptr;
  copy.replay_and_compare();
}

TEST_F(SeedStreams, AreAsManyAsIsAskedForWhileTheyRun) {
  with(2);
  storage::TokenBucket slow({4 * MiB, 0});
  copy.rate = &slow;
  ExtentBudget few{ExtentBudget::extents_min, 0};  // so that a retired one is not owed much
  copy.budget = &few;
  std::vector<std::size_t> seen;
  source.while_seeding = [&] {
    const std::size_t streams = copy.live_counters().streams;
    if (seen.empty() || seen.back() != streams) seen.push_back(streams);
    copy.change_streams(copy.live_counters().done_bytes < 10 * MiB ? 4 : 1);
  };
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(*std::max_element(seen.begin(), seen.end()), 4u);
  EXPECT_EQ(seen.back(), 1u);
  EXPECT_TRUE(more.losses.empty());
  EXPECT_EQ(asked_most(source), 1);
  source.while_seeding = nullptr;
  copy.replay_and_compare();
}

TEST_F(SeedStreams, AreDoneWithoutTheFirstWhichTheNextRunAsksOnlyForTheEnd) {
  with(3);
  copy.link.frames_left = 12;
  const Result<SeedOutcome> cut = copy.seed();
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().kind, ErrorKind::disconnected);
  EXPECT_EQ(more.losses.size(), 1u);
  EXPECT_EQ(copy.counters.counts.extents_sent, extents);
  copy.link.frames_left = 1000;
  const std::uint64_t read = source.pages_read;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(source.pages_read, read);
  copy.replay_and_compare();
}

TEST_F(SeedStreams, AllLostEndThePassAndTheNextRunGoesOn) {
  with(3);
  copy.link.frames_left = 20;
  more.links[0].frames_left = 10;
  more.links[1].frames_left = 10;
  const Result<SeedOutcome> cut = copy.seed();
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().kind, ErrorKind::disconnected);
  for (LinkBudget* link : {&copy.link, &more.links[2], &more.links[3]}) link->frames_left = 100'000;
  more.links[0].frames_left = more.links[1].frames_left = 100'000;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(copy.opened, 1);
  EXPECT_EQ(copy.resumed, 1);
  copy.replay_and_compare();
}

TEST_F(SeedStreams, ThatAreSilentAfterOneWasLostAreLeftSoonOneAfterTheOther) {
  with(4);
  copy.link.frames_left = 30;
  for (std::size_t i = 0; i < 3; ++i) more.links[i].frames_lost_after = 6;
  const Instant began = copy.clock.now();
  const Result<SeedOutcome> ended = copy.seed();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::disconnected) << "the end is asked for over the first\n" << ended.error().message;
  EXPECT_EQ(std::count_if(more.losses.begin(), more.losses.end(), [](const Error& lost) { return lost.kind == ErrorKind::timeout; }), 3);
  EXPECT_EQ(copy.counters.counts.extents_sent, extents) << "what came in the place of the first brought the rest";
  EXPECT_LT(copy.clock.now() - began, 30s);
  for (std::size_t i = 0; i < 3; ++i) more.links[i] = {};
  copy.link.frames_left = 100'000;
  ASSERT_TRUE(copy.seed().ok());
  copy.replay_and_compare();
}

TEST_F(SeedStreams, ThatCannotBeHadAreDoneWithout) {
  with(4);
  more.refusal = Error{ErrorKind::refused, "no more of them", ""};
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(more.losses.size(), 3u);
  copy.replay_and_compare();
}

TEST_F(SeedStreams, FromOtherCopiesLeaveTheOriginalAlone) {
  FakeSource left = source, right = source;
  left.copy = right.copy = true;
  MoreStreams copies({&left, &right});
  copy.more = &copies;
  copy.streams.first_carries = false;
  with(2);
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(source.pages_read, 0u);
  EXPECT_EQ(left.pages_read + right.pages_read, pages);
  EXPECT_GT(left.pages_read, 10 * pages_per_extent);
  EXPECT_GT(right.pages_read, 10 * pages_per_extent);
  copy.replay_and_compare();
}

TEST_F(SeedStreams, GoOnFromTheOtherCopyWhereOneLagsBehindRotsOrGoes) {
  for (const int story : {0, 1, 2}) {
    FakeSource sound = source, bad = source;
    sound.copy = bad.copy = true;
    FakeCopy target(source);
    MoreStreams copies({&sound, &bad});
    target.more = &copies;
    target.streams = {&copies, 2, 2, false};
    if (story == 0) bad.spoil = [](SeedRead& read) { read.as_of = {}; };
    if (story == 1) bad.read_error = Error{ErrorKind::corrupt, "a page is not what its log says", ""};
    if (story == 2) copies.links[1].frames_left = 5;
    ASSERT_TRUE(target.seed().ok()) << story;
    ASSERT_EQ(copies.losses.size(), 1u) << story;
    EXPECT_EQ(copies.losses[0].kind, story == 2 ? ErrorKind::disconnected : ErrorKind::refused);
    EXPECT_GE(sound.pages_read, pages - bad.pages_read) << story;
    target.replay_and_compare();
    if (HasFatalFailure()) FAIL() << story;
  }
}

TEST_F(SeedStreams, FromOtherCopiesAllOfWhichAreGoneIsAnErrorAndNotDamage) {
  FakeSource bad = source;
  bad.copy = true;
  bad.read_error = Error{ErrorKind::corrupt, "a page is not what its log says", ""};
  MoreStreams copies({&bad});
  copy.more = &copies;
  copy.streams = {&copies, 1, 1, false};
  const Result<SeedOutcome> ended = copy.seed();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::refused);
  more.refusal = Error{ErrorKind::unreachable, "nobody there", ""};
  copy.more = &more;
  const Result<SeedOutcome> none = copy.seed();
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::unreachable);
}

TEST_F(SeedStreams, AreContentWithFewExtentsWhereTheNodeHasNoMoreForThem) {
  with(4);
  ExtentBudget taken;
  taken.taken = taken.most;  // by others
  copy.budget = &taken;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(taken.taken, taken.most);
  copy.replay_and_compare();
  ExtentBudget cut;
  copy.budget = &cut;
  copy.open_pass = {};
  source.fill_with_pages(1000);
  copy.link.frames_left = 20;
  for (std::size_t i = 0; i < 3; ++i) more.links[i].frames_left = 8;
  EXPECT_FALSE(copy.seed().ok());
  EXPECT_EQ(cut.taken, 0u) << "an end by an error gives back what it has";
}

TEST_F(SeedStreams, AutomaticDoNotGrowWhereARateIsWhatLimits) {
  copy.streams.most = StreamsWanted::automatic_max;
  storage::TokenBucket rate({4 * MiB, 0});
  copy.rate = &rate;
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(more.connected, 0u);
  copy.replay_and_compare();
}

// A link on which each stream gets `each` of at most `all`, looked at every half second.
std::size_t grown(double each, double all, bool limits = true) {
  StreamGrowth growth(1, 8);
  double bytes = 0;
  for (int look = 0; look < 60; ++look) {
    growth.look(Instant{look * 500'000'000LL}, static_cast<std::uint64_t>(bytes), limits);
    bytes += std::min(each * double(growth.wanted()), all) / 2;
  }
  return growth.wanted();
}

TEST(StreamGrowth, StopsWhereOneMoreBringsNoTwentieth) {
  EXPECT_EQ(grown(100e6, 100e6), 1u);
  EXPECT_EQ(grown(30e6, 100e6), 4u);
  EXPECT_EQ(grown(49e6, 100e6), 2u);  // a third brings 2 %
  EXPECT_EQ(grown(1e6, 100e6), 8u);
  EXPECT_EQ(grown(30e6, 100e6, false), 1u);
}

TEST(StreamGrowth, HasAFixedNumberWhereOneWasAskedFor) {
  StreamGrowth growth(3, 3);
  growth.look(Instant{1}, 0, true);
  EXPECT_EQ(growth.wanted(), 3u);
}

TEST(StreamGrowth, HasWhatIsAskedForWhileItRuns) {
  StreamGrowth growth(1, 8);
  growth.change(5, 5);
  EXPECT_EQ(growth.wanted(), 5u);
  growth.change(2, 2);
  EXPECT_EQ(growth.wanted(), 2u);
  growth.change(1, 8);
  EXPECT_EQ(growth.wanted(), 2u);
  for (int look = 0; look < 60; ++look) growth.look(Instant{look * 500'000'000LL}, std::uint64_t(look) * look * 1'000'000, true);
  EXPECT_EQ(growth.wanted(), 8u);  // each brings more
}

TEST(StreamGrowth, WantsALostOneBackAfterAPauseThatDoubles) {
  StreamGrowth growth(4, 4);
  Instant now{std::chrono::nanoseconds(100s).count()};
  for (const Duration pause : {1s, 2s, 4s, 8s, 16s, 32s, 32s}) {
    EXPECT_TRUE(growth.may_open(now));
    growth.lost(now);
    growth.lost(now + 1ms);  // by the same cut
    EXPECT_FALSE(growth.may_open(now + (pause - 1ms))) << pause.count();
    EXPECT_EQ(growth.wanted(), 4u);
    now = now + pause;
  }
  now = now + 33s;
  growth.lost(now);
  EXPECT_TRUE(growth.may_open(now + 1s));
}

TEST(StreamGrowth, IsContentWithWhatALossLeaves) {
  StreamGrowth growth(3, 8);
  growth.settle();
  for (int look = 0; look < 20; ++look) growth.look(Instant{look * 500'000'000LL}, static_cast<std::uint64_t>(look) * 1000, true);
  EXPECT_EQ(growth.wanted(), 2u);
}

}  // namespace
}  // namespace ccr::seed::seed_streams_test
