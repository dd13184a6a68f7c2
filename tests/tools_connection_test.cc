// What status, tune and serve say of windows and of what a connection does without.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/connection_text.h"
#include "tools/path_costs.h"
#include "tools/tcp_setup.h"

namespace ccr::tools::tools_connection_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Lines = std::vector<std::string>;

json connection() {
  return json::parse(R"({"path":"10.77.0.2:64327","tls":"TLS_AES_128_GCM_SHA256","window_asked":0,"window_granted":6291456,
    "window_scale":[11,7],"window_scaling":true,"timestamps":true,"peer_window":3145728,"rtt_seconds":0.1003,
    "delivery_rate":117000000,"retransmits":3,"congestion_asked":"auto","congestion":"bbr","held":null})");
}

TEST(ConnectionText, ASoundConnectionIsToldOnlyInFull) {
  EXPECT_EQ(connection_lines(connection(), Detail::brief), Lines{});
  EXPECT_EQ(connection_lines(connection(), Detail::full),
            Lines{"10.77.0.2:64327: window auto, granted 6.0 MiB, peer's 3.0 MiB, scale 11 here, 7 there; round trip 100 ms, delivers "
                  "117.0 MB/s, 3 retransmits; bbr (auto); TLS_AES_128_GCM_SHA256"});
}

TEST(ConnectionText, AConnectionWithoutScalingIsAWarningWithItsCost) {
  json off = connection();
  off["window_scaling"] = false;
  off["window_asked"] = 1048576;
  EXPECT_EQ(connection_lines(off, Detail::brief),
            Lines{"warning: window scaling is off: at most 64 KiB in flight, 653.4 kB/s per connection at 100 ms: "
                  "sysctl -w net.ipv4.tcp_window_scaling=1, on both hosts"});
  EXPECT_NE(connection_lines(off, Detail::full).front().find("window 1.0 MiB, granted 6.0 MiB, peer's 3.0 MiB, scale off;"),
            std::string::npos);
}

TEST(ConnectionText, ABufferThatMayNotGrowIsAWarningWithTheSetting) {
  json held = connection();
  held["held"] = {{"setting", "net.ipv4.tcp_wmem"}, {"here", 4194304}, {"wanted", 35310000}};
  EXPECT_EQ(connection_lines(held, Detail::brief),
            Lines{"warning: net.ipv4.tcp_wmem is 4.0 MiB and holds this connection back, its next step is 33.7 MiB: ccr tune --rate … "
                  "--rtt … --sysctl says what to set"});
}

TEST(ConnectionText, WhatIsNotKnownIsAQuestionMark) {
  EXPECT_EQ(connection_lines(json(nullptr), Detail::full), Lines{});
  EXPECT_EQ(connection_lines(json::parse(R"({"path":"a","window_scale":[null,"x"],"held":5})"), Detail::full),
            Lines{"a: window ?, granted ?, peer's ?, scale ? here, ? there; round trip ?, delivers ?, ? retransmits; ?"});
}

TEST(ShippedText, SaysWhatTheLogWasAndWhatItTook) {
  const json packed = json::parse(R"({"logical_bytes":104857600,"wire_bytes":10485760,"level":1,"history_bytes":67108864,"reason":"packing it goes faster"})");
  EXPECT_EQ(shipped_lines(packed, Detail::brief), Lines{});
  EXPECT_EQ(shipped_lines(packed, Detail::full),
            Lines{"log 100.0 MiB, on the wire 10.0 MiB (10.0 %); zstd 1 with a history of 64.0 MiB: packing it goes faster"});
  json plain = packed;
  plain["level"] = 0;
  plain["reason"] = "the content does not shrink";
  EXPECT_EQ(shipped_lines(plain, Detail::full), Lines{"log 100.0 MiB, on the wire 10.0 MiB (10.0 %); not packed: the content does not shrink"});
  EXPECT_EQ(shipped_lines(json::parse(R"({"logical_bytes":0,"wire_bytes":700})"), Detail::full), Lines{});
  EXPECT_EQ(shipped_lines(json(nullptr), Detail::full), Lines{});
}

TEST(PathCosts, NothingIsMissingNothingIsSaid) {
  EXPECT_TRUE(path_costs({true, true, 100ms, 117'700'000}).empty());
}

TEST(PathCosts, WithoutScalingTheRoundTripDecides) {
  const std::vector<PathCost> costs = path_costs({false, true, 100ms, 117'700'000});
  ASSERT_EQ(costs.size(), 1u);
  EXPECT_EQ(costs[0].what, "window scaling is off: at most 64 KiB in flight, 655.4 kB/s per connection at 100 ms, 0.56 % of the link");
  EXPECT_EQ(path_costs({false, true, 200us, 117'700'000})[0].what,
            "window scaling is off: at most 64 KiB in flight, 327.7 MB/s per connection at 0.2 ms");
}

TEST(PathCosts, WithoutTimestampsFastLinksReuseSequenceNumbersTooSoon) {
  const std::vector<PathCost> fast = path_costs({true, false, 20ms, 117'700'000});
  ASSERT_EQ(fast.size(), 1u);
  EXPECT_EQ(fast[0].what,
            "timestamps are off: the round trip is measured once in a window only, and at 117.7 MB/s a sequence number returns after "
            "36 s, when an old segment may still be on its way");
  EXPECT_EQ(path_costs({true, false, 20ms, 1'000'000})[0].what,
            "timestamps are off: the round trip is measured once in a window only");
}

TEST(WindowWarning, SaysWhatTheHostGivesWhereThatIsLess) {
  transport::HostLimits limits;
  limits.receive_auto_max = 6 * MiB;
  const transport::BufferPair user{416 * KiB, 416 * KiB};
  const transport::BufferPair root{2048 * MiB, 2048 * MiB};
  EXPECT_EQ(window_warning(0, limits, user), "");
  EXPECT_EQ(window_warning(8 * MiB, limits, root), "");
  EXPECT_EQ(window_warning(2 * MiB, limits, user), "");
  EXPECT_EQ(window_warning(8 * MiB, limits, user),
            "transport.window = 8.0 MiB: this host gives 3.0 MiB (sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608, or "
            "CAP_NET_ADMIN)");
  limits.scaling = false;
  EXPECT_EQ(window_warning(8 * MiB, limits, root),
            "transport.window = 8.0 MiB: window scaling is off on this host, 64 KiB is all it can be (sysctl -w "
            "net.ipv4.tcp_window_scaling=1)");
}

TEST(TcpSetup, OfACongestionControlThatIsNearlyOneOfTheKernels) {
  engine::TransportConfig transport;
  transport.congestion = "renoo";
  const Result<TcpSetup> setup = tcp_setup(transport);
  ASSERT_FALSE(setup.ok());
  EXPECT_EQ(setup.error().kind, ErrorKind::config);
  EXPECT_TRUE(setup.error().message.starts_with("transport.congestion: this kernel has no congestion control 'renoo': it has "));
  EXPECT_EQ(setup.error().hint, "did you mean 'reno'?");
}

}  // namespace
}  // namespace ccr::tools::tools_connection_test
