#include <gtest/gtest.h>

#include <cstring>
#include <new>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/latency_histogram.h"
#include "base/position.h"
#include "base/queue.h"
#include "base/random.h"
#include "base/system_clock.h"
#include "base/task_group.h"
#include "base/timeout.h"

namespace ccr {
namespace {

using namespace std::chrono_literals;

// Runs one task on a fresh executor until nothing is left to do.
template <class Body>
void run(Body body) {
  asio::io_context context;
  bool ended = false;
  auto wrapped = [&]() -> Task<void> {
    co_await body(Executor(context.get_executor()));
    ended = true;
  };
  asio::co_spawn(context, wrapped, [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
  context.run();
  EXPECT_TRUE(ended);
}

Task<Result<void>> fail_with(ErrorKind kind) { co_return Error{kind, "planned", ""}; }

Task<Result<void>> wait_for_ever(Signal& signal, int& unwound) {
  struct Count {
    int& count;
    ~Count() { ++count; }
  } count{unwound};
  for (;;) co_await signal.wait();
}

TEST(LatencyHistogram, PercentilesAreAtMostThreePercentBelowTheTruth) {
  LatencyHistogram latencies;
  EXPECT_EQ(latencies.summary(), LatencySummary{});
  for (int i = 1; i <= 1000; ++i) latencies.add(std::chrono::microseconds(i));
  const LatencySummary summary = latencies.summary();
  EXPECT_EQ(summary.count, 1000u);
  EXPECT_EQ(summary.least, 1u);
  EXPECT_EQ(summary.p50, 496u);   // of 501
  EXPECT_EQ(summary.p90, 896u);   // of 901
  EXPECT_EQ(summary.p99, 976u);   // of 991
  EXPECT_EQ(summary.p999, 992u);  // of 1000
  EXPECT_EQ(summary.most, 1000u);
}

TEST(LatencyHistogram, OneIsAddedToAnother) {
  LatencyHistogram one, other;
  one.add(10us);
  other.add(20us);
  other.add(5us);
  one.add(other);
  EXPECT_EQ(one.summary(), (LatencySummary{3, 5, 10, 20, 20, 20, 20}));
}

TEST(Bytes, IntegersAreLittleEndian) {
  Bytes out(14);
  Encoder encoder(out);
  encoder.u16(0x0102);
  encoder.u32(0x03040506);
  encoder.u64(0x0708090a0b0c0d0eULL);
  EXPECT_EQ(to_hex(out), "0201060504030e0d0c0b0a090807");
  Decoder decoder(out);
  EXPECT_EQ(decoder.u16(), 0x0102);
  EXPECT_EQ(decoder.u32(), 0x03040506u);
  EXPECT_EQ(decoder.u64(), 0x0708090a0b0c0d0eULL);
  EXPECT_TRUE(decoder.finished());
}

TEST(Bytes, ReadingPastTheEndIsRememberedAndYieldsZeros) {
  const Bytes in(3);
  Decoder decoder(in);
  EXPECT_EQ(decoder.u32(), 0u);
  EXPECT_EQ(decoder.u8(), 0u);
  EXPECT_FALSE(decoder.ok());
}

TEST(AlignedBuffer, IsZerosAgainOnceItWasForgotten) {
  for (const std::size_t size : {std::size_t(1), std::size_t(5000), std::size_t(MiB + 1)}) {
    AlignedBuffer buffer(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % AlignedBuffer::alignment, 0u);
    const Bytes zeros(size);
    EXPECT_TRUE(std::equal(zeros.begin(), zeros.end(), buffer.data()));
    std::fill(buffer.data(), buffer.data() + size, std::byte{7});
    buffer.forget();
    EXPECT_TRUE(std::equal(zeros.begin(), zeros.end(), buffer.data()));
    AlignedBuffer other = std::move(buffer);
    other.span().back() = std::byte{1};
    EXPECT_EQ(buffer.size(), 0u);  // NOLINT(bugprone-use-after-move): it promises to be empty then
    buffer.forget();               // of nothing
  }
}

TEST(AlignedBuffer, OfMemoryThatServedBeforeIsZerosUnlessItsOwnerWritesItAnyway) {
  const Bytes zeros(MiB);
  for (int round = 0; round < 3; ++round) {
    std::vector<AlignedBuffer> buffers;
    for (int i = 0; i < 40; ++i) {  // more than is kept
      AlignedBuffer buffer(MiB);
      const ByteSpan bytes = buffer.span();
      EXPECT_EQ(std::memcmp(bytes.data(), zeros.data(), MiB), 0);
      std::memset(bytes.data(), 7, MiB);
      buffers.push_back(std::move(buffer));
    }
    const AlignedBuffer any(MiB, AlignedBuffer::Content::any);
    for (const AlignedBuffer& buffer : buffers) EXPECT_NE(any.data(), buffer.data());
    AlignedBuffer large(48 * MiB);  // more than is kept of all together
    EXPECT_EQ(large.span().back(), std::byte{0});
  }
}

TEST(AlignedBuffer, WhatNobodyNeededIsGivenBack) {
  const auto written_and_freed = [] { std::memset(AlignedBuffer(MiB).data(), 7, MiB); };
  const auto serves_again = [] { return AlignedBuffer(MiB, AlignedBuffer::Content::any).view().back() == std::byte{7}; };
  written_and_freed();
  AlignedBuffer::give_back_unused();
  written_and_freed();
  AlignedBuffer::give_back_unused();
  EXPECT_TRUE(serves_again()) << "it was needed since the last call";
  AlignedBuffer::give_back_unused();
  AlignedBuffer::give_back_unused();
  EXPECT_FALSE(serves_again());
}

TEST(Position, OrdersByGenerationThenOffset) {
  EXPECT_LT((Position{{1}, 9000}), (Position{{2}, 4096}));
  EXPECT_LT((Position{{2}, 4096}), (Position{{2}, 8192}));
  EXPECT_EQ(distance({{2}, 4096}, {{3}, 8192}, MiB).value, MiB + 4096);
  EXPECT_EQ(distance({{3}, 8192}, {{2}, 4096}, MiB).value, 0u);
}

TEST(Digest, PageNumberIsPartOfThePageDigest) {
  const Bytes page(4096);
  EXPECT_NE(page_digest(1, page), page_digest(2, page));
}

TEST(Digest, StreamEqualsOneShotAndCopiesKeepThePrefix) {
  const ByteView text = as_bytes("a generation is one file");
  StreamDigest stream;
  stream.update(text.first(5));
  const StreamDigest prefix = stream;
  stream.update(text.subspan(5));
  EXPECT_EQ(stream.digest(), digest128(text));
  EXPECT_EQ(prefix.digest(), digest128(text.first(5)));
}

TEST(Random, TheSameSeedGivesTheSameNumbers) {
  Random a(7), b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  EXPECT_EQ(Random(0).next(), 0xe220a8397b1dcdafULL);  // the published first value of SplitMix64 with seed 0
}

Task<Result<void>> wait_and_tell(Signal& signal, int number, std::vector<int>& told) {
  co_await signal.wait();
  told.push_back(number);
  co_return Result<void>();
}

// Lets every task that is ready have its turn.
Task<void> turn(Executor executor) { co_await asio::post(executor, asio::use_awaitable); }

TEST(Signal, WakesAllThatWaitInTheirOrderAndNeverInsideTheCall) {
  run([](Executor executor) -> Task<void> {
    Signal signal(executor);
    std::vector<int> told;
    TaskGroup group(executor);
    for (int i = 1; i <= 3; ++i) group.spawn(wait_and_tell(signal, i, told));
    co_await turn(executor);
    signal.notify();
    EXPECT_TRUE(told.empty());
    group.spawn(wait_and_tell(signal, 4, told));  // comes after the call
    co_await turn(executor);
    EXPECT_EQ(told, (std::vector<int>{1, 2, 3}));
    co_await turn(executor);
    signal.notify();
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(told, (std::vector<int>{1, 2, 3, 4}));
  });
}

TEST(Signal, AStoppedWaitEndsAndTheOthersGoOn) {
  run([](Executor executor) -> Task<void> {
    Signal signal(executor);
    std::vector<int> told;
    TaskGroup others(executor), stopped(executor);
    others.spawn(wait_and_tell(signal, 1, told));
    stopped.spawn(wait_and_tell(signal, 2, told));
    others.spawn(wait_and_tell(signal, 3, told));
    co_await turn(executor);
    stopped.stop();
    const Result<void> stopped_ended = co_await stopped.join();
    EXPECT_TRUE(stopped_ended.ok());
    EXPECT_TRUE(told.empty());
    signal.notify();
    const Result<void> others_ended = co_await others.join();
    EXPECT_TRUE(others_ended.ok());
    EXPECT_EQ(told, (std::vector<int>{1, 3}));
  });
}

TEST(Signal, AStopBetweenTheCallAndTheTurnOfTheWokenStillEndsIt) {
  run([](Executor executor) -> Task<void> {
    Signal signal(executor);
    std::vector<int> told;
    TaskGroup group(executor);
    group.spawn(wait_and_tell(signal, 1, told));
    co_await turn(executor);
    group.stop();
    signal.notify();
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_TRUE(told.empty());
  });
}

TEST(TaskGroup, FirstErrorStopsTheOthersAndIsWhatJoinReturns) {
  run([](Executor executor) -> Task<void> {
    Signal never(executor);
    int unwound = 0;
    TaskGroup group(executor);
    group.spawn(wait_for_ever(never, unwound));
    group.spawn(wait_for_ever(never, unwound));
    group.spawn(fail_with(ErrorKind::gap));
    const Result<void> result = co_await group.join();
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::gap);
    EXPECT_EQ(unwound, 2);
  });
}

TEST(TaskGroup, KeepOthersLetsTheRestRunOn) {
  run([](Executor executor) -> Task<void> {
    Signal never(executor);
    int unwound = 0;
    TaskGroup group(executor);
    group.spawn(fail_with(ErrorKind::gap), TaskGroup::OnError::keep_others);
    group.spawn(wait_for_ever(never, unwound));
    SystemClock clock;
    co_await clock.sleep(1ms);
    EXPECT_EQ(group.running(), 1u);
    group.stop();
    const Result<void> result = co_await group.join();
    EXPECT_EQ(result.error().kind, ErrorKind::gap);
    EXPECT_EQ(unwound, 1);
  });
}

Task<Result<void>> parent_of_one(Executor executor, Signal& never, int& unwound) {
  TaskGroup children(executor);
  children.spawn(wait_for_ever(never, unwound));
  co_return co_await children.join();
}

TEST(TaskGroup, StoppingAParentStopsItsChildrenBeforeItUnwinds) {
  run([](Executor executor) -> Task<void> {
    Signal never(executor);
    int unwound = 0;
    TaskGroup group(executor);
    group.spawn(parent_of_one(executor, never, unwound));
    SystemClock clock;
    co_await clock.sleep(1ms);
    group.stop();
    const Result<void> result = co_await group.join();
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(unwound, 1);
  });
}

Task<Result<int>> forever(Signal& never) {
  for (;;) co_await never.wait();
}
Task<Result<int>> seven() { co_return 7; }

TEST(Timeout, ReturnsTheResultOrTheTimeout) {
  run([](Executor executor) -> Task<void> {
    SystemClock clock;
    Signal never(executor);
    const Result<int> value = co_await with_timeout(clock, 1s, "seven", seven());
    EXPECT_EQ(value.value(), 7);
    const Result<int> late = co_await with_timeout(clock, 1ms, "hello of beta", forever(never));
    EXPECT_EQ(late.error().kind, ErrorKind::timeout);
    EXPECT_NE(late.error().message.find("hello of beta"), std::string::npos);
  });
}

Task<Result<void>> produce(BoundedQueue<int>& queue, int count) {
  for (int i = 0; i < count; ++i) {
    const bool taken = co_await queue.push(i);
    EXPECT_TRUE(taken);
    EXPECT_LE(queue.size(), 2u);
  }
  queue.close();
  co_return Result<void>();
}

TEST(BoundedQueue, KeepsOrderAndBoundAndDrainsAfterClose) {
  run([](Executor executor) -> Task<void> {
    BoundedQueue<int> queue(executor, 2);
    TaskGroup group(executor);
    group.spawn(produce(queue, 10));
    for (int i = 0; i < 10; ++i) {
      const std::optional<int> value = co_await queue.pop();
      EXPECT_EQ(value, std::optional<int>(i));
    }
    const std::optional<int> end = co_await queue.pop();
    EXPECT_EQ(end, std::nullopt);
    const bool refused = co_await queue.push(1);
    EXPECT_FALSE(refused);
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
  });
}

TEST(Memory, ItsEndIsTheEndOfTheProcessWithALineThatSaysSo) {
  constexpr std::size_t more_than_there_is = std::size_t(1) << 60;
  EXPECT_DEATH(AlignedBuffer{more_than_there_is}, "^ccr: out of memory: ");
  EXPECT_DEATH(
      {
        std::set_new_handler(out_of_memory);
        std::get_new_handler()();
      },
      "^ccr: out of memory: ");
}

TEST(Clock, WallTimeIsShownAsRfc3339) { EXPECT_EQ(to_rfc3339({1767323045'000000000}), "2026-01-02T03:04:05Z"); }

}  // namespace
}  // namespace ccr
