// What auto asks of a kernel, from facts alone.
#include <gtest/gtest.h>

#include "transport/window_control.h"

namespace ccr::transport::window_control_test {
namespace {

using namespace std::chrono_literals;

constexpr BufferPair automatic{4 * MiB, 6 * MiB};  // the third words of tcp_wmem and tcp_rmem
constexpr BufferPair root{2048 * MiB, 2048 * MiB};

WindowReading sending(std::uint64_t bytes_per_second, Duration round_trip, std::uint64_t buffer) {
  return {bytes_per_second, round_trip, 0, {buffer, 128 * KiB}};
}

TEST(WindowControl, LeavesABufferAloneThatTheKernelStillTunes) {
  EXPECT_EQ(next_move(sending(117'000'000, 100ms, 3 * MiB), automatic, root).buffers, BufferPair{});
}

TEST(WindowControl, LeavesABufferAloneThatHoldsTwiceWhatIsInFlight) {
  EXPECT_EQ(next_move(sending(117'000'000, 200us, 4 * MiB), automatic, root).buffers, BufferPair{});
  EXPECT_EQ(next_move(sending(10'000'000, 100ms, 4 * MiB), automatic, root).buffers, BufferPair{});
}

TEST(WindowControl, GivesTwiceWhatIsInFlightAndTheKernelsOverheadBeyondTheKernelsOwnLimit) {
  // 2.8 MB in flight of 4 MiB at 100 ms: room for 5.6 MB.
  EXPECT_EQ(next_move(sending(28'000'000, 100ms, 4 * MiB), automatic, root).buffers, (BufferPair{8'400'000, 0}));
}

// Applied again and again it ends where the link decides, and stays there.
TEST(WindowControl, GrowsUntilTheLinkAndNotTheBufferDecides) {
  constexpr std::uint64_t link = 117'700'000;
  std::uint64_t buffer = 4 * MiB;
  int steps = 0;
  for (; steps < 10; ++steps) {
    const std::uint64_t rate = std::min(link, buffer * 2 / 3 * 10);  // two thirds of the buffer each 100 ms
    const WindowMove move = next_move(sending(rate, 100ms, buffer), automatic, root);
    EXPECT_EQ(move.held, BufferPair{});
    if (move.buffers.send == 0) break;
    EXPECT_GT(move.buffers.send, buffer);
    buffer = move.buffers.send;
  }
  EXPECT_EQ(steps, 3);
  EXPECT_NEAR(double(buffer), 33.55e6, 1e4);  // twice what fits three halves around 11.2 MB; the link holds 11.77 MB
}

TEST(WindowControl, FollowsWhatIsReceivedInARoundTrip) {
  const WindowReading reading{0, 100ms, 3 * MiB, {64 * KiB, 6 * MiB}};
  EXPECT_EQ(next_move(reading, automatic, root).buffers, (BufferPair{0, 12 * MiB}));
}

TEST(WindowControl, NeverAsksForMoreThanItsBound) {
  const WindowReading reading{100'000'000'000, 1s, 500 * MiB, {4 * MiB, 6 * MiB}};
  const WindowMove move = next_move(reading, automatic, root);
  EXPECT_EQ(move.buffers, (BufferPair{auto_buffer_max, auto_buffer_max}));
  EXPECT_EQ(move.held, BufferPair{});
}

TEST(WindowControl, TellsWhatItNeedsAndMayNotSet) {
  constexpr BufferPair user{416 * KiB, 416 * KiB};  // twice 208 KiB, the rmem_max of most distributions
  const WindowReading reading{28'000'000, 100ms, 3 * MiB, {4 * MiB, 6 * MiB}};
  const WindowMove move = next_move(reading, automatic, user);
  EXPECT_EQ(move.buffers, BufferPair{}) << "what it may set is less than the kernel's own";
  EXPECT_EQ(move.held, (BufferPair{8'400'000, 12 * MiB}));
}

TEST(WindowControl, GoesAsFarAsItMayAndTellsTheRest) {
  constexpr BufferPair raised{6 * MiB, 6 * MiB};
  const WindowMove move = next_move(sending(28'000'000, 100ms, 4 * MiB), automatic, raised);
  EXPECT_EQ(move.buffers, (BufferPair{6 * MiB, 0}));
  EXPECT_EQ(move.held, (BufferPair{8'400'000, 0}));
}

TEST(WindowControl, DoesNothingWhereTheKernelsLimitsAreNotKnown) {
  EXPECT_EQ(next_move(sending(117'000'000, 100ms, 4 * MiB), {}, root).buffers, BufferPair{});
}

TEST(WindowByHand, IsWhatWasAskedWhereTheBufferMayBeSet) {
  EXPECT_EQ(buffer_by_hand(2 * MiB, 6 * MiB, root.receive), 2 * MiB);
  EXPECT_EQ(window_by_hand(1 * MiB, 6 * MiB, root.receive), 1 * MiB);
  EXPECT_EQ(window_by_hand(64 * MiB, 6 * MiB, root.receive), 64 * MiB);
}

TEST(WindowByHand, LeavesTheBufferToTheKernelWhereThatGivesMore) {
  EXPECT_EQ(buffer_by_hand(16 * MiB, 6 * MiB, 416 * KiB), 0u);
  EXPECT_EQ(window_by_hand(8 * MiB, 6 * MiB, 416 * KiB), 3 * MiB);
  EXPECT_EQ(window_by_hand(64 * KiB, 6 * MiB, 416 * KiB), 64 * KiB);
}

LossReading loss(std::uint64_t sent, std::uint64_t resent, Duration round_trip) { return {sent, resent, 200, round_trip, 20ms}; }

TEST(LossWatch, LossesWithoutAQueueAskForAnotherCongestionControl) {
  LossWatch watch;
  EXPECT_FALSE(watch.observe(loss(1'000, 1, 20ms)));
  EXPECT_FALSE(watch.observe(loss(2'000, 1, 20ms))) << "nothing new was lost";
  EXPECT_FALSE(watch.observe(loss(3'000, 2, 21ms)));
  EXPECT_TRUE(watch.observe(loss(4'000, 3, 20ms)));
  EXPECT_TRUE(watch.observe(loss(5'000, 3, 20ms))) << "for good";
}

TEST(LossWatch, WhatIsLostWithinAFewWindowsWasLostOnce) {
  LossWatch watch;
  for (std::uint64_t i = 0; i < 8; ++i) EXPECT_FALSE(watch.observe(loss(1'000 + i * 100, 10 + i, 20ms)));
  EXPECT_FALSE(watch.observe(loss(1'800, 18, 20ms))) << "the second time";
  EXPECT_TRUE(watch.observe(loss(2'600, 19, 20ms)));
}

// The queue is gone by the time the last of it is sent again.
TEST(LossWatch, WhatAFullQueueLostDoesNotCountWhenItIsEmpty) {
  LossWatch watch;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    EXPECT_FALSE(watch.observe(loss(i * 10'000, i * 100, 35ms)));
    EXPECT_FALSE(watch.observe(loss(i * 10'000 + 500, i * 100 + 50, 20ms)));
  }
}

TEST(LossWatch, LossesOfAFullQueueDoNot) {
  LossWatch watch;
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_FALSE(watch.observe(loss(i * 1'000, i * 10, 35ms)));
}

TEST(LossWatch, RareLossesDoNot) {
  LossWatch watch;
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_FALSE(watch.observe(loss(i * 150'000, i, 20ms)));
}

TEST(LossWatch, LossesOfAShortPathDoNot) {
  LossWatch watch;
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_FALSE(watch.observe({i * 1'000, i, 200, 200us, 200us}));
}

}  // namespace
}  // namespace ccr::transport::window_control_test
