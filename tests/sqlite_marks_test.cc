// What is held in the wal-index, and when; the queue between the threads.
#include <gtest/gtest.h>

#include <thread>

#include "storage/sqlite/commit_ages.h"
#include "storage/sqlite/mark_policy.h"
#include "storage/sqlite/source_channel.h"

namespace ccr::storage::sqlite {
namespace {

using namespace std::chrono_literals;
using Move = MarkPolicy::Move;
using State = MarkPolicy::State;

struct Marks : testing::Test {
  Marks() {
    before.now = after.now = Instant{1'000'000'000};
    after.last_frame = 1000;
    after.captured = after.near = true;
    after.hold = Hold::anchor;
  }
  void pass(Duration time) { before.now = after.now = after.now + time; }
  Move news() {
    before.moved = true;
    before.hold = after.hold;
    return policy.before(before);
  }
  Move nothing() {
    before.moved = before.wal_written = before.reset = before.fully_backfilled = false;
    before.hold = after.hold;
    return policy.before(before);
  }
  void rest() {
    news();
    pass(MarkPolicy::quiet_max);
    nothing();
    EXPECT_EQ(policy.after(after), Move::keep);
    EXPECT_EQ(policy.state(), State::resting);
  }
  void yield() {
    news();
    after.over_limit = true;
    EXPECT_EQ(policy.after(after), Move::release);
    EXPECT_EQ(policy.state(), State::yielding);
    after.hold = Hold::nothing;
  }
  MarkPolicy policy;
  MarkPolicy::Before before;
  MarkPolicy::After after;
};

TEST_F(Marks, AtRestTheAnchorStaysAndWeListen) {
  EXPECT_EQ(nothing(), Move::keep);
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_TRUE(policy.listens(before.now));
  EXPECT_EQ(policy.poll(before.now), MarkPolicy::rest_poll);
}

TEST_F(Marks, AfterASecondOfRestNothingIsHeldUntilTheNextFrameIsWritten) {
  rest();
  pass(999ms);
  nothing();
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.state(), State::resting);
  pass(1ms);
  nothing();
  EXPECT_EQ(policy.after(after), Move::release);
  EXPECT_EQ(policy.state(), State::idle);
  EXPECT_TRUE(policy.listens(after.now));
  after.hold = Hold::nothing;
  pass(1h);
  nothing();
  EXPECT_EQ(policy.after(after), Move::keep);
  before.wal_written = true;
  EXPECT_EQ(policy.before(before), Move::anchor);
  EXPECT_EQ(policy.state(), State::following);
  EXPECT_EQ(policy.poll(after.now), MarkPolicy::follow_poll);
}

TEST_F(Marks, ATruncateOfAnIdleShortWalMeetsNoAnchorAtAnyOfItsSteps) {
  rest();
  pass(1s);
  after.last_frame = 5;
  nothing();
  EXPECT_EQ(policy.after(after), Move::release);
  after.hold = Hold::nothing;
  after.backfill_attempted = 5;
  nothing();
  before.file_written = true;
  EXPECT_EQ(policy.before(before), Move::keep);
  EXPECT_EQ(policy.after(after), Move::keep);
  after.backfilled = 5;
  EXPECT_EQ(policy.before(before), Move::keep);
  EXPECT_EQ(policy.after(after), Move::settle) << "slot 0 lets it go, and keeps what comes after it";
  after.hold = Hold::slot_zero;
  EXPECT_EQ(policy.after(after), Move::keep);
}

TEST_F(Marks, APageReadEndsIdleness) {
  rest();
  pass(1s);
  nothing();
  EXPECT_EQ(policy.after(after), Move::release);
  policy.touched(after.now);
  after.hold = Hold::mark;
  EXPECT_EQ(policy.state(), State::following);
  EXPECT_EQ(policy.after(after), Move::anchor);
}

TEST_F(Marks, ACheckpointAtRestFindsNothingHeldHoweverLongItSyncs) {
  nothing();
  policy.after(after);
  before.file_written = true;
  EXPECT_EQ(policy.before(before), Move::keep);
  before.file_written = false;
  after.backfill_attempted = after.last_frame;
  EXPECT_EQ(policy.after(after), Move::release) << "it may be a TRUNCATE";
  after.hold = Hold::nothing;
  pass(500ms);
  EXPECT_EQ(nothing(), Move::keep);
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.poll(after.now), MarkPolicy::free_poll);
  after.backfilled = after.last_frame;
  EXPECT_EQ(policy.after(after), Move::settle);
}

TEST_F(Marks, AShortWalIsNotLetGoBeforeSlotZeroIsHeld) {
  news();
  after.last_frame = after.backfill_attempted = 499;
  EXPECT_EQ(policy.after(after), Move::keep) << "a TRUNCATE again and again would find a commit before us";
  after.backfilled = 499;
  EXPECT_EQ(policy.after(after), Move::settle);
}

TEST_F(Marks, ACheckpointThatDiedIsWaitedForNoLonger) {
  news();
  after.backfill_attempted = after.last_frame;
  EXPECT_EQ(policy.after(after), Move::release);
  after.hold = Hold::nothing;
  pass(999ms);
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(1ms);
  EXPECT_EQ(policy.after(after), Move::anchor);
  after.hold = Hold::anchor;
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.poll(after.now), MarkPolicy::rest_poll);
}

TEST_F(Marks, NobodyStepsAsideForACheckpointThatLeavesSomethingOutOrIsFarAheadOfUs) {
  news();
  after.backfill_attempted = after.last_frame - 1;
  EXPECT_EQ(policy.after(after), Move::keep);
  after.backfill_attempted = after.last_frame;
  after.captured = after.near = false;
  EXPECT_EQ(policy.after(after), Move::keep);
  after.near = true;
  EXPECT_EQ(policy.after(after), Move::release) << "what is left lies behind the new frames for long enough";
}

TEST_F(Marks, ACommitBesideTheCheckpointEndsStandingAside) {
  news();
  after.backfill_attempted = after.last_frame;
  EXPECT_EQ(policy.after(after), Move::release);
  EXPECT_EQ(policy.state(), State::aside);
  after.hold = Hold::nothing;
  EXPECT_EQ(news(), Move::anchor);
  after.hold = Hold::anchor;
  after.last_frame += 3;
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.state(), State::following);
}

TEST_F(Marks, ATransactionUnderWayDoesNotMeetSlotZero) {
  news();
  after.backfilled = after.backfill_attempted = after.last_frame;
  EXPECT_EQ(policy.after(after), Move::settle);
  after.hold = Hold::slot_zero;
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(1s);
  nothing();
  before.wal_written = true;
  EXPECT_EQ(policy.before(before), Move::anchor) << "its checkpoint would be turned away";
  after.hold = Hold::anchor;
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(19ms);
  nothing();
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.poll(after.now), MarkPolicy::follow_poll) << "it may be published at any time";
  pass(1ms);
  EXPECT_EQ(policy.after(after), Move::settle) << "rolled back, as it seems";
}

TEST_F(Marks, TheFirstFrameWrittenTakesAnAnchorBeforeItsCommit) {
  after.hold = before.hold = Hold::nothing;
  before.wal_written = true;
  EXPECT_EQ(policy.before(before), Move::anchor);
  after.hold = Hold::anchor;
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.poll(before.now), MarkPolicy::follow_poll);
}

TEST_F(Marks, TheAnchorStaysAndQuietIsRest) {
  EXPECT_EQ(news(), Move::keep);
  pass(1ms);
  EXPECT_EQ(news(), Move::keep);
  pass(3ms);
  EXPECT_EQ(nothing(), Move::keep);
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(1ms);
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.state(), State::resting);
}

TEST_F(Marks, WhenAllIsCapturedAndInTheFileItSettlesInSlotZero) {
  news();
  after.backfilled = after.last_frame;
  after.captured = false;
  EXPECT_EQ(policy.after(after), Move::keep) << "a commit came: a reset now would take it";
  after.captured = true;
  EXPECT_EQ(policy.after(after), Move::settle);
  after.hold = Hold::slot_zero;
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(1s);
  EXPECT_EQ(policy.after(after), Move::keep) << "it stays while nothing happens";
  EXPECT_EQ(policy.state(), State::resting);
  EXPECT_EQ(news(), Move::anchor) << "and gives way to an anchor, or checkpoints would wait";
}

TEST_F(Marks, ARealMarkForAReadGivesWayToTheAnchor) {
  news();
  after.hold = Hold::mark;
  EXPECT_EQ(policy.after(after), Move::anchor);
}

TEST_F(Marks, AWalAboveItsLimitIsYieldedUntilTheReset) {
  yield();
  pass(1ms);
  before.moved = true;
  EXPECT_EQ(policy.before(before), Move::keep);
  before.reset = true;
  EXPECT_EQ(policy.before(before), Move::anchor);
  EXPECT_EQ(policy.state(), State::following);
}

TEST_F(Marks, AGapEndsAfterTwentyMillisecondsOfCommits) {
  yield();
  pass(10s);  // nobody writes: a gap in which nothing can be missed
  EXPECT_EQ(nothing(), Move::keep);
  EXPECT_EQ(policy.state(), State::yielding);
  EXPECT_EQ(news(), Move::keep);
  EXPECT_TRUE(policy.gap_under_way());
  pass(19ms);
  EXPECT_EQ(news(), Move::keep);
  pass(1ms);
  EXPECT_EQ(news(), Move::anchor);
  after.hold = Hold::anchor;
  EXPECT_EQ(policy.after(after), Move::keep) << "other readers hold it back: not again at once";
  pass(250ms);
  news();
  EXPECT_EQ(policy.after(after), Move::release);
}

TEST_F(Marks, NobodyYieldsWhoIsFarBehind) {
  news();
  after.over_limit = true;
  after.near = after.captured = false;
  EXPECT_EQ(policy.after(after), Move::keep);
  after.near = true;
  EXPECT_EQ(policy.after(after), Move::release);
  after.near = false;
  after.hold = Hold::anchor;  // the capture took one because it would have had to wait
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.state(), State::following);
}

ImageBatch batch_of(std::size_t bytes) {
  ImageBatch batch;
  batch.head = SourceCommit{};
  batch.bytes = bytes;
  return batch;
}

TEST(CommitAges, ACommitIsAsOldAsTheLookBeforeTheOneThatSawIt) {
  CommitAges ages;
  const WalSalts first{1, 1}, second{2, 9};
  ages.seen(first, 10, Instant{100});
  ages.clear(Instant{100});
  EXPECT_EQ(ages.oldest(), Instant{0});
  ages.seen(first, 12, Instant{200});
  ages.seen(first, 12, Instant{300});
  ages.seen(first, 15, Instant{400});
  ages.seen(second, 3, Instant{500});
  EXPECT_EQ(ages.oldest(), Instant{100});
  ages.captured(first, 12);
  EXPECT_EQ(ages.oldest(), Instant{300});
  ages.captured(second, 0);
  EXPECT_EQ(ages.oldest(), Instant{400});
  ages.captured(second, 3);
  EXPECT_EQ(ages.oldest(), Instant{0});
}

TEST(CommitAges, ManyLooksBecomeCoarserAndNeverYounger) {
  CommitAges ages;
  const WalSalts salts{1, 1};
  constexpr std::uint32_t looks = 3 * CommitAges::marks_max;
  ages.clear(Instant{1});
  for (std::uint32_t look = 2; look < looks; ++look) ages.seen(salts, look, Instant{look});
  for (std::uint32_t captured = 1; captured + 1 < looks; ++captured) {
    ages.captured(salts, captured);
    ASSERT_LE(ages.oldest(), Instant{captured});  // frame captured + 1 was seen at captured + 1, so made after `captured`
    ASSERT_NE(ages.oldest(), Instant{0});
  }
}

TEST(SourceChannel, ImagesWaitForRoomAndAnswersDoNot) {
  std::atomic<int> pushed{0};
  SourceChannel channel([] {}, [] {});
  std::thread worker([&] {
    while (channel.push(batch_of(1 * MiB))) ++pushed;
  });
  while (channel.queued_bytes() < 3 * MiB) std::this_thread::yield();
  EXPECT_LE(channel.queued_bytes(), SourceChannel::queued_bytes_max);
  EXPECT_TRUE(channel.push(SourcePages{}));
  EXPECT_TRUE(channel.push(SourceStanding{}));
  while (pushed < 8) channel.take();
  channel.stop();
  worker.join();
  EXPECT_FALSE(channel.push(SourceStanding{}));
}

TEST(SourceChannel, APieceLargerThanTheQueuePassesAlone) {
  SourceChannel channel([] {}, [] {});
  EXPECT_TRUE(channel.push(batch_of(2 * SourceChannel::queued_bytes_max)));
  EXPECT_TRUE(channel.take().has_value());
}

TEST(SourceChannel, NotifiesOnlyAnEngineThatFoundNothing) {
  int rings = 0;
  SourceChannel channel([&] { ++rings; }, [] {});
  channel.push(SourceStanding{});
  EXPECT_EQ(rings, 0);
  EXPECT_TRUE(channel.take().has_value());
  EXPECT_FALSE(channel.take().has_value());
  channel.push(SourceStanding{});
  channel.push(SourceStanding{});
  EXPECT_EQ(rings, 1);
}

TEST(SourceChannel, RequestsComeInOrder) {
  int wakes = 0;
  SourceChannel channel([] {}, [&] { ++wakes; });
  channel.request(ReadRequest{1, 5, 6});
  channel.request(RejoinRequest{2, true, {}});
  EXPECT_EQ(wakes, 2);
  SourceRequest request;
  ASSERT_TRUE(channel.take_request(request));
  EXPECT_EQ(std::get<ReadRequest>(request).first, 5u);
  ASSERT_TRUE(channel.take_request(request));
  EXPECT_TRUE(std::get<RejoinRequest>(request).base_only);
  EXPECT_FALSE(channel.take_request(request));
}

}  // namespace
}  // namespace ccr::storage::sqlite
