// What `ccr` asks of a node, answered by whole nodes in the simulator: names, checks, attaching and leaving. Time is virtual.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cluster.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using engine::ControlRequest;
using nlohmann::json;

// What a client reads of one command.
struct Conversation final : engine::ControlReply {
  Task<Result<void>> progress(json fields) override {
    progress_lines.push_back(std::move(fields));
    co_return Result<void>();
  }
  Task<Result<void>> event(json fields) override {
    events.push_back(std::move(fields));
    co_return Result<void>();
  }
  std::vector<json> progress_lines, events;
  std::optional<Result<json>> answer;
};

class NodeCommands : public testing::Test {
 protected:
  // The client outlives its command; it leaves when `client` is stopped.
  Task<Result<void>> asking(engine::Node& node, ControlRequest request, Conversation& heard) {
    heard.answer = co_await node.handle(std::move(request), heard);
    co_return Result<void>();
  }
  void begin(TaskGroup& client, const std::string& node, const json& request, Conversation& heard) {
    Result<ControlRequest> parsed = ControlRequest::parse(request.dump());
    ASSERT_TRUE(parsed.ok());
    client.spawn(asking(*cluster.node(node), std::move(*parsed), heard));
  }
  Conversation ask(const std::string& node, const json& request, Duration limit = 120s) {
    Conversation heard;
    TaskGroup client(world.executor());
    begin(client, node, request, heard);
    EXPECT_EQ(world.run_until([&] { return client.running() == 0; }, limit), Ended::reached) << cluster.story();
    return heard;
  }
  void leave(TaskGroup& client) {
    client.stop();
    EXPECT_EQ(world.run_until([&] { return client.running() == 0; }, 60s), Ended::reached);
  }
  bool wait_for(const std::string& node, const std::string& state, Duration limit = 60s) {
    const bool reached = world.run_until([&] { return cluster.state(node) == state; }, limit) == Ended::reached;
    EXPECT_TRUE(reached) << node << " is " << cluster.state(node) << ", not " << state << "\n" << cluster.story();
    return reached;
  }
  void start() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted"));
    ASSERT_TRUE(wait_for("beta", "needs_seed"));
  }
  void seed() {
    start();
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(cluster.commit(random, {static_cast<PageNumber>(random.between(1, 2999)), 3000}));
    cluster.request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }

  World world{1};
  Cluster cluster{world, {}};
  Random random{7};
};

TEST_F(NodeCommands, AMisspeltNameIsAnErrorOfEveryCommand) {
  start();
  for (const char* command : {"status", "wait", "events", "seed", "suspend", "resume", "verify"}) {
    Conversation heard = ask("beta", {{"command", command}, {"database", "orders"}, {"node", "bet"}});
    ASSERT_FALSE(heard.answer->ok()) << command;
    EXPECT_EQ(heard.answer->error().kind, ErrorKind::not_found) << command;
    EXPECT_EQ(heard.answer->error().message, "database orders has no copy on 'bet'") << command;
    EXPECT_EQ(heard.answer->error().hint, "did you mean orders@beta?") << command;
    heard = ask("beta", {{"command", command}, {"database", "orderss"}, {"node", "beta"}});
    ASSERT_FALSE(heard.answer->ok()) << command;
    EXPECT_EQ(heard.answer->error().message, "node beta has no database 'orderss'") << command;
    EXPECT_EQ(heard.answer->error().hint, "did you mean 'orders'?") << command;
  }
}

// What a newer ccr asks of an older daemon: a command that it does not know is none that it half does, and a field that it does not know changes nothing.
TEST_F(NodeCommands, WhatANewerClientAsksIsRefusedOrDoneAsFarAsItIsKnown) {
  start();
  const Conversation unknown = ask("beta", {{"command", "reticulate"}, {"database", Cluster::database}, {"node", "beta"}});
  ASSERT_TRUE(unknown.answer && !unknown.answer->ok());
  EXPECT_EQ(unknown.answer->error().kind, ErrorKind::usage);
  EXPECT_NE(unknown.answer->error().hint.find("ccr version"), std::string::npos) << unknown.answer->error().hint;
  const Conversation known = ask("beta", {{"command", "status"}, {"a_field_of_later", {1, 2, 3}}});
  ASSERT_TRUE(known.answer && known.answer->ok());
}

TEST_F(NodeCommands, AStateThatTheCopyNeverHasIsNotWaitedFor) {
  start();
  const Conversation active = ask("alpha", {{"command", "wait"}, {"database", "orders"}, {"node", "alpha"}, {"for", "healthy"}}, 1s);
  ASSERT_TRUE(active.answer.has_value());
  EXPECT_EQ(active.answer->error().kind, ErrorKind::usage);
  EXPECT_EQ(active.answer->error().hint, "ccr wait orders@alpha --for mounted");
  const Conversation passive =
      ask("beta", {{"command", "wait"}, {"database", "orders"}, {"node", "beta"}, {"for", "healthy"}, {"timeout_seconds", 0.5}});
  EXPECT_EQ(passive.answer->error().message, "orders@beta is needs_seed after 0.5 s, not healthy");
}

TEST_F(NodeCommands, EventsOfACopyAreItsOwn) {
  start();
  const Conversation all = ask("beta", {{"command", "events"}});
  const Conversation own = ask("beta", {{"command", "events"}, {"database", "orders"}, {"node", "beta"}});
  EXPECT_GT(all.events.size(), own.events.size());
  ASSERT_FALSE(own.events.empty());
  for (const json& event : own.events) EXPECT_EQ(event["subject"], "orders@beta");
}

TEST_F(NodeCommands, ASourceThatIsNoNodeIsAMistakeOfUse) {
  start();
  const Conversation heard = ask("beta", {{"command", "seed"}, {"database", "orders"}, {"node", "beta"}, {"from", "alpa"}});
  ASSERT_FALSE(heard.answer->ok());
  EXPECT_EQ(heard.answer->error().kind, ErrorKind::usage);
  EXPECT_EQ(heard.answer->error().hint, "did you mean 'alpha'?");
}

json verify_request() { return {{"command", "verify"}, {"database", "orders"}, {"node", "beta"}, {"rate", 256 * KiB}}; }

TEST_F(NodeCommands, AVerificationGoesOnWithoutItsClientAndTheNextAttaches) {
  seed();
  Conversation first, second;
  TaskGroup leaving(world.executor()), staying(world.executor());
  begin(leaving, "beta", verify_request(), first);
  ASSERT_EQ(world.run_until([&] { return !first.progress_lines.empty(); }, 10s), Ended::reached);
  leave(leaving);
  begin(staying, "beta", {{"command", "verify"}, {"database", "orders"}, {"node", "beta"}}, second);
  ASSERT_EQ(world.run_until([&] { return second.answer.has_value(); }, 120s), Ended::reached) << cluster.story();
  ASSERT_TRUE(second.answer->ok()) << second.answer->error().message;
  EXPECT_EQ((**second.answer)["equal"], true);
  EXPECT_FALSE(first.answer.has_value());
  EXPECT_EQ(cluster.events_of("verified").size(), 1u);
}

TEST_F(NodeCommands, AVerificationAtAnotherRateIsNotAttachedTo) {
  seed();
  Conversation first;
  TaskGroup client(world.executor());
  begin(client, "beta", verify_request(), first);
  ASSERT_EQ(world.run_until([&] { return !first.progress_lines.empty(); }, 10s), Ended::reached);
  const Conversation other = ask("beta", {{"command", "verify"}, {"database", "orders"}, {"node", "beta"}, {"rate", 1}});
  EXPECT_EQ(other.answer->error().kind, ErrorKind::busy);
  leave(client);
}

TEST_F(NodeCommands, ACancelledVerificationEndsForWhoWatchesAndANewOneMayBegin) {
  seed();
  Conversation watching;
  TaskGroup client(world.executor());
  begin(client, "beta", verify_request(), watching);
  ASSERT_EQ(world.run_until([&] { return !watching.progress_lines.empty(); }, 10s), Ended::reached);
  const json cancel{{"command", "verify"}, {"database", "orders"}, {"node", "beta"}, {"cancel", true}};
  EXPECT_EQ((**ask("beta", cancel).answer)["cancelled"], true);
  ASSERT_EQ(world.run_until([&] { return watching.answer.has_value(); }, 10s), Ended::reached);
  EXPECT_EQ(watching.answer->error().message, "the verification was cancelled");
  EXPECT_EQ((**ask("beta", cancel).answer)["cancelled"], false);
  const Conversation anew = ask("beta", {{"command", "verify"}, {"database", "orders"}, {"node", "beta"}});
  ASSERT_TRUE(anew.answer->ok()) << anew.answer->error().message;
  leave(client);
}

TEST_F(NodeCommands, AVerificationThatEndsAtAnyMomentHoldsNeitherCommitsNorReplay) {
  seed();
  const json cancel{{"command", "verify"}, {"database", "orders"}, {"node", "beta"}, {"cancel", true}};
  for (int moment = 0; moment < 60; ++moment) {
    Conversation watching;
    TaskGroup client(world.executor());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster.commit(random, {static_cast<PageNumber>(random.between(1, 2999)), 3000}));
    begin(client, "beta", {{"command", "verify"}, {"database", "orders"}, {"node", "beta"}}, watching);
    world.run_for(std::chrono::microseconds(150 * moment));
    EXPECT_TRUE(ask("beta", cancel).answer->ok());
    leave(client);
  }
  const auto rests = [&] {
    return cluster.pending() == 0 && cluster.passive("beta")->state().min_required == cluster.active()->tip().durable;
  };
  EXPECT_EQ(world.run_until(rests, 60s), Ended::reached) << cluster.pending() << " commits wait\n" << cluster.story();
}

TEST_F(NodeCommands, ADryRunOfASeedSaysStateContactSpaceAndPlan) {
  seed();
  const json request{{"command", "seed"}, {"database", "orders"}, {"node", "beta"}, {"dry_run", true}};
  json plan = **ask("beta", request).answer;
  EXPECT_EQ(plan["allowed"], true);
  ASSERT_EQ(plan["checks"].size(), 3u);
  EXPECT_EQ(plan["checks"][0]["found"], "Healthy");
  EXPECT_EQ(plan["checks"][1], json::parse(R"({"check":"contact with alpha","ok":true,"found":"connected"})"));
  EXPECT_EQ(plan["checks"][2]["check"], "space in /data");
  EXPECT_EQ(plan["plan"][0], "compare extent digests with alpha and fetch what differs");
  cluster.host("alpha").stop();
  ASSERT_TRUE(wait_for("beta", "disconnected"));
  plan = **ask("beta", request).answer;
  EXPECT_EQ(plan["allowed"], false);
  EXPECT_EQ(plan["checks"][1]["ok"], false);
  EXPECT_EQ(cluster.state("beta"), "disconnected");
  EXPECT_EQ(cluster.events_of("seed_pass_opened").size(), 1u);
}

TEST_F(NodeCommands, ADryRunOfAResumeInMidSeedGoesOnWithTheSeed) {
  seed();
  engine::SeedRequest slow;
  slow.full = true;
  slow.bytes_per_second_max = 64 * KiB;
  cluster.request_seed("beta", slow);
  ASSERT_TRUE(wait_for("beta", "seeding"));
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  const json plan = **ask("beta", {{"command", "resume"}, {"database", "orders"}, {"node", "beta"}, {"dry_run", true}}).answer;
  EXPECT_EQ(plan["plan"][0], "go on with the seed from alpha");
  EXPECT_EQ(plan["copy"]["seed"]["running"], false);
  EXPECT_EQ(plan["copy"]["seed"]["rate_limit"], 64 * KiB);
  EXPECT_EQ(cluster.state("beta"), "suspended");
}

TEST_F(NodeCommands, AnAnswerWaitsForTheStateThatFollows) {
  seed();
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  const json resumed = **ask("beta", {{"command", "resume"}, {"database", "orders"}, {"node", "beta"}}).answer;
  EXPECT_EQ(resumed["copy"]["state"], "healthy");
  const json seeded = **ask("beta", {{"command", "seed"}, {"database", "orders"}, {"node", "beta"}}).answer;
  EXPECT_EQ(seeded["copy"]["state"], "healthy");
}

TEST_F(NodeCommands, ANewSeedDoesNotShowHowFarTheLastOneWas) {
  seed();
  cluster.host("alpha").stop();
  ASSERT_TRUE(wait_for("beta", "disconnected"));
  cluster.request_seed("beta");
  world.run_for(5s);
  const json copy = **ask("beta", {{"command", "status"}, {"database", "orders"}, {"node", "beta"}}).answer;
  const json& progress = copy["databases"][0]["copies"][0]["seed"];
  EXPECT_EQ(progress["running"], true);
  EXPECT_EQ(progress["done_bytes"], 0);
}

TEST_F(NodeCommands, ADryRunOfALoadWritesNothing) {
  start();
  const Position before = cluster.active()->tip().durable;
  const json plan = **ask("alpha", {{"command", "load"},
                                    {"database", "orders"},
                                    {"rate_bytes_per_second", 1'000'000'000},
                                    {"seconds", 60},
                                    {"dry_run", true}})
                          .answer;
  EXPECT_EQ(plan["allowed"], false);  // 60 GB of log do not fit
  EXPECT_EQ(plan["plan"][0], "write transactions into orders at 1000.0 MB/s for 60 s");
  EXPECT_EQ(plan["checks"][1]["check"], "space in /log");
  EXPECT_EQ(cluster.active()->tip().durable, before);
}

TEST_F(NodeCommands, WhyNamesWhoHoldsAGeneration) {
  start();
  ASSERT_TRUE(ask("alpha", {{"command", "load"}, {"database", "orders"}, {"rate_bytes_per_second", 1'000'000}, {"seconds", 1}}).answer->ok());
  world.run_for(5s);
  const auto why = [&](const std::string& node, std::uint64_t generation) {
    return *ask(node, {{"command", "why"}, {"database", "orders"}, {"generation", generation}}).answer;
  };
  const Generation open = cluster.active()->tip().durable.generation;
  const Result<json> now = why("alpha", open.number);
  ASSERT_TRUE(now.ok()) << now.error().message;
  EXPECT_EQ((*now)["open"], open.number);
  ASSERT_FALSE((*now)["held_by"].empty()) << now->dump();
  EXPECT_EQ((*now)["held_by"][0]["who"], "open");
  const Result<json> newest = why("alpha", open.number - 1);
  ASSERT_TRUE(newest.ok() && (*newest)["here"] == true) << newest->dump();
  ASSERT_EQ((*newest)["held_by"].size(), 1u) << newest->dump();
  EXPECT_EQ((*newest)["held_by"][0]["who"], "the next handshake, as the newest sealed one");
  const Result<json> later = why("alpha", open.number + 7);
  ASSERT_TRUE(later.ok());
  EXPECT_FALSE((*later)["here"]);
  EXPECT_TRUE((*later)["held_by"].empty());
}

TEST_F(NodeCommands, AShortLoadIsHeldToItsRate) {
  start();
  const Conversation heard =
      ask("alpha", {{"command", "load"}, {"database", "orders"}, {"rate_bytes_per_second", 1'000'000}, {"seconds", 1}});
  ASSERT_TRUE(heard.answer->ok()) << heard.answer->error().message;
  const json& result = **heard.answer;
  EXPECT_LE(result["bytes"].get<double>(), 1'000'000 + 8 * 512);
  EXPECT_GE(result["bytes"].get<double>(), 900'000);
  EXPECT_GE(result["seconds"].get<double>(), 1.0);
  EXPECT_LE(result["seconds"].get<double>(), 1.1);
}

TEST_F(NodeCommands, ALoadBelowOneTransactionWritesOneInItsWholeTime) {
  start();
  const Conversation heard = ask("alpha", {{"command", "load"}, {"database", "orders"}, {"rate_bytes_per_second", 20}, {"seconds", 10}});
  ASSERT_TRUE(heard.answer->ok()) << heard.answer->error().message;
  EXPECT_EQ((**heard.answer)["commits"], 1);
  EXPECT_GE((**heard.answer)["seconds"].get<double>(), 10.0);
}

TEST_F(NodeCommands, ALoadWhoseClientLeftEndsWithinATurn) {
  start();
  Conversation heard;
  TaskGroup client(world.executor());
  begin(client, "alpha", {{"command", "load"}, {"database", "orders"}, {"rate_bytes_per_second", 20}, {"seconds", 600}}, heard);
  world.run_for(2s);
  const std::size_t working = cluster.active()->group().running();
  leave(client);
  EXPECT_EQ(world.run_until([&] { return cluster.active()->group().running() == working - 1; }, 1s), Ended::reached);
}

}  // namespace
}  // namespace ccr::sim
