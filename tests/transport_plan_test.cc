// CompressionPlan, fed by a model of a link and a processor: it finds the way that carries more, and never stays with the other.
#include <algorithm>
#include <functional>

#include "tests/transport_samples.h"
#include "transport/compression_plan.h"

namespace ccr::transport::plan_test {
namespace {

using namespace std::chrono_literals;

// One stream of 256 KiB pieces over a link with a send buffer; packing and sending take turns, as in a shipper.
struct Model {
  double link_mb_per_second = 117;
  double pack_mb_per_second = 350;
  double ratio = 0.33;
  double copy_mb_per_second = 3000;  // into the send buffer
  double buffer_bytes = 4.0 * MiB;

  double queued = 0;
  std::int64_t nanoseconds = 0;
  std::uint64_t raw_bytes = 0, packed_bytes = 0;

  void pass(double seconds) {
    nanoseconds += static_cast<std::int64_t>(seconds * 1e9);
    queued = std::max(0.0, queued - seconds * link_mb_per_second * 1e6);
  }
  void step(CompressionPlan& plan, bool behind = true) {
    SentPiece piece;
    piece.raw_bytes = 256 * KiB;
    piece.packed = plan.packs(behind);
    piece.behind = behind;
    const double cost = plan.level() == 1 ? 1 : plan.level() == 3 ? 1.5 : 3;
    const double packing = piece.packed ? static_cast<double>(piece.raw_bytes) / pack_mb_per_second / 1e6 * cost : 0;
    pass(packing);
    const double wire = static_cast<double>(piece.raw_bytes) * (piece.packed ? ratio : 1);
    double sending = wire / copy_mb_per_second / 1e6;
    if (queued + wire > buffer_bytes) sending += (queued + wire - buffer_bytes) / link_mb_per_second / 1e6;
    pass(sending);
    queued += wire;
    piece.wire_bytes = static_cast<std::uint64_t>(wire);
    piece.packing = Duration(static_cast<std::int64_t>(packing * 1e9));
    piece.sending = Duration(static_cast<std::int64_t>(sending * 1e9));
    piece.at = Instant{nanoseconds};
    raw_bytes += piece.raw_bytes;
    if (piece.packed) packed_bytes += piece.raw_bytes;
    plan.sent(piece);
  }
  // MB/s of raw bytes over the next `seconds`.
  double run(CompressionPlan& plan, double seconds) {
    const std::int64_t from = nanoseconds, until = from + static_cast<std::int64_t>(seconds * 1e9);
    const std::uint64_t before = raw_bytes;
    while (nanoseconds < until) step(plan);
    return static_cast<double>(raw_bytes - before) / (static_cast<double>(nanoseconds - from) / 1e9) / 1e6;
  }
};

CompressionPlan automatic() { return CompressionPlan(compression_setting("auto")); }

TEST(CompressionPlan, WordsOfTheConfigurationAreSettings) {
  EXPECT_FALSE(CompressionPlan(compression_setting("none")).may_pack());
  EXPECT_FALSE(CompressionPlan(compression_setting("none")).packs(false));
  const CompressionPlan seventh(compression_setting("zstd:7"));
  EXPECT_TRUE(seventh.packs(true));
  EXPECT_EQ(seventh.level(), 7);
  EXPECT_EQ(CompressionPlan(compression_setting("zstd:19")).level(), 19);
  EXPECT_TRUE(automatic().packs(false));
}

TEST(CompressionPlan, AGigabitCarriesTwiceItsRateOfPagesThatShrinkToAThird) {
  Model model;
  CompressionPlan plan = automatic();
  model.run(plan, 2);
  EXPECT_GT(model.run(plan, 60), 2 * model.link_mb_per_second);
  EXPECT_STREQ(plan.reason(), "packing it goes faster");
}

TEST(CompressionPlan, AFastLinkIsNeverSlowerByMoreThanItsTrials) {
  Model model;
  model.link_mb_per_second = 1400;
  CompressionPlan plan = automatic();
  model.run(plan, 1);
  Model plain = model;
  CompressionPlan none(compression_setting("none"));
  const double as_it_is = plain.run(none, 60);
  EXPECT_GT(model.run(plan, 60), 0.99 * as_it_is);
  EXPECT_STREQ(plan.reason(), "sending it as it is goes faster");
}

TEST(CompressionPlan, AProcessorThatGetsBusyIsNoticedAndItsRestToo) {
  Model model;
  CompressionPlan plan = automatic();
  model.run(plan, 30);
  model.pack_mb_per_second = 60;  // others compute
  model.run(plan, 60);
  EXPECT_GT(model.run(plan, 30), 0.95 * model.link_mb_per_second);
  EXPECT_FALSE(plan.packs(true));
  model.pack_mb_per_second = 350;
  model.run(plan, 400);
  EXPECT_GT(model.run(plan, 30), 2 * model.link_mb_per_second);
}

TEST(CompressionPlan, ALinkThatGetsSlowerIsNoticed) {
  Model model;
  model.link_mb_per_second = 1400;
  CompressionPlan plan = automatic();
  model.run(plan, 30);
  EXPECT_FALSE(plan.packs(true));
  model.link_mb_per_second = 50;
  model.run(plan, 400);
  EXPECT_GT(model.run(plan, 30), 2 * model.link_mb_per_second);
}

TEST(CompressionPlan, WhatDoesNotShrinkIsSentAsItIsAfterAMebibyteAndTriedAgain) {
  Model model;
  model.ratio = 1.001;
  CompressionPlan plan = automatic();
  for (int i = 0; i < 4; ++i) model.step(plan, false);
  EXPECT_FALSE(plan.packs(false));
  EXPECT_STREQ(plan.reason(), "the content does not shrink");
  for (int i = 0; i < 400; ++i) model.step(plan, false);
  const double share = static_cast<double>(model.packed_bytes) / static_cast<double>(model.raw_bytes);
  EXPECT_GT(share, 0.10);
  EXPECT_LT(share, 0.15);
  model.ratio = 0.3;
  for (int i = 0; i < 40; ++i) model.step(plan, false);
  EXPECT_TRUE(plan.packs(false));
}

TEST(CompressionPlan, AtTheTailItPacksWhateverTheLink) {
  Model model;
  model.link_mb_per_second = 1400;
  CompressionPlan plan = automatic();
  model.run(plan, 10);
  EXPECT_FALSE(plan.packs(true));
  EXPECT_TRUE(plan.packs(false));
}

TEST(CompressionPlan, ASlowLinkGetsAHigherLevelAndAFastOneTheLowest) {
  Model slow;
  slow.link_mb_per_second = 2;
  CompressionPlan on_slow = automatic();
  slow.run(on_slow, 300);
  EXPECT_EQ(on_slow.level(), 5);
  Model fast;
  CompressionPlan on_fast = automatic();
  fast.run(on_fast, 60);
  EXPECT_EQ(on_fast.level(), 1);
}

}  // namespace
}  // namespace ccr::transport::plan_test
