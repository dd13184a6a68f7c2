// Measurements between whole nodes in the simulator, whose link and disk are known, so that what is found can be held against what
// is there. Time is virtual.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/measure_stream.h"
#include "engine/ship_verdict.h"
#include "engine/tune_measurement.h"
#include "tests/sim/cluster.h"

namespace ccr::sim::engine_measure_test {
namespace {

using namespace std::chrono_literals;
using engine::ControlRequest;
using engine::StreamCounter;
using nlohmann::json;

constexpr Instant at(Duration since) { return Instant{} + since; }

TEST(StreamCounter, TheRateIsThatBehindTheWarmUp) {
  StreamCounter counter(at(5s), 5s);
  counter.add(at(5s), 100);
  counter.add(at(5500ms), 100);
  counter.add(at(6s), 100);  // the last of the warm-up
  counter.add(at(7s), 1000);
  counter.add(at(8s), 1000);
  counter.add(at(10001ms), 5000);  // behind the time: out of the buffers
  const transport::MeasureEnd counted = counter.counted();
  EXPECT_EQ(counted.bytes, 2000u);
  EXPECT_EQ(counted.nanoseconds, 4'000'000'000u) << "from 6 s to 10 s, whenever messages came";
  ASSERT_EQ(counted.slots.size(), 51u);
  EXPECT_EQ(counted.slots[0], 100u);
  EXPECT_EQ(counted.slots[5], 100u);
  EXPECT_EQ(counted.slots[30], 1000u);
  EXPECT_EQ(counter.total(), 7300u);
}

TEST(StreamCounter, AShortStreamIsCountedFromItsFirstMessage) {
  StreamCounter counter(at(5s), 5s);
  counter.add(at(5s), 100);
  counter.add(at(5100ms), 200);
  EXPECT_EQ(counter.counted().bytes, 200u);
  EXPECT_EQ(counter.counted().nanoseconds, 100'000'000u);
}

TEST(StreamCounter, OneMessageHasNoRate) {
  StreamCounter counter(at(5s), 1s);
  EXPECT_EQ(counter.counted().nanoseconds, 0u);
  counter.add(at(5s), 100);
  EXPECT_EQ(counter.counted().bytes, 0u);
  EXPECT_EQ(counter.counted().nanoseconds, 0u);
}

struct Client final : engine::ControlReply {
  Task<Result<void>> progress(json fields) override {
    progress_lines.push_back(std::move(fields));
    co_return Result<void>();
  }
  Task<Result<void>> event(json) override { co_return Result<void>(); }
  std::vector<json> progress_lines;
  std::optional<Result<json>> answer;
};

class Measuring : public testing::Test {
 protected:
  static constexpr std::uint64_t link_bytes_per_second = 5'000'000;

  Measuring() {
    options.network.bytes_per_second = link_bytes_per_second;
    options.network.delay_min = options.network.delay_max = 2ms;
  }
  Cluster& start() {
    cluster.emplace(world, options);
    cluster->start_all();
    for (const std::string& name : options.nodes) {
      const auto runs = [&] { return cluster->node(name) != nullptr && cluster->state(name) != "initializing"; };
      EXPECT_EQ(world.run_until(runs, 60s), Ended::reached);
    }
    return *cluster;
  }
  Task<Result<void>> asking(engine::Node& node, ControlRequest request, Client& client) {
    client.answer = co_await node.handle(std::move(request), client);
    co_return Result<void>();
  }
  void begin(TaskGroup& group, const std::string& node, const json& request, Client& client) {
    Result<ControlRequest> parsed = ControlRequest::parse(request.dump());
    ASSERT_TRUE(parsed.ok());
    group.spawn(asking(*cluster->node(node), std::move(*parsed), client));
  }
  Result<json> ask(const std::string& node, const json& request) {
    Client client;
    TaskGroup group(world.executor());
    begin(group, node, request, client);
    EXPECT_EQ(world.run_until([&] { return group.running() == 0; }, 120s), Ended::reached) << cluster->story();
    return client.answer.value_or(Error{ErrorKind::timeout, "no answer", ""});
  }
  void expect_refused(const json& request, ErrorKind kind, const std::string& message, const std::string& hint) {
    const Result<json> answer = ask("beta", request);
    ASSERT_FALSE(answer.ok());
    EXPECT_STREQ(name_of(answer.error().kind), name_of(kind));
    EXPECT_EQ(answer.error().message, message);
    EXPECT_EQ(answer.error().hint, hint);
  }

  World world{1};
  ClusterOptions options;
  std::optional<Cluster> cluster;
};

TEST_F(Measuring, TheLinkIsFoundAsItIs) {
  options.network.buffer_bytes = 128 * KiB;  // what four streams have in flight is little of what a run carries
  start();
  const Result<json> answer = ask("beta", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 12}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  const json& result = *answer;
  EXPECT_EQ(result["kind"], "bench_link");
  EXPECT_EQ(result["node"], "beta");
  EXPECT_EQ(result["peer"], "alpha");
  ASSERT_EQ(result["runs"].size(), 6u);
  for (const json& run : result["runs"]) {
    EXPECT_NEAR(run["bytes_per_second"].get<double>(), double(link_bytes_per_second), double(link_bytes_per_second) * 0.05) << run;
    EXPECT_EQ(run["connections"].size(), run["streams"].get<std::size_t>());
  }
  const json& round_trip = result["percentiles"].at(0);
  EXPECT_EQ(round_trip["name"], "round trip");
  EXPECT_NEAR(round_trip["p50"].get<double>(), 4000, 200);  // 2 ms each way
  EXPECT_GT(round_trip["count"], 50);
  ASSERT_EQ(result["series"].size(), 6u);
  EXPECT_GE(result["series"][0]["values"].size(), 5u);
  EXPECT_EQ(result["limits"].size(), 2u);
  EXPECT_EQ(cluster->events_of("measurement_served").size(), 1u) << cluster->story();
}

TEST_F(Measuring, AWindowThatIsSmallerThanThePathHoldsOneStreamBackAndNotSeveral) {
  options.network.buffer_bytes = 8 * KiB;  // 8 KiB in 4 ms: 2 MB/s
  start();
  const Result<json> answer =
      ask("beta", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 6}, {"streams", 4}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  ASSERT_EQ((*answer)["runs"].size(), 4u);
  const auto rate = [&](std::size_t run) { return (*answer)["runs"][run]["bytes_per_second"].get<double>(); };
  EXPECT_LT(rate(0), 2'100'000);
  EXPECT_GT(rate(2), 2 * rate(0));
  EXPECT_EQ((*answer)["runs"][2]["streams"], 4);
}

TEST_F(Measuring, ANodeTakesPartInOneMeasurementAtATime) {
  options.nodes = {"alpha", "beta", "gamma"};
  start();
  Client first;
  TaskGroup group(world.executor());
  begin(group, "beta", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 6}}, first);
  world.run_for(3s);
  const Result<json> second = ask("gamma", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 6}});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::busy);
  EXPECT_EQ(second.error().message, "alpha: a measurement of beta runs there");
  const Result<json> own = ask("alpha", {{"command", "bench"}, {"kind", "link"}, {"peer", "gamma"}, {"seconds", 6}});
  ASSERT_FALSE(own.ok());
  EXPECT_EQ(own.error().kind, ErrorKind::busy);
  ASSERT_EQ(world.run_until([&] { return group.running() == 0; }, 60s), Ended::reached);
  EXPECT_TRUE(first.answer->ok());
  EXPECT_GT(first.progress_lines.size(), 5u);
  const Result<json> third = ask("gamma", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 1}});
  EXPECT_TRUE(third.ok()) << third.error().message;
}

TEST_F(Measuring, AMeasurementEndsOnBothSidesWhenItsClientLeaves) {
  start();
  Client client;
  TaskGroup group(world.executor());
  begin(group, "beta", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 60}}, client);
  const auto runs = [&] { return cluster->node("alpha")->measure_turn().connections() > 1; };
  ASSERT_EQ(world.run_until(runs, 60s), Ended::reached);
  group.stop();
  const auto over = [&] {
    return group.running() == 0 && cluster->node("alpha")->measure_turn().connections() == 0 &&
           cluster->node("beta")->measure_turn().connections() == 0;
  };
  EXPECT_EQ(world.run_until(over, 2s), Ended::reached);
  EXPECT_FALSE(client.answer.has_value());
}

TEST_F(Measuring, APeerThatIsLostIsNotTakenPartWithForLongerThanItsLife) {
  start();
  Client client;
  TaskGroup group(world.executor());
  begin(group, "beta", {{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}, {"seconds", 60}}, client);
  ASSERT_EQ(world.run_until([&] { return cluster->node("alpha")->measure_turn().connections() > 1; }, 60s), Ended::reached);
  cluster->network().partition(cluster->host("alpha").host(), cluster->host("beta").host());
  EXPECT_EQ(world.run_until([&] { return cluster->node("alpha")->measure_turn().connections() == 0; }, 91s), Ended::reached);
  EXPECT_EQ(world.run_until([&] { return group.running() == 0; }, 10s), Ended::reached);
  ASSERT_TRUE(client.answer.has_value());
  EXPECT_FALSE(client.answer->ok());
}

TEST_F(Measuring, WhatCannotBeMeasuredIsToldWithAHint) {
  start();
  const auto link = [](const json& more) {
    json request{{"command", "bench"}, {"kind", "link"}, {"peer", "alpha"}};
    request.update(more);
    return request;
  };
  expect_refused(link({{"peer", "alpa"}}), ErrorKind::not_found, "the configuration has no node 'alpa'", "did you mean 'alpha'?");
  expect_refused(link({{"peer", "beta"}}), ErrorKind::usage, "this is node beta: the peer is another one", "such as --peer alpha");
  expect_refused(link({{"peer", ""}}), ErrorKind::usage, "no peer is named", "such as --peer alpha");
  expect_refused(link({{"seconds", 61}}), ErrorKind::usage, "a measurement takes 1 to 60 s, not 61",
                 "it takes what copying would have: ccr load has no such limit");
  expect_refused(link({{"streams", 9}}), ErrorKind::usage, "expected 1 to 8 streams, found 9", "");
  expect_refused(link({{"congestion", "vegas"}}), ErrorKind::usage, "a measurement tries cubic, bbr or reno, not 'vegas'", "");
  expect_refused(link({{"kind", "lnk"}}), ErrorKind::usage, "no bench is called 'lnk'", "link, log, ship or seed");
  cluster->host("alpha").kill({Damage::process_only, Ordering::ordered});
  const Result<json> answer = ask("beta", link(json::object()));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::unreachable);
}

// --- the disk of the log ---

TEST_F(Measuring, TheDisksAreFoundAsTheyAreAndNothingIsLeftOnThem) {
  options.disk.sync_min = options.disk.sync_max = 1ms;
  options.disk.write_min = options.disk.write_max = 100us;
  start();
  const Result<json> answer = ask("beta", {{"command", "bench"}, {"kind", "log"}, {"peer", "alpha"}, {"seconds", 2}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  const json& rows = (*answer)["rows"];
  ASSERT_EQ(rows.size(), 8u);
  EXPECT_EQ((*answer)["directory"], "/log");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i]["node"], i % 2 == 0 ? "beta" : "alpha");
    const double block = rows[i]["block_bytes"].get<double>();
    const double seconds = 0.0011 + block / 1e9;  // of one write and its sync
    EXPECT_NEAR(rows[i]["bytes_per_second"].get<double>(), block / seconds, block / seconds * 0.02) << rows[i];
    EXPECT_NEAR((*answer)["percentiles"][i]["p50"].get<double>(), seconds * 1e6, seconds * 1e6 * 0.04) << rows[i];
  }
  EXPECT_EQ((*answer)["limits"][0]["bytes_per_second"], rows[6]["bytes_per_second"]) << "4 MiB at once give most";
  for (const char* node : {"alpha", "beta"}) {
    for (const char* directory : {"/state", "/log"})
      EXPECT_FALSE(cluster->host(node).disk().rot(std::string(directory) + "/probe.tmp"));
  }
}

TEST_F(Measuring, ADiskWithLittleSpaceIsNotMeasured) {
  options.disk.capacity_bytes = 100 * MiB;
  start();
  const Result<json> here = ask("beta", {{"command", "bench"}, {"kind", "log"}, {"seconds", 4}});
  ASSERT_FALSE(here.ok());
  EXPECT_EQ(here.error().kind, ErrorKind::no_space);
  EXPECT_NE(here.error().message.find("MiB free, a measurement wants 256"), std::string::npos) << here.error().message;
}

// --- the whole pipe ---

class MeasuringThePipe : public Measuring {
 protected:
  MeasuringThePipe() {
    options.disk.sync_min = options.disk.sync_max = 1ms;
    options.disk.write_min = options.disk.write_max = 100us;
  }
  void seed() {
    start();
    Random random(7);
    for (PageNumber page = 1; page <= 50; ++page) ASSERT_TRUE(cluster->commit(random, {page}));
    cluster->request_seed("beta");
    ASSERT_EQ(world.run_until([&] { return cluster->state("beta") == "healthy"; }, 60s), Ended::reached) << cluster->story();
    world.run_for(2s);  // and the active node has heard so
  }
  const json ship{{"command", "bench"}, {"kind", "ship"}, {"peer", "beta"}, {"seconds", 5}};
};

TEST_F(MeasuringThePipe, ASlowLinkIsFoundToLimitIt) {
  seed();
  const Result<json> answer = ask("alpha", ship);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  const json& result = *answer;
  EXPECT_EQ(result["kind"], "bench_ship");
  EXPECT_EQ(result["database"], "orders");
  EXPECT_EQ(result["verdict"]["limiting_stage"], "link") << result["stages"];
  EXPECT_EQ(result["verdict"]["slower_limit"], "link");
  EXPECT_GT(result["verdict"]["share"].get<double>(), 0.85) << result["stages"];
  EXPECT_LT(result["verdict"]["share"].get<double>(), 1.1) << result["stages"];
  EXPECT_GE(result["per_second"].size(), 2u);
  EXPECT_EQ(result["many_clients"]["unfinished"], 0);
  EXPECT_GT(result["many_clients"]["log_bytes"], result["many_clients"]["page_bytes"]);
  const json& bare = result["percentiles"][0];
  EXPECT_NEAR(bare["p50"].get<double>(), 7050, 300);  // two writes and syncs, 4 ms of round trip, 4 KiB at 5 MB/s
  EXPECT_GT(result["one_client"]["commits"], 100);
  EXPECT_GE(result["verdict"]["one_client_over_bare"].get<double>(), 0.9);
}

TEST_F(MeasuringThePipe, ALoadThatIsHeldToARateFindsNoLimit) {
  seed();
  json request = ship;
  request["rate_bytes_per_second"] = 500'000;
  const Result<json> answer = ask("alpha", request);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_TRUE((*answer)["verdict"]["limiting_stage"].is_null()) << (*answer)["stages"];
  EXPECT_LT((*answer)["verdict"]["share"].get<double>(), 0.4);
}

TEST_F(MeasuringThePipe, ItsLoadEndsWhenItsClientLeaves) {
  seed();
  Client client;
  TaskGroup group(world.executor());
  begin(group, "alpha", ship, client);
  const auto loading = [&] { return !client.progress_lines.empty() && client.progress_lines.back()["phase"] == "64 clients"; };
  ASSERT_EQ(world.run_until(loading, 60s), Ended::reached);
  group.stop();
  ASSERT_EQ(world.run_until([&] { return group.running() == 0; }, 2s), Ended::reached);
  world.run_for(2s);
  const CommitNumber commit = cluster->active()->tip().commit;
  world.run_for(2s);
  EXPECT_EQ(cluster->active()->tip().commit, commit);
  EXPECT_EQ(cluster->node("alpha")->measure_turn().connections(), 0);
}

TEST_F(MeasuringThePipe, WhatCannotBeShippedIsToldWithAHint) {
  start();
  world.run_for(2s);  // alpha hears what beta is
  const auto refusal = [this](const std::string& node, const json& more) {
    json request = ship;
    request.update(more);
    const Result<json> answer = ask(node, request);
    return answer.ok() ? Error{ErrorKind::usage, "it was measured", ""} : answer.error();
  };
  EXPECT_EQ(refusal("alpha", json::object()).message, "orders@beta is needs_seed, and a commit would not become durable there");
  EXPECT_EQ(refusal("alpha", json::object()).hint, "ccr wait orders@beta --for healthy");
  EXPECT_EQ(refusal("beta", {{"peer", "alpha"}}).message, "no database of kind \"pages\" is active on beta");
  EXPECT_EQ(refusal("beta", {{"peer", "alpha"}, {"database", "orders"}}).message, "the active copy of orders is on alpha");
  EXPECT_EQ(refusal("alpha", {{"database", "ordrs"}}).hint, "did you mean 'orders'?");
  EXPECT_EQ(refusal("alpha", {{"seconds", 2}}).message, "the whole pipe takes 5 to 60 s, not 2");
  EXPECT_EQ(refusal("alpha", {{"clients", 500}}).message, "a load has 1 to 256 clients");
}

TEST(ShipVerdict, TheStageWithTheGreatestShareLimits) {
  engine::ShipStages stages;
  stages.carriers = {{"link", 90, 100}, {"disk of alpha", 90, 300}, {"disk of beta", 90, 95}};
  stages.processors = {{"processor of alpha", 0.8, 1}, {"processor of beta", -1, 1}};
  EXPECT_EQ(stages.slowest()->name, "disk of beta");
  EXPECT_EQ(stages.limiting()->name, "disk of beta");
  stages.processors[0].used = 0.99;
  EXPECT_EQ(stages.limiting()->name, "processor of alpha");
  EXPECT_EQ(stages.slowest()->name, "disk of beta");
}

TEST(ShipVerdict, WhereNoStageIsBusyNoneLimits) {
  engine::ShipStages stages;
  stages.carriers = {{"link", 50, 100}, {"disk of alpha", 50, 0}};
  EXPECT_EQ(stages.limiting(), nullptr);
  EXPECT_EQ(stages.slowest()->name, "link") << "an unknown limit is none";
  EXPECT_EQ(engine::ShipStages{}.slowest(), nullptr);
}

// --- tune ---

engine::LinkRun run_of(std::uint64_t bytes_per_second, const std::string& congestion, int streams = 1, std::uint64_t window = 0) {
  engine::LinkRun run;
  run.bytes_per_second = bytes_per_second;
  run.congestion = congestion;
  run.streams = streams;
  run.connections.emplace_back();
  run.connections.back().window_asked = window;
  return run;
}

TEST(TuneAdvice, WhatCarriesLittleMoreIsNotAdvised) {
  engine::TuneDirection measured;
  measured.before = run_of(100, "cubic");
  measured.tried = {run_of(99, "cubic"), run_of(114, "bbr"), run_of(60, "reno")};
  measured.several = run_of(114, "cubic", 4);
  EXPECT_FALSE(decide_tuning(measured, 20ms, 2).changes());
  EXPECT_EQ(measured.limit(), 114u);
}

TEST(TuneAdvice, TheBestCongestionControlAndStreamsBeyondItAreAdvised) {
  engine::TuneDirection measured;
  measured.before = run_of(100, "cubic");
  measured.tried = {run_of(120, "cubic"), run_of(900, "bbr"), run_of(150, "reno")};
  measured.several = run_of(400, "cubic", 4);
  EXPECT_EQ(decide_tuning(measured, 20ms, 2).congestion, transport::MeasureCongestion::bbr);
  EXPECT_EQ(decide_tuning(measured, 20ms, 2).streams, 1) << "four of another carried less than one of it";
  measured.several = run_of(1100, "cubic", 4);
  EXPECT_EQ(decide_tuning(measured, 20ms, 2).streams, 4);
}

TEST(TuneAdvice, WhatCarriesNoMoreWhenItIsMeasuredAgainIsNotProven) {
  engine::TuneDirection measured;
  measured.before = measured.after = run_of(100, "cubic");
  EXPECT_TRUE(measured.proven()) << "nothing was advised";
  measured.advice.streams = 4;
  EXPECT_FALSE(measured.proven());
  measured.after = run_of(105, "cubic", 4);
  EXPECT_TRUE(measured.proven());
}

TEST(TuneAdvice, AWindowByHandThatIsTooSmallIsWidened) {
  engine::TuneDirection measured;
  measured.before = run_of(10'000'000, "cubic", 1, 64 * KiB);
  measured.several = run_of(40'000'000, "cubic", 4, 64 * KiB);
  EXPECT_EQ(decide_tuning(measured, 20ms, 2).window, 1'600'000u);  // 40 MB/s x 20 ms x 2
  measured.before.connections.front().window_asked = 8 * MiB;
  EXPECT_EQ(decide_tuning(measured, 20ms, 2).window, 0u);
  measured.before.connections.front().window_asked = 0;
  EXPECT_EQ(decide_tuning(measured, 20ms, 2).window, 0u) << "auto is wide by itself";
}

TEST_F(Measuring, TuneAdvisesStreamsWhereAWindowHoldsOneBackAndProvesIt) {
  options.network.buffer_bytes = 8 * KiB;  // 2 MB/s of 5
  start();
  const Result<json> answer = ask("beta", {{"command", "tune"}, {"peer", "alpha"}, {"seconds", 12}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  ASSERT_EQ((*answer)["advice"].size(), 2u);
  for (const json& advice : (*answer)["advice"]) {
    EXPECT_EQ(advice["streams"], 4) << advice;
    EXPECT_TRUE(advice["congestion"].is_null()) << "the simulated network has none to choose from";
    EXPECT_GT(advice["after_bytes_per_second"].get<double>(), 2 * advice["before_bytes_per_second"].get<double>());
  }
  EXPECT_EQ((*answer)["runs"].size(), 6u) << "before, several, after, in both directions";
  EXPECT_NE((*answer)["verdict"]["text"].get<std::string>().find("beta to alpha: 4 streams; "), std::string::npos)
      << (*answer)["verdict"];
}

TEST_F(Measuring, TuneChangesNothingOnALinkThatOneStreamFills) {
  start();
  const Result<json> answer = ask("beta", {{"command", "tune"}, {"peer", "alpha"}, {"seconds", 12}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  for (const json& advice : (*answer)["advice"]) {
    EXPECT_EQ(advice["changes"], false) << advice;
    EXPECT_EQ(advice["text"], "nothing to change");
    EXPECT_GT(advice["after_bytes_per_second"].get<double>() / advice["limit_bytes_per_second"].get<double>(), 0.9);
  }
  EXPECT_EQ(ask("beta", {{"command", "tune"}, {"peer", "alpha"}, {"seconds", 4}}).error().message,
            "measuring before and after takes 5 to 60 s, not 4");
  EXPECT_EQ(ask("beta", {{"command", "tune"}, {"peer", "alfa"}}).error().hint, "did you mean 'alpha'?");
}

}  // namespace
}  // namespace ccr::sim::engine_measure_test
