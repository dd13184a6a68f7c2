// An active copy whose source is not its own: what the engine makes of commits, losses and breaks of an SQLite file.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/status.h"
#include "tests/scripted_source.h"
#include "tests/sim/cluster.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using storage::test::ScriptedSource;

class SourceOfAnother : public testing::Test {
 protected:
  World world{1};
  ScriptedSource::Model model = ScriptedSource::Model(50, Bytes(ScriptedSource::page_bytes));
  ScriptedSource* source = nullptr;  // of the present life
  int opened = 0;
  std::vector<std::string> states;   // that alpha entered
  Cluster cluster{world, options()};

  SourceOfAnother() {
    cluster.on_event = [this](const std::string& node, const Event& event) {
      if (node != "alpha" || event.name != "state_changed") return;
      for (const auto& [key, value] : event.fields)
        if (key == "to") states.push_back(value);
    };
  }
  ClusterOptions options() {
    ClusterOptions options;
    options.sqlite = [this](engine::NodeContext& context, const engine::DatabaseConfig&, std::optional<storage::SourceCursor>) {
      auto made = std::make_unique<ScriptedSource>(context.executor, context.clock, model, ++opened == 1 ? "first_start" : "wal_gap");
      source = made.get();
      return made;
    };
    return options;
  }
  bool wait_mounted() { return world.run_until([&] { return cluster.state("alpha") == "mounted"; }, 10s) == Ended::reached; }
};

// The record that began is abandoned, and the file's content wins: nothing is damaged, so nobody needs to see the copy dismounted.
TEST_F(SourceOfAnother, ACommitThatBreaksOffIsLostContinuityAndNoDismount) {
  cluster.start_all();
  ASSERT_TRUE(wait_mounted()) << cluster.story();
  world.run_for(2s);
  source->write({3, 4}, std::byte{1});
  world.run_for(1s);
  const CommitNumber before = cluster.active()->tip().commit;
  states.clear();
  model[6].assign(ScriptedSource::page_bytes, std::byte{2});
  source->tear({7, 8, 9, 10});
  ASSERT_TRUE(world.run_until([&] { return opened == 2 && cluster.state("alpha") == "mounted"; }, 500ms) == Ended::reached) << cluster.story();
  world.run_for(1s);
  EXPECT_EQ(states, (std::vector<std::string>{"initializing", "initializing", "mounted"})) << "broken off, then comparing";
  EXPECT_EQ(cluster.active()->tip().commit, before + 1);  // the catch-up; no trace of the torn one
  EXPECT_EQ(cluster.events_of("catch_up").size(), 1u) << cluster.story();
  EXPECT_EQ(cluster.active()->digests().at(7), page_digest(7, model[6]));
}

// Told before its sync, a crash would take back what status and events have said of it.
TEST_F(SourceOfAnother, WhatRejoinsAHistoryIsToldAndServedOnceItIsDurable) {
  struct Told {
    std::string event, commit;
    CommitNumber durable;  // when it was told
  };
  std::vector<Told> told;
  CommitNumber durable_when_mounted = 0;
  const auto record = cluster.on_event;
  cluster.on_event = [&](const std::string& node, const Event& event) {
    record(node, event);
    if (node != "alpha") return;
    const CommitNumber durable = cluster.active() == nullptr ? 0 : cluster.active()->tip().commit;
    if (event.name == "base_marker" || event.name == "catch_up") told.push_back({event.name, event.fields.back().second, durable});
    if (event.name == "state_changed" && states.back() == "mounted") durable_when_mounted = durable;
  };
  cluster.start_all();
  ASSERT_TRUE(wait_mounted()) << cluster.story();
  EXPECT_EQ(durable_when_mounted, 1u);
  world.run_for(1s);
  model[6].assign(ScriptedSource::page_bytes, std::byte{2});
  source->tear({7, 8});
  ASSERT_TRUE(world.run_until([&] { return opened == 2 && cluster.state("alpha") == "mounted"; }, 10s) == Ended::reached) << cluster.story();
  EXPECT_EQ(durable_when_mounted, 2u);
  ASSERT_EQ(told.size(), 2u) << cluster.story();
  EXPECT_EQ(told[0].event, "base_marker");
  EXPECT_EQ(told[0].commit, "1");
  EXPECT_EQ(told[0].durable, 1u);
  EXPECT_EQ(told[1].event, "catch_up");
  EXPECT_EQ(told[1].commit, "2");
  EXPECT_EQ(told[1].durable, 2u);
}

TEST_F(SourceOfAnother, TheLagOfACopyCountsWhatIsNotCapturedYet) {
  cluster.start_all();
  ASSERT_TRUE(wait_mounted()) << cluster.story();
  cluster.request_seed("beta");
  ASSERT_TRUE(world.run_until([&] { return cluster.state("beta") == "healthy"; }, 60s) == Ended::reached) << cluster.story();
  world.run_for(5s);
  const auto lag = [&] {
    const ClockState told;
    SimClock clock(world, told);
    const nlohmann::json status = engine::status_of(*cluster.node("alpha"), clock, "orders", "beta");
    return status["databases"][0]["copies"][0]["lag_seconds"].get<double>();
  };
  EXPECT_LT(lag(), 1.0);
  source->told.uncaptured_bytes = 300 * MiB;
  source->told.lag_seconds = 40;
  EXPECT_GE(lag(), 40.0);
}

}  // namespace
}  // namespace ccr::sim
