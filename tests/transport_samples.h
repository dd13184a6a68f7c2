// One message of each type with every field set to something else than its default, and a runner for tasks.
#pragma once

#include <algorithm>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "base/random.h"
#include "base/task.h"
#include "transport/messages.h"

namespace ccr::transport {

inline constexpr std::chrono::seconds test_seconds_max{60};

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
  context.run_for(test_seconds_max);
  EXPECT_TRUE(ended);
}

template <class T>
void expect_kind(const Result<T>& result, ErrorKind kind) {
  EXPECT_FALSE(result.ok());
  if (!result.ok()) {
    EXPECT_STREQ(name_of(result.error().kind), name_of(kind));
  }
}

template <class T>
void expect_message(const Result<T>& result, const std::string& message) {
  EXPECT_FALSE(result.ok());
  if (!result.ok()) {
    EXPECT_EQ(result.error().message, message);
  }
}

// Lets every task that can go on do so; enough turns for a frame to fill a pipe.
inline Task<void> let_others_run() {
  const Executor executor = co_await asio::this_coro::executor;
  constexpr int turns = 64;
  for (int i = 0; i < turns; ++i) co_await asio::post(executor, asio::use_awaitable);
}

inline Digest128 digest_of(unsigned char byte) {
  Digest128 digest;
  digest.bytes.fill(std::byte{byte});
  return digest;
}

inline Signature sample_signature() {
  Signature signature;
  for (std::size_t i = 0; i < signature.bytes.size(); ++i) signature.bytes[i] = std::byte(i);
  return signature;
}

inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = std::byte(random.next());
  return bytes;
}

inline Hello sample_hello() {
  Hello hello;
  hello.cluster = "lab";
  hello.from_node = "beta";
  hello.to_node = "alpha";
  hello.database = "orders";
  hello.kind = "sqlite";
  hello.address = "10.77.0.1:64327";
  hello.session = 0x1122334455667788;
  hello.signature = sample_signature();
  hello.epoch = 3;
  hello.chain = {{{5}, 12288, digest_of(0xaa)}, {{4}, 0, digest_of(0xbb)}};
  hello.wanted = {{5}, 12288};
  return hello;
}

inline Tip sample_tip() {
  Tip tip;
  tip.durable = {{5}, 16384};
  tip.commit = 77;
  tip.page_count = 1000;
  tip.root = 0x0102030405060708;
  tip.root_known = true;
  tip.epoch = 3;
  tip.wall = {1'700'000'000'000'000'000};
  tip.sent_at = 42;
  return tip;
}

inline Watermarks sample_watermarks() {
  Watermarks marks;
  marks.received = {{5}, 20480};
  marks.durable = {{5}, 16384};
  marks.inspected = {{5}, 12288};
  marks.replayed = {{5}, 8192};
  marks.replayed_commit = 70;
  marks.state = "healthy";
  marks.cause = "log flows";
  marks.comment = "none";
  marks.hint = "ccr status";
  marks.root_equal_at = {{4}, 4096};
  marks.root_equal = 0xfedcba9876543210;
  marks.disk_verified_at = {1'700'000'001'000'000'000};
  marks.echo = 42;
  marks.echo_of_data = 41;
  marks.replay_queue_ns = 1'500'000;
  marks.seed_sent = 1, marks.seed_equal = 2, marks.seed_wire_bytes = 3, marks.seed_done_bytes = 4, marks.seed_total_bytes = 5,
  marks.seed_rate = 6;
  marks.seed_running = true;
  marks.seed_image_bytes = 7;
  marks.history_stream = 2;
  marks.history_log = 26;
  return marks;
}

// `tail` must outlive the result.
inline std::vector<Message> sample_messages(const Bytes& tail) {
  const ByteView view(tail);
  Welcome welcome{1, "alpha", 7, sample_signature(), 3, 4096, MiB, Verdict::forked, {5}, {2}, {{9}, 8192}, 123, true};
  Refuse refuse{RefuseReason::epoch, "epoch 7 is above 5", "ccr status"};
  LogData log{{5}, 8192, view};
  SeedOffer offer{{{5}, 4096}, 60, 1000, 4096, true};
  ExtentPages pages{3, {{5}, 8192}, 1000, 769, view, true};
  MeasureAsk ask{MeasureStep::send, 5, 1000, 6, 65'536, 7, MeasureCongestion::bbr, "orders"};
  LogPacked packed;
  packed.generation = {5};
  packed.offset = 8192;
  packed.step = LogPacked::Step::fresh;
  packed.history_log = 26;
  packed.stream = 2;
  packed.raw_bytes = 65536;
  packed.packed = view;
  ExtentPacked shrunk{3, {{5}, 8192}, 1000, 769, 65536, view, true};
  VerifyAnswer verify{3, {{5}, 8192}, 70, 1000, {1, 2, 3}, {1, 2, 4}};
  RolesTold roles{{{"orders", sample_signature(), 4, "beta", true, false, true, {{6}, 8192}, 90, {{5}, 4096}, 3, WallTime{1}, "app", "users", "a:label", 0640}, {"mail", {}, 0, "alpha", false, true, false, {}, 0, {}, 0, {}, {}, {}, {}, 0}}, true, WallTime{1'700'000'000'000'000'000}, 0x1122334455667788};
  return {sample_hello(),
          welcome,
          refuse,
          log,
          sample_tip(),
          sample_watermarks(),
          SeedOpen{{{5}, 4096}},
          offer,
          ExtentDigestsAsk{1, 65'536},
          ExtentDigests{1, {10, 11, 12}},
          PageDigestsAsk{3},
          PageDigestList{3, {20, 21}},
          ExtentAsk{3, Bytes(32, std::byte{0x81})},
          pages,
          SeedFinish{},
          SeedEnd{{{6}, 4096}, 90},
          SeedRelease{},
          VerifyAsk{3},
          verify,
          ask,
          MeasureData{9, view},
          MeasureEnd{1, 2, 3, {4, 5, 6, 7, 8, 9, 10}, "cubic", 11, {12, 13}},
          packed,
          shrunk,
          PathBeat{7},
          PageAsk{7, 0x1122334455667788},
          PageAnswer{7, PageAnswer::Standing::same, {{5}, 8192}, view.first(std::min<std::size_t>(view.size(), 4096))},
          roles,
          HandoverAsk{HandoverStep::prepare, "orders", 5, "beta", {{6}, 8192}, 90, 0x1122334455667788, true},
          HandoverAnswer{true, "it is", "ccr status", {{6}, 8192}, 90}};
}

}  // namespace ccr::transport
