// A seed that is measured, between whole nodes in the simulator: it finds the link that is there, and leaves nothing. Time is virtual.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/measure_json.h"
#include "tests/sim/cluster.h"

namespace ccr::sim::engine_measure_seed_test {
namespace {

using namespace std::chrono_literals;
using engine::ControlRequest;
using nlohmann::json;

TEST(SeedProbeBytes, FillTheTimeWithinBounds) {
  EXPECT_EQ(engine::probe_bytes_for(100e6, 10, 1), 953 * MiB);
  EXPECT_EQ(engine::probe_bytes_for(100e6, 10, 4), 238 * MiB);
  EXPECT_EQ(engine::probe_bytes_for(1e3, 10, 1), 16 * MiB) << "over before it has its speed";
  EXPECT_EQ(engine::probe_bytes_for(100e9, 10, 2), 4 * GiB) << "8 GiB in all";
}

struct Client final : engine::ControlReply {
  Task<Result<void>> progress(json fields) override {
    phase = fields["phase"];
    co_return Result<void>();
  }
  Task<Result<void>> event(json) override { co_return Result<void>(); }
  std::string phase;
  std::optional<Result<json>> answer;
};

class MeasuringASeed : public testing::Test {
 protected:
  MeasuringASeed() {
    options.network.bytes_per_second = 5'000'000;
    options.network.delay_min = options.network.delay_max = 2ms;
    options.network.buffer_bytes = 128 * KiB;
    options.disk.sync_min = options.disk.sync_max = 1ms;
    options.disk.write_min = options.disk.write_max = 100us;
  }
  void start() {
    cluster.emplace(world, options);
    cluster->start_all();
    for (const std::string& name : options.nodes) {
      const auto runs = [&] { return cluster->node(name) != nullptr && cluster->state(name) != "initializing"; };
      ASSERT_EQ(world.run_until(runs, 60s), Ended::reached);
    }
  }
  static Task<Result<void>> asking(engine::Node& node, ControlRequest request, Client& client) {
    client.answer = co_await node.handle(std::move(request), client);
    co_return Result<void>();
  }
  void begin(TaskGroup& group, const json& more, Client& client) {
    json request{{"command", "bench"}, {"kind", "seed"}, {"peer", "beta"}};
    request.update(more);
    Result<ControlRequest> parsed = ControlRequest::parse(request.dump());
    ASSERT_TRUE(parsed.ok());
    group.spawn(asking(*cluster->node("alpha"), std::move(*parsed), client));
  }
  Result<json> ask(const json& more) {
    Client client;
    TaskGroup group(world.executor());
    begin(group, more, client);
    EXPECT_EQ(world.run_until([&] { return group.running() == 0; }, 180s), Ended::reached) << cluster->story();
    return client.answer.value_or(Error{ErrorKind::timeout, "no answer", ""});
  }
  // Names of files that no database has, and space that nobody gave back.
  std::vector<std::string> left_behind() {
    world.run_for(2s);  // the peer hears of the end
    std::vector<std::string> found;
    for (const char* node : {"alpha", "beta"}) {
      const DiskState& disk = cluster->host(node).disk().state();
      if (disk.used_bytes() > 8 * MiB) found.push_back(std::string(node) + ": " + std::to_string(disk.used_bytes() / MiB) + " MiB");
      for (const char* directory : {"/state", "/log"}) {
        const Result<std::vector<storage::DirectoryEntry>> entries = disk.list(directory);
        if (!entries.ok()) continue;
        for (const storage::DirectoryEntry& entry : *entries) {
          if (entry.name.ends_with(".tmp")) found.push_back(std::string(node) + directory + "/" + entry.name);
        }
      }
    }
    return found;
  }

  World world{1};
  ClusterOptions options;
  std::optional<Cluster> cluster;
};

TEST(SeedVerdict, SaysWhereRealSeedsAreHeldToALimit) {
  engine::SeedReport report;
  report.databases.resize(1);
  EXPECT_EQ(engine::seed_verdict({}, report).find("seed_rate"), std::string::npos);
  report.seed_rate = 80'000'000;
  EXPECT_NE(engine::seed_verdict({}, report).find("measured without the limit seed_rate of 80.0 MB/s"), std::string::npos);
}

TEST_F(MeasuringASeed, ASlowLinkIsFoundToLimitIt) {
  start();
  const Result<json> answer = ask({{"bytes", 16 * MiB}, {"seconds", 10}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  const json& result = *answer;
  EXPECT_EQ(result["kind"], "bench_seed");
  EXPECT_EQ(result["together"]["bytes"], 16 * MiB);
  EXPECT_EQ(result["together"]["root_equal"], true);
  EXPECT_GT(result["together"]["wire_bytes"], 16 * MiB);
  EXPECT_EQ(result["verdict"]["limiting_stage"], "link") << result["stages"];
  EXPECT_GT(result["verdict"]["share"].get<double>(), 0.85) << result["stages"];
  EXPECT_LT(result["verdict"]["share"].get<double>(), 1.1) << result["stages"];
  double arrived = 0;
  for (const json& value : result["series"][2]["values"]) arrived += value.get<double>() / 10;
  EXPECT_NEAR(arrived, double(16 * MiB), double(2 * MiB)) << "of all slots but the last";
  EXPECT_EQ(left_behind(), std::vector<std::string>());
  EXPECT_EQ(cluster->node("beta")->measure_turn().connections(), 0);
}

TEST_F(MeasuringASeed, SeveralSideBySideShareTheLink) {
  start();
  const Result<json> answer = ask({{"bytes", 4 * MiB}, {"databases", 3}, {"seconds", 10}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  ASSERT_EQ((*answer)["databases"].size(), 3u);
  for (const json& each : (*answer)["databases"]) {
    EXPECT_EQ(each["root_equal"], true);
    EXPECT_EQ(each["bytes"], 4 * MiB);
    EXPECT_LT(each["bytes_per_second"].get<double>(), 3'000'000);
  }
  EXPECT_GT((*answer)["together"]["bytes_per_second"].get<double>(), 4'000'000);
  EXPECT_EQ(left_behind(), std::vector<std::string>());
}

TEST_F(MeasuringASeed, NothingIsLeftWhereItsClientLeavesOrThePeerDies) {
  start();
  {
    Client client;
    TaskGroup group(world.executor());
    begin(group, {{"bytes", 64 * MiB}}, client);
    ASSERT_EQ(world.run_until([&] { return client.phase.starts_with("a seed of"); }, 120s), Ended::reached);
    group.stop();
    ASSERT_EQ(world.run_until([&] { return group.running() == 0 && cluster->node("beta")->measure_turn().connections() == 0; }, 10s), Ended::reached);
    EXPECT_EQ(left_behind(), std::vector<std::string>());
  }
  Client client;
  TaskGroup group(world.executor());
  begin(group, {{"bytes", 64 * MiB}}, client);
  ASSERT_EQ(world.run_until([&] { return client.phase.starts_with("a seed of"); }, 120s), Ended::reached);
  cluster->host("beta").kill({Damage::process_only, Ordering::ordered});
  ASSERT_EQ(world.run_until([&] { return group.running() == 0; }, 120s), Ended::reached);
  EXPECT_FALSE(client.answer->ok());
  EXPECT_EQ(left_behind(), std::vector<std::string>());
}

TEST_F(MeasuringASeed, WhatCannotBeMeasuredIsToldWithAHint) {
  options.disk.capacity_bytes = 300 * MiB;
  start();
  EXPECT_EQ(ask({{"databases", 9}}).error().message, "expected 1 to 8 databases, found 9");
  EXPECT_EQ(ask({{"bytes", 5 * GiB}, {"databases", 2}}).error().message, "a measurement seeds at most 8 GiB in all");
  EXPECT_EQ(ask({{"peer", "bta"}}).error().hint, "did you mean 'beta'?");
  EXPECT_EQ(ask({{"database", "oders"}}).error().hint, "did you mean 'orders'?");
  const Result<json> large = ask({{"bytes", 200 * MiB}});
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().kind, ErrorKind::no_space);
  EXPECT_EQ(large.error().hint, "measure with less: --bytes");
}

}  // namespace
}  // namespace ccr::sim::engine_measure_seed_test
