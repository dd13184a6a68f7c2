// The packed log stream and packed pages: what comes back, what it costs, and what memory it takes.
#include <algorithm>

#include "tests/transport_samples.h"
#include "transport/history_budget.h"
#include "transport/log_packer.h"
#include "transport/log_unpacker.h"
#include "transport/page_packing.h"
#include "transport/zstd_frame.h"

namespace ccr::transport::packing_test {
namespace {

constexpr std::size_t page = 4096;

// Pages of words: they shrink to a third or less by themselves.
Bytes wordy(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes;
  while (bytes.size() < size) {
    const std::string word = "customer " + std::to_string(random.below(100'000)) + " ordered; ";
    const ByteView view = as_bytes(word);
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  bytes.resize(size);
  return bytes;
}

Bytes packed_copy(LogPacker& packer, ByteView raw) {
  const Result<ByteView> packed = packer.pack(raw);
  EXPECT_TRUE(packed.ok()) << packed.error().message;
  return {packed->begin(), packed->end()};
}

TEST(PackedLog, EachPieceComesBackWithoutTheNextOne) {
  LogPacker packer(1, 20);
  LogUnpacker unpacker(20);
  Random random(3);
  for (int i = 0; i < 50; ++i) {
    const Bytes raw = wordy(page * (1 + random.below(32)), i);
    const bool fresh = packer.fresh();
    EXPECT_EQ(fresh, i == 0);
    const Bytes packed = packed_copy(packer, raw);
    if (fresh) {
      ASSERT_TRUE(unpacker.begin(packed).ok());
    }
    Bytes back(raw.size());
    const Result<void> unpacked = unpacker.unpack(packed, back);
    ASSERT_TRUE(unpacked.ok()) << unpacked.error().message;
    EXPECT_EQ(back, raw);
  }
}

TEST(PackedLog, EveryLevelComesBack) {
  for (int level = 1; level <= zstd_level_max; ++level) {
    LogPacker packer(level, 20);
    LogUnpacker unpacker(20);
    for (int i = 0; i < 3; ++i) {
      const Bytes raw = wordy(64 * KiB, i);
      const Bytes packed = packed_copy(packer, raw);
      if (i == 0) {
        ASSERT_TRUE(unpacker.begin(packed).ok());
      }
      Bytes back(raw.size());
      ASSERT_TRUE(unpacker.unpack(packed, back).ok()) << level;
      EXPECT_EQ(back, raw) << level;
    }
  }
}

TEST(PackedLog, APageThatComesAgainALittleChangedCostsLittleAcrossMegabytes) {
  LogPacker packer(1, 22);
  const Bytes first = random_bytes(2 * MiB, 1);  // does not shrink by itself
  for (std::size_t at = 0; at < first.size(); at += 256 * KiB) packed_copy(packer, ByteView(first).subspan(at, 256 * KiB));
  Bytes again(first.begin(), first.begin() + 256 * KiB);
  for (std::size_t at = 100; at < again.size(); at += page) again[at] = std::byte{7};
  EXPECT_LT(packed_copy(packer, again).size(), again.size() / 20);
}

TEST(PackedLog, WhatDoesNotShrinkCostsHardlyMore) {
  LogPacker packer(1, 20);
  const Bytes raw = random_bytes(LogPacker::piece_bytes_max, 2);
  EXPECT_LT(packed_copy(packer, raw).size(), raw.size() + 100);
}

TEST(PackedLog, NeitherEndTakesMoreMemoryThanTheBudgetCounts) {
  for (const int level : {1, 3, 5, 6, 12, 19}) {
    for (const int history : {20, 23}) {
      LogPacker packer(level, history);
      LogUnpacker unpacker(history);
      const Bytes raw = random_bytes(256 * KiB, 1);
      for (int i = 0; i < 5; ++i) {
        const Bytes packed = packed_copy(packer, raw);
        if (i == 0) {
          ASSERT_TRUE(unpacker.begin(packed).ok());
        }
        Bytes back(raw.size());
        ASSERT_TRUE(unpacker.unpack(packed, back).ok());
      }
      EXPECT_LE(packer.memory_bytes(), packing_bytes(level, history)) << level << ", 2^" << history;
      EXPECT_LE(unpacker.memory_bytes(), unpacking_bytes(history)) << level << ", 2^" << history;
      EXPECT_GT(packer.memory_bytes(), std::uint64_t(1) << history);
    }
  }
}

TEST(HistoryBudget, AStreamGetsAtMostHalfOfWhatIsLeftAndGivesItBack) {
  HistoryBudget budget(160 * MiB);
  HistoryBudget::Lease first = budget.lease_packing(1, history_log_max);
  EXPECT_EQ(first.history_log(), 26);
  EXPECT_EQ(budget.bytes_held(), packing_bytes(1, 26));
  HistoryBudget::Lease second = budget.lease_packing(1, history_log_max);
  EXPECT_EQ(second.history_log(), 25);
  const HistoryBudget::Lease other_way = budget.lease_unpacking(history_log_max);
  EXPECT_EQ(other_way.history_log(), 24);
  first.release();
  EXPECT_EQ(first.history_log(), 0);
  second = HistoryBudget::Lease();
  EXPECT_EQ(budget.bytes_held(), unpacking_bytes(24));
}

TEST(HistoryBudget, GrantsNothingBelowTheShortestAndNeverMoreThanAsked) {
  HistoryBudget none(0), little(16 * MiB), much(GiB);
  EXPECT_EQ(none.offer_packing(1, history_log_max), 0);
  EXPECT_EQ(none.lease_unpacking(history_log_max).history_log(), 0);
  EXPECT_EQ(little.offer_unpacking(history_log_max), 22);
  EXPECT_EQ(much.offer_unpacking(23), 23);
  EXPECT_EQ(much.offer_packing(19, 40), history_log_max);
}

TEST(HistoryBudget, HoweverManyStreamsTheSumStaysWithinIt) {
  HistoryBudget budget(160 * MiB);
  std::vector<HistoryBudget::Lease> leases;
  for (int i = 0; i < 1000; ++i) leases.push_back(budget.lease_packing(1, history_log_max));
  EXPECT_LE(budget.bytes_held(), budget.bytes_max());
  EXPECT_EQ(leases.back().history_log(), 0);
  leases.clear();
  EXPECT_EQ(budget.bytes_held(), 0u);
}

TEST(PackedPages, ComeBack) {
  PagePacker packer;
  PageUnpacker unpacker;
  for (const std::size_t size : {std::size_t(512), page, 3 * page, std::size_t(MiB)}) {
    const Bytes raw = wordy(size, size);
    const Result<ByteView> packed = packer.pack(raw, 3);
    ASSERT_TRUE(packed.ok());
    EXPECT_LT(packed->size(), raw.size());
    const Bytes kept(packed->begin(), packed->end());
    const Result<ByteView> back = unpacker.unpack(kept, raw.size());
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(std::ranges::equal(*back, raw));
  }
}

TEST(ZstdFrames, HeadersSayWhatADecoderWouldNeed) {
  LogPacker packer(1, 23);
  const Bytes stream = packed_copy(packer, wordy(page, 1));
  const Result<ZstdFrame> of_stream = read_zstd_frame(stream);
  ASSERT_TRUE(of_stream.ok());
  EXPECT_EQ(of_stream->window_bytes, 8 * MiB);
  EXPECT_FALSE(of_stream->content_bytes.has_value());
  PagePacker pages;
  const Bytes raw = wordy(3 * page, 1);
  const Result<ByteView> frame = pages.pack(raw, 1);
  ASSERT_TRUE(frame.ok());
  const Result<ZstdFrame> of_pages = read_zstd_frame(*frame);
  ASSERT_TRUE(of_pages.ok());
  EXPECT_EQ(of_pages->content_bytes, raw.size());
  EXPECT_FALSE(of_pages->checksum);
}

}  // namespace
}  // namespace ccr::transport::packing_test
