// The window of real connections over loopback, as their kernel tells it on both ends.
#include <fstream>
#include <functional>
#include <utility>

#include "base/task_group.h"
#include "tests/tcp_pair.h"
#include "tests/transport_samples.h"

namespace ccr::transport::transport_tcp_window_test {
namespace {

Task<Result<void>> write_bytes(Connection& to, ByteView content) {
  const ByteView pieces[] = {content};
  const std::span<const ByteView> all(pieces);
  co_return co_await to.write(all);
}

// Far more than the kernel needs to learn how large segments are, which makes it forget the clamp.
Task<void> cross(Executor executor, Connection& from, Connection& to) {
  const Bytes content = random_bytes(8 * MiB, 3);
  TaskGroup group(executor);
  group.spawn(write_bytes(from, content));
  Bytes room(1 * MiB);
  for (std::size_t read = 0; read < content.size();) {
    const Result<std::size_t> count = co_await to.read_some(room);
    EXPECT_TRUE(count.ok());
    if (!count.ok()) break;
    read += *count;
  }
  const Result<void> written = co_await group.join();
  EXPECT_TRUE(written.ok());
}

void with_ends(TcpSettings settings, std::function<Task<void>(Executor, TcpPair&)> body) {
  run([&](Executor executor) -> Task<void> {
    Result<TcpPair> ends = co_await connect_pair(executor, "127.0.0.1", settings);
    EXPECT_TRUE(ends.ok());
    if (ends.ok()) co_await body(executor, *ends);
  });
}

TcpSettings window_of(std::uint64_t bytes) {
  TcpSettings settings;
  settings.window = bytes;
  return settings;
}

TcpSettings auto_of_distributions() {
  TcpSettings settings;
  settings.limits.receive_auto_max = 6 * MiB;
  settings.limits.send_auto_max = 4 * MiB;
  return settings;
}

void window_is_what_was_asked(std::uint64_t bytes, int scale) {
  with_ends(window_of(bytes), [=](Executor executor, TcpPair& ends) -> Task<void> {
    co_await cross(executor, *ends.client, *ends.server);
    co_await cross(executor, *ends.server, *ends.client);
    for (const Connection* end : {ends.client.get(), ends.server.get()}) {
      const ConnectionFacts facts = end->facts();
      EXPECT_EQ(facts.window_asked, bytes);
      EXPECT_EQ(facts.window_granted, bytes);
      EXPECT_LE(facts.send_window, bytes);
      EXPECT_GT(facts.send_window, 0u);
      EXPECT_EQ(facts.receive_scale, scale);
      EXPECT_EQ(facts.send_scale, scale);
      EXPECT_EQ(facts.scaling, std::optional<bool>(true));
    }
  });
}

bool scales_windows() {
  std::ifstream in("/proc/sys/net/ipv4/tcp_window_scaling");
  int scaling = 0;
  return (in >> scaling) && scaling == 1;
}

// The scale is what the window needs, no more: the SYN was made after the clamp was set.
TEST(TcpWindow, SetByHandIsTheClampAndTheScaleOfBothEnds) {
  if (!scales_windows()) GTEST_SKIP() << "window scaling is off on this host";
  window_is_what_was_asked(64 * KiB, 1);
  window_is_what_was_asked(200 * KiB, 2);
}

TEST(TcpWindow, OfAutoBeginsAsTheKernelsOwn) {
  ConnectionFacts kernel;
  with_ends(TcpSettings(), [&](Executor, TcpPair& ends) -> Task<void> {
    kernel = ends.client->facts();
    co_return;
  });
  with_ends(auto_of_distributions(), [&](Executor, TcpPair& ends) -> Task<void> {
    for (const Connection* end : {ends.client.get(), ends.server.get()}) {
      EXPECT_EQ(end->facts().window_asked, 0u);
      EXPECT_NEAR(double(end->facts().window_granted), double(kernel.window_granted), 4096);
      EXPECT_GE(end->facts().receive_scale, kernel.receive_scale);
      EXPECT_EQ(end->facts().held.setting, nullptr);
    }
    co_return;
  });
}

// Given back to the kernel it must still be tuned, from a scale that was made for more.
TEST(TcpWindow, OfAutoGrowsWithWhatIsReceived) {
  with_ends(auto_of_distributions(), [](Executor executor, TcpPair& ends) -> Task<void> {
    const std::uint64_t before = ends.server->facts().window_granted;
    for (int i = 0; i < 8; ++i) co_await cross(executor, *ends.client, *ends.server);
    EXPECT_GT(ends.server->facts().window_granted, before);
  });
}

TEST(TcpCongestion, IsTheOneThatIsAskedFor) {
  TcpSettings settings;
  settings.congestion = "reno";  // every kernel has it
  with_ends(settings, [](Executor, TcpPair& ends) -> Task<void> {
    for (const Connection* end : {ends.client.get(), ends.server.get()}) {
      EXPECT_EQ(end->facts().congestion, "reno");
      EXPECT_EQ(end->facts().congestion_asked, "reno");
    }
    co_return;
  });
}

TEST(TcpCongestion, OneThatTheKernelHasNotIsRefusedWithThoseItHas) {
  EXPECT_TRUE(try_congestion("reno", "reno cubic").ok());
  const Result<void> tried = try_congestion("noSuchOne", "reno cubic");
  ASSERT_FALSE(tried.ok());
  EXPECT_EQ(tried.error().kind, ErrorKind::config);
  EXPECT_EQ(tried.error().message, "this kernel has no congestion control 'noSuchOne': it has reno cubic");
}

TEST(TcpReach, IsAtLeastADefaultBuffer) {
  const BufferPair reach = reach_of_process();
  EXPECT_GE(reach.send, 16 * KiB);
  EXPECT_GE(reach.receive, 128 * KiB);
}

}  // namespace
}  // namespace ccr::transport::transport_tcp_window_test
