// Packed log between whole nodes: it arrives, costs less, survives cuts, and gives its memory back when nobody writes.
#include <gtest/gtest.h>

#include "engine/log_sender.h"
#include "tests/two_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

ClusterOptions with_compression(std::string compression, std::uint64_t memory) {
  ClusterOptions options;
  options.compression = std::move(compression);
  options.compression_memory_bytes = memory;
  return options;
}

class PackedNodes : public TwoNodes {
 protected:
  explicit PackedNodes(ClusterOptions options = with_compression("zstd:1", 64 * MiB)) : TwoNodes(std::move(options)) {}

  const engine::CopyFacts& facts() { return cluster.node("alpha")->find(Cluster::database)->copies->of("beta"); }
};

class AutomaticNodes : public PackedNodes {
 protected:
  AutomaticNodes() : PackedNodes(with_compression("auto", 64 * MiB)) {}
};

class NodesWithoutMemory : public PackedNodes {
 protected:
  NodesWithoutMemory() : PackedNodes(with_compression("zstd:1", MiB)) {}
};

// Each commit fills up its last block of 4 KiB with zeros: a log of small commits shrinks whatever their pages hold.
TEST_F(PackedNodes, ACopyFollowsByFewerBytesThanTheLogHas) {
  seed();
  const std::uint64_t log_before = facts().shipped_bytes, wire_before = facts().wire_bytes;
  write(500);
  ASSERT_TRUE(drain());
  EXPECT_EQ(facts().packing.level, 1);
  EXPECT_EQ(facts().packing.history_bytes, 16 * MiB);
  EXPECT_LT(facts().wire_bytes - wire_before, (facts().shipped_bytes - log_before) * 8 / 10);
  expect_equal();
}

TEST_F(PackedNodes, BothEndsCountTheSameLog) {
  seed();
  write(200);
  ASSERT_TRUE(drain());
  EXPECT_GT(facts().shipped_bytes, 0u);
  EXPECT_EQ(facts().shipped_bytes, cluster.passive("beta")->log_bytes_received());
  EXPECT_LT(cluster.passive("beta")->wire_bytes_received(), cluster.passive("beta")->log_bytes_received());
}

TEST_F(PackedNodes, AStreamThatRestsGivesItsHistoryBackAndTheNextCommitBeginsAnother) {
  seed();
  write(50);
  ASSERT_TRUE(drain());
  ASSERT_GT(facts().packing.history_bytes, 0u);
  world.run_for(engine::LogSender::rest_max + 3s);
  EXPECT_EQ(facts().packing.history_bytes, 0u);
  EXPECT_EQ(cluster.node("alpha")->histories().bytes_held(), 0u);
  EXPECT_EQ(cluster.node("beta")->histories().bytes_held(), 0u);
  write(50);
  world.run_for(1s);
  write(50);
  ASSERT_TRUE(drain());
  EXPECT_GT(facts().packing.history_bytes, 0u);
  EXPECT_GT(cluster.node("beta")->histories().bytes_held(), 0u);
  expect_equal();
}

TEST_F(PackedNodes, AConnectionThatIsCutAtAnyByteBeginsItsStreamAnew) {
  seed();
  for (int round = 0; round < 20; ++round) {
    write(20);
    cluster.network().cut(cluster.host("alpha").host(), cluster.host("beta").host());
  }
  ASSERT_TRUE(wait_for("beta", "healthy"));
  write(20);
  ASSERT_TRUE(drain());
  EXPECT_LE(cluster.node("alpha")->histories().bytes_held(), transport::packing_bytes(1, 24));
  expect_equal();
}

TEST_F(PackedNodes, NodesThatAreKilledComeBackAlone) {
  seed();
  for (int round = 0; round < 6; ++round) {
    write(40);
    cluster.host(round % 2 == 0 ? "alpha" : "beta").kill({Damage::process_only, Ordering::ordered});
    world.run_for(500ms);
    cluster.host(round % 2 == 0 ? "alpha" : "beta").start();
    ASSERT_TRUE(wait_for("alpha", "mounted"));
  }
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(AutomaticNodes, PackAtTheTail) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  EXPECT_EQ(facts().packing.level, 1);
  EXPECT_LT(facts().wire_bytes, facts().shipped_bytes);
  expect_equal();
}

TEST_F(NodesWithoutMemory, ShipLogAsItIs) {
  seed();
  write(300);
  ASSERT_TRUE(drain());
  EXPECT_EQ(facts().packing.level, 0);
  EXPECT_EQ(facts().packing.history_bytes, 0u);
  EXPECT_GT(facts().wire_bytes, facts().shipped_bytes);
  expect_equal();
}

}  // namespace
}  // namespace ccr::sim
