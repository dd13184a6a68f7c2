// Who may try to prove itself, and what is said of those who may not.
#include <gtest/gtest.h>

#include "engine/admission.h"

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1'000'000'000'000};

std::string refusal(const Result<Admission::Admitted>& admitted) { return admitted.ok() ? "" : admitted.error().message; }

TEST(Admission, TheNinthOfOneAddressPushesOutItsFirst) {
  Admission admission;
  EXPECT_EQ(admission.admit("10.77.0.3", start)->number, 1u);
  for (std::uint64_t i = 2; i <= 9; ++i) EXPECT_EQ(admission.admit("10.77.0.2", start)->pushed_out, std::nullopt) << i;
  EXPECT_EQ(admission.admit("10.77.0.2", start)->pushed_out, 2u);
  EXPECT_EQ(admission.admit("10.77.0.2", start)->pushed_out, 3u);
  admission.leave(2, false);  // its task ends later
  admission.leave(4, false);
  EXPECT_EQ(admission.admit("10.77.0.2", start)->pushed_out, std::nullopt);
  EXPECT_EQ(admission.unproven(), 9u);
}

TEST(Admission, TheThirtyThirdPushesOutTheFirst) {
  Admission admission;
  for (int i = 0; i < 32; ++i) EXPECT_EQ(admission.admit("10.77.0." + std::to_string(i / 8), start)->pushed_out, std::nullopt);
  EXPECT_EQ(admission.unproven(), 32u);
  EXPECT_EQ(admission.admit("10.77.0.99", start)->pushed_out, 1u);
  EXPECT_EQ(admission.unproven(), 32u);
  admission.leave(20, false);
  EXPECT_EQ(admission.admit("10.77.0.99", start)->pushed_out, std::nullopt);
}

TEST(Admission, TwentyASecondOfOneAddressMayCome) {
  Admission admission;
  const auto come_and_go = [&](const std::string& host, Instant now) {
    const Result<Admission::Admitted> admitted = admission.admit(host, now);
    if (admitted.ok()) admission.leave(admitted->number, false);
    return refusal(admitted);
  };
  for (int i = 0; i < 20; ++i) EXPECT_EQ(come_and_go("::1", start), "") << i;
  EXPECT_EQ(come_and_go("::1", start), "more than 20 connections a second of ::1");
  EXPECT_EQ(come_and_go("::2", start), "");
  EXPECT_EQ(come_and_go("::1", start + Duration(50ms)), "");
  EXPECT_EQ(come_and_go("::1", start + Duration(50ms)), "more than 20 connections a second of ::1");
  int admitted = 0;
  for (int i = 1; i <= 10'000; ++i) admitted += come_and_go("::3", start + Duration(1ms) * i).empty() ? 1 : 0;
  EXPECT_EQ(admitted, 20 + 199);  // 10 s
}

TEST(Admission, APeerThatProvedItselfIsNotSlowed) {
  Admission admission;
  for (int i = 0; i < 1000; ++i) {
    const Result<Admission::Admitted> admitted = admission.admit("10.77.0.2", start);
    ASSERT_EQ(refusal(admitted), "") << i;
    admission.leave(admitted->number, true);
  }
}

TEST(Admission, RememberedAddressesAreBounded) {
  Admission admission;
  for (std::size_t i = 0; i < Admission::addresses_max; ++i) {
    const Result<Admission::Admitted> admitted = admission.admit("fd00::" + std::to_string(i), start);
    ASSERT_EQ(refusal(admitted), "");
    admission.leave(admitted->number, false);
  }
  EXPECT_EQ(refusal(admission.admit("fd01::1", start)), "1024 addresses came within a second");
  EXPECT_EQ(refusal(admission.admit("fd00::1", start)), "");
  EXPECT_EQ(refusal(admission.admit("fd01::1", start + Duration(1s))), "");
}

struct KeptEvents final : Trace {
  void record(const Event& event) override { events.push_back(event); }
  std::vector<Event> events;
};

TEST(RefusalLog, TellsTenASecondAndCountsTheOthers) {
  KeptEvents kept;
  RefusalLog log(kept, "alpha");
  const Error error{ErrorKind::identity, "a name", "a hint"};
  for (int i = 0; i < 1000; ++i) log.record("10.77.0.9:5", error, start);
  EXPECT_EQ(kept.events.size(), 10u);
  log.record("10.77.0.9:5", error, start + Duration(1s));
  ASSERT_EQ(kept.events.size(), 11u);
  const Event& last = kept.events.back();
  EXPECT_EQ(last.name, "connection_refused");
  EXPECT_EQ(last.subject, "alpha");
  const std::vector<std::pair<std::string, std::string>> fields{
      {"peer", "10.77.0.9:5"}, {"cause", "a name"}, {"hint", "a hint"}, {"others", "990"}};
  EXPECT_EQ(last.fields, fields);
}

}  // namespace
}  // namespace ccr::engine
