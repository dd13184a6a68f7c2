// When read marks are taken, moved and dropped; the queue between the threads.
#include <gtest/gtest.h>

#include <thread>

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
    after.last_frame = 100;
    after.captured = after.near = after.marked = true;
  }
  void pass(Duration time) { before.now = after.now = after.now + time; }
  Move news() {
    before.moved = true;
    return policy.before(before);
  }
  Move nothing() {
    before.moved = before.wal_written = before.reset = before.fully_backfilled = false;
    return policy.before(before);
  }
  // Commits arrive and a checkpoint is held back by our mark.
  void yield() {
    news();
    after.backfilled = 90;
    EXPECT_EQ(policy.after(after), Move::release);
    EXPECT_EQ(policy.state(), State::yielding);
    after.marked = false;
  }
  MarkPolicy policy;
  MarkPolicy::Before before;
  MarkPolicy::After after;
};

TEST_F(Marks, AtRestNothingIsHeldAndWeListen) {
  after.marked = false;
  EXPECT_EQ(nothing(), Move::keep);
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_TRUE(policy.listens(before.now));
  EXPECT_EQ(policy.poll(before.now), MarkPolicy::rest_poll);
}

TEST_F(Marks, TheFirstFrameWrittenTakesAMarkBeforeItsCommit) {
  before.wal_written = true;
  EXPECT_EQ(policy.before(before), Move::hand_over);
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.poll(before.now), MarkPolicy::follow_poll);
}

TEST_F(Marks, EachCommitMovesTheMarkAndQuietDropsIt) {
  EXPECT_EQ(news(), Move::hand_over);
  pass(1ms);
  EXPECT_EQ(news(), Move::hand_over);
  pass(3ms);
  EXPECT_EQ(nothing(), Move::keep);
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(1ms);
  EXPECT_EQ(policy.after(after), Move::release);
  EXPECT_EQ(policy.state(), State::resting);
}

TEST_F(Marks, AFullyBackfilledWalIsHeldByTheSlotThatHoldsNobodyBack) {
  news();
  after.backfilled = after.last_frame;
  EXPECT_EQ(policy.after(after), Move::hand_over);
  after.in_slot_zero = true;
  EXPECT_EQ(policy.after(after), Move::keep);
  pass(1s);
  EXPECT_EQ(policy.after(after), Move::keep) << "it stays while nothing happens";
  EXPECT_EQ(policy.state(), State::resting);
}

TEST_F(Marks, ACheckpointHeldBackMakesUsYieldUntilTheReset) {
  yield();
  pass(1ms);
  before.moved = true;
  EXPECT_EQ(policy.before(before), Move::keep) << "no mark: the checkpoint must find none";
  before.reset = true;
  EXPECT_EQ(policy.before(before), Move::hand_over);
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
  EXPECT_EQ(news(), Move::hand_over);
  after.marked = true;
  EXPECT_EQ(policy.after(after), Move::keep) << "other readers hold it back: not again at once";
  pass(250ms);
  news();
  EXPECT_EQ(policy.after(after), Move::release);
}

TEST_F(Marks, TheNextFillingIsYieldedBeforeTheCheckpointIsDue) {
  yield();
  before.reset = true;
  news();
  after.marked = true;
  after.backfilled = 0;
  after.last_frame = 40;
  EXPECT_EQ(policy.after(after), Move::keep);
  after.last_frame = 86;  // learned: held back at 90
  EXPECT_EQ(policy.after(after), Move::release);
}

TEST_F(Marks, NobodyYieldsWhoIsFarBehind) {
  news();
  after.backfilled = 90;
  after.near = after.captured = false;
  EXPECT_EQ(policy.after(after), Move::keep);
  after.near = true;
  EXPECT_EQ(policy.after(after), Move::release);
  after.near = false;
  after.marked = true;  // the capture took a mark because it would have had to wait
  EXPECT_EQ(policy.after(after), Move::keep);
  EXPECT_EQ(policy.state(), State::following);
}

TEST_F(Marks, AWalAboveItsLimitIsYielded) {
  news();
  after.over_limit = true;
  EXPECT_EQ(policy.after(after), Move::release);
}

ImageBatch batch_of(std::size_t bytes) {
  ImageBatch batch;
  batch.head = SourceCommit{};
  batch.bytes = bytes;
  return batch;
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
