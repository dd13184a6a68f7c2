// Whether a copy can become the active one as of a point in time.
#include "engine/point_in_time.h"

#include <gtest/gtest.h>

#include "base/wall_time.h"
#include "engine/role.h"

namespace ccr::engine::point_in_time {

WallTime minute(int at) { return {(1'767'225'600 + at * 60LL) * 1'000'000'000}; }

storage::RecordHeader commit(CommitNumber number, WallTime wall) {
  storage::RecordHeader record;
  record.number = number;
  record.wall = wall;
  return record;
}

// Pages as of commit 10, minute 10; the log goes on to minute 30.
PointInTimeFacts delayed(int until) {
  PointInTimeFacts facts;
  facts.copy = "orders@beta";
  facts.until = minute(until);
  facts.now = minute(40);
  facts.delayed = true;
  facts.pages = commit(10, minute(10));
  facts.cut.at = {{3}, 8192};
  facts.cut.kept = commit(15, minute(15));
  facts.cut.next = commit(16, minute(25));
  return facts;
}

std::string refusal(const PointInTimeFacts& facts) {
  const Result<void> judged = judge_point_in_time(facts);
  if (judged.ok()) return "";
  EXPECT_EQ(judged.error().kind, ErrorKind::refused);
  EXPECT_NE(judged.error().hint, "");
  return judged.error().message + " | " + judged.error().hint;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(PointInTimes, BetweenThePagesAndNowCanBeReached) {
  EXPECT_EQ(refusal(delayed(20)), "");
  EXPECT_EQ(refusal(delayed(10)), "") << "the very commit that the pages hold";
  PointInTimeFacts quick = delayed(20);
  quick.delayed = false;
  EXPECT_EQ(refusal(quick), "") << "a queue is as good as a lag";
  PointInTimeFacts latest = delayed(40);
  latest.cut.next.reset();
  EXPECT_EQ(refusal(latest), "");
}

TEST(PointInTimes, TheFutureIsRefused) { EXPECT_TRUE(has(refusal(delayed(41)), "2026-01-01T00:41:00.000000000Z is in the future")); }

TEST(PointInTimes, WhatThePagesHoldAlreadyIsNamedWithTheEarliest) {
  const std::string text = refusal(delayed(9));
  EXPECT_TRUE(has(text, "hold commit 10 of 2026-01-01T00:10:00.000000000Z already")) << text;
  EXPECT_TRUE(has(text, "--until 2026-01-01T00:10:00.000000000Z")) << text;
}

TEST(PointInTimes, ACopyThatHoldsNothingBackSaysSo) {
  PointInTimeFacts facts = delayed(20);
  facts.all_replayed = true;
  facts.cut = {};
  facts.cut.kept = facts.pages;
  EXPECT_EQ(refusal(facts), "") << "delayed: all of it is older";
  facts.delayed = false;
  EXPECT_TRUE(has(refusal(facts), "no replay_lag, and has replayed all that it received, to commit 10 of")) << refusal(facts);
}

TEST(PointInTimes, PagesOfAnUnknownTimeNeedACommitBehindThemThatIsNotLater) {
  PointInTimeFacts facts = delayed(20);
  facts.pages.reset();
  EXPECT_EQ(refusal(facts), "");
  facts.cut.kept.reset();
  EXPECT_TRUE(has(refusal(facts), "commit 16")) << refusal(facts);
}

TEST(PointInTimes, NoLogLeadsOverABaseMarker) {
  PointInTimeFacts facts = delayed(30);
  facts.cut.marker = true;
  EXPECT_TRUE(has(refusal(facts), "base marker")) << refusal(facts);
}

TEST(PointInTimes, WhatIsGivenUpIsCounted) {
  PointInTime point;
  point.cut = delayed(20).cut;
  point.end = {{5}, 8192};
  point.last = commit(40, minute(30));
  EXPECT_EQ(point.commits(), 25u);
  EXPECT_EQ(point.generations(), 3u);
  point.cut.kept.reset();
  EXPECT_EQ(point.commits(), 25u) << "the first that is later says it too";
  point.cut.next.reset();
  EXPECT_EQ(point.commits(), 0u);
}

// --- what of it the state remembers -----------------------------------------------------------------------------------------

storage::CopyState agreed() {
  storage::CopyState state;
  state.signature.bytes.fill(std::byte{1});
  state.prepared = 5;
  state.durable = {{9}, 4096};
  state.cut = {{7}, 8192};
  state.received_ages = {{{{9}, 4096}, Duration(1)}};
  return state;
}

TEST(CutOfARole, HoldsForTheActivationThatWasAgreedTo) {
  storage::CopyState state = agreed();
  take_role(state, Role{5, "beta", false}, "beta", {"alpha", "beta"}, false, Generation{1});
  EXPECT_EQ(state.cut, (Position{{7}, 8192}));
  EXPECT_EQ(state.durable, state.cut) << "no more is proven";
  EXPECT_TRUE(state.received_ages.empty());
  take_role(state, Role{6, "beta", true}, "beta", {"alpha", "beta"}, true, Generation{1});
  EXPECT_TRUE(state.cut.known()) << "it is active, and did not cut its log yet";
}

TEST(CutOfARole, AndForNoOther) {
  for (const Role& role : {Role{6, "beta", true}, Role{5, "alpha", false}}) {
    storage::CopyState state = agreed();
    take_role(state, role, "beta", {"alpha", "beta"}, false, Generation{1});
    EXPECT_FALSE(state.cut.known()) << role.active;
    EXPECT_EQ(state.durable, (Position{{9}, 4096}));
  }
  storage::CopyState state = agreed();
  take_role(state, Role{7, "alpha", false}, "beta", {"alpha", "beta"}, true, Generation{1});
  EXPECT_FALSE(state.cut.known() || state.durable.known()) << "its log may be cut, and may be not";
}

}  // namespace ccr::engine::point_in_time
