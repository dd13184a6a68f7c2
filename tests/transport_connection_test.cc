// FramedConnection over two ends in memory: order, sessions, sequences, damage, stopping.
#include <algorithm>
#include <array>

#include "base/system_clock.h"
#include "base/task_group.h"
#include "base/timeout.h"
#include "tests/transport_frames.h"

namespace ccr::transport {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t session = 0x51;

struct FramedPair {
  FramedPair(const Executor& executor, std::size_t read_bytes_max) : FramedPair(executor, memory_pair(executor, read_bytes_max)) {}
  FramedPair(const Executor& executor, MemoryPair ends)
      : left(executor, std::move(ends.left)), right(executor, std::move(ends.right)) {
    left.set_session(session);
    right.set_session(session);
  }
  FramedConnection left, right;
};

Task<Result<void>> send_all(FramedConnection& connection, std::vector<Message> messages) {
  for (const Message& message : messages) CCR_CO_TRY(co_await connection.send(message));
  co_return Result<void>();
}

Task<Result<void>> send_tips(FramedConnection& connection, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    Tip tip;
    tip.sent_at = first + i;
    CCR_CO_TRY(co_await connection.send(tip));
  }
  co_return Result<void>();
}

Task<Result<void>> send_log(FramedConnection& connection, ByteView bytes, int count) {
  for (int i = 0; i < count; ++i) {
    LogData log;
    log.generation = {1};
    log.bytes = bytes;
    CCR_CO_TRY(co_await connection.send(log));
  }
  co_return Result<void>();
}

void every_message_arrives(std::size_t read_bytes_max) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, read_bytes_max);
    const Bytes tail = random_bytes(8192, 1);
    const std::vector<Message> messages = sample_messages(tail);
    TaskGroup group(executor);
    group.spawn(send_all(pair.left, messages));
    for (const Message& expected : messages) {
      const Result<Message> received = co_await pair.right.receive();
      EXPECT_TRUE(received.ok());
      if (!received.ok()) break;
      EXPECT_EQ(type_of(*received), type_of(expected));
      EXPECT_EQ(encode(*received), encode(expected));
    }
    const Result<void> sent = co_await group.join();
    EXPECT_TRUE(sent.ok());
    EXPECT_EQ(pair.left.bytes_sent(), pair.right.bytes_received());
  });
}

TEST(FramedConnection, EveryMessageArrivesAsItWasSent) { every_message_arrives(64 * KiB); }
TEST(FramedConnection, EveryMessageArrivesByteByByte) { every_message_arrives(1); }
TEST(FramedConnection, EveryMessageArrivesInReadsThatCutHeaders) { every_message_arrives(63); }

TEST(FramedConnection, TheLargestLogDataArrivesAtAnAlignedAddress) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, 64 * KiB);
    const Bytes bytes = random_bytes(MiB, 2);
    TaskGroup group(executor);
    group.spawn(send_log(pair.left, bytes, 2));
    for (int i = 0; i < 2; ++i) {
      const Result<Message> received = co_await pair.right.receive();
      EXPECT_TRUE(received.ok());
      if (!received.ok()) break;
      const LogData& log = std::get<LogData>(*received);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(log.bytes.data()) % AlignedBuffer::alignment, 0u);
      EXPECT_TRUE(std::ranges::equal(log.bytes, bytes));
    }
    const Result<void> sent = co_await group.join();
    EXPECT_TRUE(sent.ok());
  });
}

TEST(FramedConnection, MemoryThatWasTakenKeepsItsMessageWhileOthersCome) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, 64 * KiB);
    const Bytes first = random_bytes(64 * KiB, 5), later = random_bytes(64 * KiB, 6);
    TaskGroup group(executor);
    group.spawn(send_log(pair.left, first, 1));
    const Result<Message> received = co_await pair.right.receive();
    EXPECT_TRUE(received.ok());
    if (!received.ok()) co_return;
    const ByteView kept = std::get<LogData>(*received).bytes;
    const AlignedBuffer memory = pair.right.take_memory();
    group.spawn(send_log(pair.left, later, 2));
    for (int i = 0; i < 2; ++i) {
      const Result<Message> other = co_await pair.right.receive();
      EXPECT_TRUE(other.ok() && std::ranges::equal(std::get<LogData>(*other).bytes, later));
    }
    EXPECT_TRUE(std::ranges::equal(kept, first));
    const Result<void> sent = co_await group.join();
    EXPECT_TRUE(sent.ok());
  });
}

TEST(FramedConnection, FramesOfSeveralTasksArriveWholeAndInTheOrderOfTheCalls) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, 1000);
    const Bytes bytes = random_bytes(MiB, 3);  // longer than the pipe: the other sends wait for it
    TaskGroup group(executor);
    group.spawn(send_log(pair.left, bytes, 3));
    group.spawn(send_tips(pair.left, 100, 3));
    group.spawn(send_tips(pair.left, 200, 3));
    std::string order;
    for (int i = 0; i < 9; ++i) {
      const Result<Message> received = co_await pair.right.receive();
      EXPECT_TRUE(received.ok());
      if (!received.ok()) break;
      if (const auto* tip = std::get_if<Tip>(&*received)) order += std::to_string(tip->sent_at) + " ";
      if (const auto* log = std::get_if<LogData>(&*received)) order += std::ranges::equal(log->bytes, bytes) ? "log " : "other ";
    }
    EXPECT_EQ(order, "log 100 200 log 101 201 log 102 202 ");
    const Result<void> sent = co_await group.join();
    EXPECT_TRUE(sent.ok());
  });
}

// Many heartbeats in one read, each where it lies; then the buffer for log, which went meanwhile, comes back.
Task<Result<void>> send_tips_and_log(FramedConnection& connection, ByteView bytes, std::uint64_t tips, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    CCR_CO_TRY(co_await send_tips(connection, round * tips, tips));
    CCR_CO_TRY(co_await send_log(connection, bytes, 1));
  }
  co_return Result<void>();
}

TEST(FramedConnection, HeartbeatsThatFillTheReadAheadArriveAndLogBehindThem) {
  run([&](Executor executor) -> Task<void> {
    constexpr std::uint64_t tips = 150;
    FramedPair pair(executor, 64 * KiB);
    const Bytes bytes = random_bytes(5 * log_block_bytes, 4);
    TaskGroup group(executor);
    group.spawn(send_tips_and_log(pair.left, bytes, tips, 3));
    std::uint64_t heard = 0, logs = 0;
    for (std::uint64_t i = 0; i < 3 * (tips + 1); ++i) {
      const Result<Message> received = co_await pair.right.receive();
      EXPECT_TRUE(received.ok());
      if (!received.ok()) break;
      if (const auto* tip = std::get_if<Tip>(&*received)) heard += tip->sent_at == heard ? 1 : 0;
      if (const auto* log = std::get_if<LogData>(&*received)) logs += std::ranges::equal(log->bytes, bytes) ? 1 : 0;
    }
    EXPECT_EQ(heard, 3 * tips);
    EXPECT_EQ(logs, 3u);
    const Result<void> sent = co_await group.join();
    EXPECT_TRUE(sent.ok());
    EXPECT_EQ(pair.left.bytes_sent(), pair.right.bytes_received());
  });
}

TEST(FramedConnection, AStoppedReceiveLosesNothing) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair ends = memory_pair(executor);
    FramedConnection framed(executor, std::move(ends.left));
    framed.set_session(session);
    SystemClock clock;
    const Bytes frame = frame_of(sample_watermarks(), session, 1);
    const std::array<std::size_t, 4> parts{10, 60, 100, frame.size()};
    std::size_t done = 0;
    for (const std::size_t part : parts) {
      const ByteView view = ByteView(frame).subspan(done, part - done);
      done = part;
      const std::span<const ByteView> pieces(&view, 1);
      const Result<void> written = co_await ends.right->write(pieces);
      EXPECT_TRUE(written.ok());
      const Result<Message> received = co_await with_timeout(clock, 5ms, std::string("receive"), framed.receive());
      if (part < frame.size()) {
        expect_kind(received, ErrorKind::timeout);
      } else {
        EXPECT_TRUE(received.ok());
        if (received.ok()) {
          EXPECT_EQ(encode(*received), encode(sample_watermarks()));
        }
      }
    }
  });
}

Task<Result<void>> expect_send_fails(FramedConnection& connection, Message message, std::string text, int& failed) {
  const Result<void> sent = co_await connection.send(std::move(message));
  expect_message(sent, text);
  ++failed;
  co_return Result<void>();
}

TEST(FramedConnection, ASendThatIsStoppedInsideAFrameEndsTheConnectionForAllOthers) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, 1000);
    const Bytes bytes = random_bytes(MiB, 4);
    TaskGroup stopped(executor), others(executor);
    stopped.spawn(send_log(pair.left, bytes, 1));  // nobody receives: the pipe is full and it waits
    int failed = 0;
    const std::string text = "127.0.0.1:1: a send was stopped inside a frame";
    others.spawn(expect_send_fails(pair.left, sample_tip(), text, failed));
    co_await let_others_run();
    EXPECT_EQ(failed, 0);
    stopped.stop();
    const Result<void> left = co_await stopped.join();
    EXPECT_TRUE(left.ok());
    const Result<void> right = co_await others.join();
    EXPECT_TRUE(right.ok());
    EXPECT_EQ(failed, 1);
  });
}

TEST(FramedConnection, ASendThatIsStoppedBeforeItsTurnLeavesNoTrace) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, 64 * KiB);
    const Bytes bytes = random_bytes(MiB, 5);
    TaskGroup writer(executor), waiter(executor), last(executor);
    writer.spawn(send_log(pair.left, bytes, 1));
    waiter.spawn(send_tips(pair.left, 100, 1));
    last.spawn(send_tips(pair.left, 200, 1));
    co_await let_others_run();
    waiter.stop();
    const Result<void> stopped = co_await waiter.join();
    EXPECT_TRUE(stopped.ok());
    const Result<Message> first = co_await pair.right.receive();
    EXPECT_TRUE(first.ok() && std::holds_alternative<LogData>(*first));
    const Result<Message> second = co_await pair.right.receive();
    EXPECT_TRUE(second.ok() && std::holds_alternative<Tip>(*second));
    if (second.ok()) {
      EXPECT_EQ(std::get<Tip>(*second).sent_at, 200u);
    }
    const Result<void> ended = co_await writer.join();
    EXPECT_TRUE(ended.ok());
    const Result<void> ended_too = co_await last.join();
    EXPECT_TRUE(ended_too.ok());
  });
}

Task<Result<void>> expect_receive_fails(FramedConnection& connection, std::string text, int& failed) {
  const Result<Message> received = co_await connection.receive();
  expect_message(received, text);
  ++failed;
  co_return Result<void>();
}

TEST(FramedConnection, CloseEndsAWaitingReceiveAndAWaitingSend) {
  run([&](Executor executor) -> Task<void> {
    FramedPair pair(executor, 1000);
    const Bytes bytes = random_bytes(MiB, 6);
    LogData log;
    log.generation = {1};
    log.bytes = bytes;
    TaskGroup group(executor);
    int failed = 0;
    const std::string text = "127.0.0.1:1: closed on this side";
    group.spawn(expect_receive_fails(pair.left, text, failed));
    group.spawn(expect_send_fails(pair.left, log, text, failed));
    group.spawn(expect_send_fails(pair.left, sample_tip(), text, failed));
    co_await let_others_run();
    pair.left.close();
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(failed, 3);
  });
}

TEST(FramedConnection, AMessageThatDoesNotDecodeEndsTheConnection) {
  const Bytes body = encode(sample_tip()) + Bytes(1);
  const Fault fault{
      "a byte too many", session, frame_of(5, body, session, 1), 0, ErrorKind::protocol, "message Tip: 1 bytes too many"};
  expect_ends({fault});
}

}  // namespace
}  // namespace ccr::transport
