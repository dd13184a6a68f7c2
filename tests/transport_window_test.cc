// The window calculator, against figures that others published for the same sums.
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "transport/window_plan.h"

namespace ccr::transport::transport_window_test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t megabit = 1'000'000 / 8;

TEST(WindowPlan, TheProductIsWhatTheLinkHolds) {
  EXPECT_EQ(plan_window({1000 * megabit, 200us}, 1).product, 25'000u);    // 24 KB in the DRBD guide
  EXPECT_EQ(plan_window({100 * megabit, 200ms}, 1).product, 2'500'000u);  // 2.4 MB there
  EXPECT_EQ(plan_window({622 * megabit, 30ms}, 3).window, 6'997'500u);    // three products, as Oracle's network guide advises
  EXPECT_EQ(plan_window({1000 * megabit, 0ms}, 2).product, 0u);
}

TEST(WindowPlan, WhatAPayloadTakesOfTheWireIsThatLink) {
  const WindowPlan plan = plan_window({1000 * megabit, 1ms}, 2);
  EXPECT_NEAR(double(wire_of_payload(plan.payload, 1500)), 125e6, 2);
  EXPECT_GT(wire_of_payload(plan.payload, 1500), wire_of_payload(plan.payload, 1500, false)) << "timestamps are headers too";
}

TEST(WindowPlan, AWindowIsNeverSmallerThanOneWithoutScale) {
  const WindowPlan plan = plan_window({1000 * megabit, 200us}, 1);
  EXPECT_EQ(plan.window, 65'535u);
  EXPECT_EQ(plan.scale, 0);
}

TEST(WindowPlan, TheScaleIsTheSmallestThatTellsTheWindow) {
  EXPECT_EQ(scale_for(0), 0);
  EXPECT_EQ(scale_for(65'535), 0);
  EXPECT_EQ(scale_for(65'536), 1);
  EXPECT_EQ(scale_for(131'070), 1);
  EXPECT_EQ(scale_for(131'071), 2);
  EXPECT_EQ(scale_for(1 * MiB), 5);
  EXPECT_EQ(scale_for(65'535ULL << 14), 14);
  EXPECT_EQ(scale_for((65'535ULL << 14) + 1), -1);
}

TEST(WindowPlan, ThePayloadIsTheWireWithoutHeaders) {
  EXPECT_EQ(plan_window({1000 * megabit, 1ms}, 2).payload, 117'685'305u);  // 1448 of 1538 bytes
  EXPECT_EQ(plan_window({1000 * megabit, 1ms}, 2, false).payload, 118'660'598u);
  EXPECT_EQ(plan_window({1000 * megabit, 1ms, 9000}, 2).payload, 123'755'255u);
}

TEST(WindowPlan, WithoutScaleTheRoundTripDecides) {
  EXPECT_EQ(plan_window({1000 * megabit, 100ms}, 2).unscaled, 655'350u);
  EXPECT_EQ(plan_window({1000 * megabit, 100us}, 2).unscaled, 117'685'305u) << "the link is the limit";
  EXPECT_EQ(plan_window({1000 * megabit, 0ms}, 2).unscaled, 117'685'305u);
}

TEST(WindowPlan, ReachFollowsTheSmallerAutomaticLimit) {
  HostLimits host{true, true, 212'992, 212'992, 6 * MiB, 4 * MiB};
  const std::optional<Reach> reach = reach_of({1000 * megabit, 100ms}, host);
  ASSERT_TRUE(reach);
  EXPECT_EQ(reach->window, 2'796'202u) << "two thirds of what may be sent";
  EXPECT_EQ(reach->payload, 27'962'020u);
  EXPECT_EQ(reach->connections, 5);
  EXPECT_EQ(reach_of({1000 * megabit, 1ms}, host)->connections, 1);
  host.scaling = false;
  EXPECT_EQ(reach_of({1000 * megabit, 100ms}, host)->window, 65'535u);
  EXPECT_EQ(reach_of({1000 * megabit, 100ms}, host)->connections, 180);
  EXPECT_FALSE(reach_of({1000 * megabit, 0ms}, host));
}

TEST(WindowPlan, ALinkForALogHasRoomForBursts) { EXPECT_EQ(wire_for_log(614'400) * 8, 7'021'712u); }  // 7.02 Mbit/s

}  // namespace
}  // namespace ccr::transport::transport_window_test
