// What `ccr tune` reads of a host, and what it makes of it.
#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tools/tune_text.h"

namespace ccr::tools::tools_tune_test {
namespace {

using namespace std::chrono_literals;

struct HostNetworkTest : testing::Test {
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "ccr-tune-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root = pattern;
    put("ipv4/tcp_window_scaling", "1\n");
    put("ipv4/tcp_timestamps", "0\n");
    put("ipv4/tcp_rmem", "4096\t131072\t6291456\n");
    put("ipv4/tcp_wmem", "4096\t16384\t4194304\n");
    put("core/rmem_max", "212992\n");
    put("core/wmem_max", "212992\n");
    put("ipv4/tcp_congestion_control", "cubic\n");
    put("ipv4/tcp_available_congestion_control", "reno cubic\n");
    put("ipv4/neigh/default/base_reachable_time_ms", "30000\n");
  }
  void TearDown() override { std::filesystem::remove_all(root); }
  void put(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(root) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::string root;
};

TEST_F(HostNetworkTest, TheKernelsWordsAreRead) {
  const Result<HostNetwork> host = read_host_network(root);
  ASSERT_TRUE(host.ok()) << host.error().message;
  EXPECT_TRUE(host->limits.scaling);
  EXPECT_FALSE(host->limits.timestamps);
  EXPECT_EQ(host->limits.receive_auto_max, 6'291'456u);
  EXPECT_EQ(host->limits.send_auto_max, 4'194'304u);
  EXPECT_EQ(host->limits.receive_asked_max, 212'992u);
  EXPECT_EQ(host->receive_words, "4096 131072 6291456");
  EXPECT_EQ(host->congestion_available, "reno cubic");
}

TEST_F(HostNetworkTest, WhatOnlyTheWholeHostShowsMayBeMissing) {
  std::filesystem::remove(root + "/core/rmem_max");
  ASSERT_TRUE(read_host_network(root).ok());
  EXPECT_EQ(read_host_network(root)->limits.receive_asked_max, 0u);
  std::filesystem::remove_all(root + "/ipv4/neigh");
  ASSERT_TRUE(read_host_network(root).ok());
  EXPECT_EQ(read_host_network(root)->neighbour_reachable_ms, 0u);
}

TEST_F(HostNetworkTest, AMissingOrForeignWordIsNamed) {
  put("ipv4/tcp_rmem", "4096\n");
  EXPECT_EQ(read_host_network(root).error().message, root + "/ipv4/tcp_rmem: expected at least 3 numbers");
  std::filesystem::remove(root + "/ipv4/tcp_rmem");
  EXPECT_EQ(read_host_network(root).error().message, root + "/ipv4/tcp_rmem: No such file or directory");
}

TEST_F(HostNetworkTest, ThisHostCanBeRead) { EXPECT_TRUE(read_host_network().ok()); }

Tuning tuning(std::uint64_t bytes_per_second, Duration round_trip) {
  Tuning made;
  made.path = {bytes_per_second, round_trip, 1500};
  made.plan = transport::plan_window(made.path, 2);
  made.host = {
      {true, true, 212'992, 0, 6'291'456, 4'194'304}, "4096 131072 6291456", "4096 16384 4194304", "cubic", "reno cubic", 30'000};
  return made;
}

TEST(TuneText, ALongLinkNeedsMoreThanTheKernelGives) {
  Tuning far = tuning(125'000'000, 100ms);
  far.log_bytes_per_second = 614'400;
  EXPECT_EQ(tune_text(far),
            "link        1 Gbit/s, round trip 100 ms, MTU 1500: 117.7 MB/s of payload at most\n"
            "in flight   11.9 MiB (bandwidth x round trip)\n"
            "window      23.8 MiB, window scale 9, buffers of 47.7 MiB\n"
            "this host   one connection by itself: window 2.7 MiB at most, 28.0 MB/s, 24 % of the link; 5 connections fill it\n"
            "            congestion control cubic; here too: reno cubic\n"
            "unscaled    655.4 kB/s where either end does not scale its window\n"
            "log         614.4 kB/s want 7.02 Mbit/s of the link, 0.7 % of it\n"
            "reseeding   382.7 GiB in 1 h, 3.0 TiB in 8 h, at 97 % of the payload\n"
            "\n"
            "SETTING                                        HERE                 WANTED\n"
            "net.ipv4.tcp_window_scaling                    1                    enough\n"
            "net.ipv4.tcp_timestamps                        1                    enough\n"
            "net.ipv4.tcp_rmem                              4096 131072 6291456  4096 131072 50000000\n"
            "net.ipv4.tcp_wmem                              4096 16384 4194304   4096 16384 50000000\n"
            "net.core.rmem_max                              212992               25000000\n"
            "net.core.wmem_max                              not shown here       enough\n"
            "net.ipv4.neigh.default.base_reachable_time_ms  30000                enough\n"
            "\n`ccr tune … --sysctl` prints these for /etc/sysctl.d. The other host decides as much: ask it too.\n");
}

TEST(TuneText, TheDropInHasOnlyWhatIsTooSmall) {
  EXPECT_EQ(sysctl_text(tuning(125'000'000, 100ms)),
            "# 1 Gbit/s, round trip 100 ms: a window of 23.8 MiB\n"
            "net.ipv4.tcp_rmem = 4096 131072 50000000\n"
            "net.ipv4.tcp_wmem = 4096 16384 50000000\n"
            "net.core.rmem_max = 25000000\n");
  EXPECT_EQ(sysctl_text(tuning(125'000'000, 200us)),
            "# 1 Gbit/s, round trip 0.2 ms: a window of 64.0 KiB\n# everything here is enough\n");
}

TEST(TuneText, WithoutScalingThatIsTheFirstThingToChange) {
  Tuning far = tuning(125'000'000, 100ms);
  far.host.limits.scaling = false;
  EXPECT_NE(sysctl_text(far).find("net.ipv4.tcp_window_scaling = 1\n"), std::string::npos);
  EXPECT_NE(tune_text(far).find("window 64.0 KiB at most, 655.4 kB/s, 1 % of the link; 180 connections fill it"),
            std::string::npos);
  EXPECT_NE(tune_text(far).find("warning     window scaling is off: at most 64 KiB in flight, 655.4 kB/s per connection at 100 ms, 0.56 % of the "
                                "link\n            sysctl -w net.ipv4.tcp_window_scaling=1, on both hosts\n"),
            std::string::npos);
  EXPECT_EQ(tune_json(far)["warnings"].size(), 1u);
}

TEST(TuneJson, SaysTheSameInNumbers) {
  const nlohmann::json told = tune_json(tuning(125'000'000, 100ms));
  EXPECT_EQ(told["bandwidth_delay_product"], 12'500'000);
  EXPECT_EQ(told["window"], 25'000'000);
  EXPECT_EQ(told["window_scale"], 9);
  EXPECT_EQ(told["here"]["connections"], 5);
  EXPECT_EQ(told["settings"].size(), 7u);
  EXPECT_EQ(told["settings"][2]["enough"], false);
  EXPECT_TRUE(told["log_wire_bytes_per_second"].is_null());
  EXPECT_TRUE(tune_json(tuning(1'250'000'000'000, 100ms))["window_scale"].is_null());
}

}  // namespace
}  // namespace ccr::tools::tools_tune_test
