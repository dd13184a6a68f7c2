// An SQLite database and its application change the node: whole nodes in the simulator, a file for the database, a desk for its programs.
#include <gtest/gtest.h>

#include "base/wall_time.h"
#include "engine/handover.h"
#include "tests/asked_nodes.h"
#include "tests/file_source.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using storage::test::Desk;
using storage::test::FileSource;

struct DeskHolder {
  Desk desk;
};

class Applications : public DeskHolder, public AskedNodes {
 protected:
  explicit Applications(Duration lag = 0s) : AskedNodes(options(desk, lag)) { desk.running["alpha"] = true; }

  static ClusterOptions options(Desk& desk, Duration lag) {
    ClusterOptions made;
    made.page_size = Desk::page_bytes;
    made.seed_auto = true;
    made.programs = &desk;
    made.sqlite = [&desk](engine::NodeContext& context, const engine::DatabaseConfig& database, std::optional<storage::SourceCursor>) {
      return std::unique_ptr<storage::LogSource>(std::make_unique<FileSource>(context, database.path, desk));
    };
    made.configure = [lag](const std::string&, engine::Config& config) {
      config.databases[Cluster::database].replay_lag["beta"] = lag;
      config.databases[Cluster::database].on_demote = "stop";
      config.databases[Cluster::database].on_promote = "start";
    };
    return made;
  }

  bool settled(const std::string& active) {
    const std::string other = active == "alpha" ? "beta" : "alpha";
    const auto all = [&] {
      engine::ActiveCopy* copy = cluster.active(active);
      engine::PassiveCopy* passive = cluster.passive(other);
      return copy != nullptr && passive != nullptr && cluster.state(active) == "mounted" && cluster.state(other) == "healthy" && copy->comparable() &&
             !copy->state().promote_due && passive->state().min_required == copy->tip().durable;
    };
    const bool reached = world.run_until(all, 120s) == Ended::reached;
    EXPECT_TRUE(reached) << "alpha " << cluster.state("alpha") << ", beta " << cluster.state("beta") << "\n" << cluster.story();
    return reached;
  }
  void write(const std::string& node, int commits) {
    for (int i = 0; i < commits; ++i) {
      ASSERT_TRUE(desk.sources.count(node) == 1);
      desk.sources[node]->write(static_cast<PageNumber>(random.between(1, Desk::pages)), static_cast<std::byte>(random.between(1, 255)));
      world.run_for(1ms);
    }
  }
  void expect_content(const std::string& node) {
    ASSERT_EQ(desk.sources.count(node), 1u);
    for (const auto& [page, content] : desk.written) EXPECT_EQ(desk.sources[node]->content(page), content) << "page " << page << " at " << node << "\n" << cluster.story();
  }
  Result<json> move(const std::string& at, const std::string& to) { return answer_of(at, {{"command", "move"}, {"to", to}}); }
  Result<json> activate(const std::string& on, const std::string& dial) { return answer_of(on, {{"command", "activate"}, {"on", on}, {"dial", dial}}); }
};

TEST_F(Applications, AMoveTakesTheFileAndTheApplicationAlongAndBackAgain) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  write("alpha", 50);
  const Result<json> moved = move("alpha", "beta");
  ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
  EXPECT_LT((*moved)["held_seconds"], 2.0);
  ASSERT_TRUE(settled("beta"));
  EXPECT_EQ(desk.commands, (std::vector<std::string>{"alpha stop", "beta start"}));
  expect_content("beta");
  write("beta", 50);
  const Result<json> back = move("beta", "alpha");
  ASSERT_TRUE(back.ok()) << back.error().message << "\n" << cluster.story();
  ASSERT_TRUE(settled("alpha"));
  expect_content("alpha");
  EXPECT_TRUE(desk.running["alpha"] && !desk.running["beta"]);
  EXPECT_TRUE(cluster.events_of("fork").empty());
}

TEST_F(Applications, TheFileIsGivenToWhoHadItOnTheOtherNodeAndStaysSo) {
  const std::string file = "/data/orders.pages";
  const storage::FileAccess programs{"app", "users", 0640, "app_t"};
  cluster.host("alpha").disk().access()[file] = programs;
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  ASSERT_TRUE(move("alpha", "beta").ok()) << cluster.story();
  ASSERT_TRUE(settled("beta"));
  EXPECT_EQ(cluster.host("beta").disk().access()[file], programs) << cluster.story();
  EXPECT_EQ(cluster.events_of("access_given").size(), 1u);
  ASSERT_TRUE(move("beta", "alpha").ok());
  ASSERT_TRUE(settled("alpha"));
  EXPECT_EQ(cluster.host("alpha").disk().access()[file], programs);
  EXPECT_EQ(cluster.events_of("access_given").size(), 1u) << "it was theirs before";
}

TEST_F(Applications, AFileThatCannotBeGivenAwayIsServedAndSaysWhy) {
  cluster.host("alpha").disk().access()["/data/orders.pages"] = {"app", "users", 0640, ""};
  cluster.host("beta").disk().fail_access("chown: Operation not permitted (EPERM)");
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  ASSERT_TRUE(move("alpha", "beta").ok()) << cluster.story();
  ASSERT_TRUE(settled("beta"));
  EXPECT_EQ(row_of("beta", "beta")["cause"], "the file could not be given to app:users 0640, as it was on the node before: chown: Operation not permitted (EPERM)");
  EXPECT_EQ(desk.commands.back(), "beta start");
}

TEST_F(Applications, AnActivationGivesTheFileAsItWasHeardOfLastAlsoAfterARestart) {
  const storage::FileAccess programs{"app", "users", 0640, ""};
  cluster.host("alpha").disk().access()["/data/orders.pages"] = programs;
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  write("alpha", 5);
  world.run_for(40s);
  cluster.host("alpha").kill(draw_power_cut(random));
  cluster.host("beta").kill(draw_power_cut(random));
  cluster.host("beta").start();
  world.run_for(5s);
  ASSERT_TRUE(activate("beta", "force").ok()) << cluster.story();
  ASSERT_TRUE(world.run_until([&] { return cluster.state("beta") == "mounted"; }, 60s) == Ended::reached) << cluster.story();
  EXPECT_EQ(cluster.host("beta").disk().access()["/data/orders.pages"], programs);
}

TEST_F(Applications, AFileThatAProgramHasOpenIsNotMovedAndTheApplicationRunsAgain) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  desk.open_in = "process 7 (app)";
  const Result<json> refused = move("alpha", "beta");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("is open in process 7 (app); nothing is changed"), std::string::npos) << refused.error().message;
  ASSERT_TRUE(settled("alpha"));
  EXPECT_EQ(desk.commands, (std::vector<std::string>{"alpha stop", "alpha start"}));
  write("alpha", 20);
  ASSERT_TRUE(settled("alpha"));
  expect_content("alpha");
  desk.open_in.clear();
  const Result<json> moved = move("alpha", "beta");
  EXPECT_TRUE(moved.ok()) << cluster.story();
}

TEST_F(Applications, ACommandThatFailsStopsTheMove) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  desk.fails = "stop";
  const Result<json> refused = move("alpha", "beta");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("status 7"), std::string::npos) << refused.error().message;
  ASSERT_TRUE(settled("alpha"));
  EXPECT_EQ(desk.commands.back(), "alpha start");
  desk.fails = "start";
  const Result<json> moved = move("alpha", "beta");
  ASSERT_TRUE(moved.ok()) << moved.error().message << cluster.story();
  const auto shown = [&] { return cluster.state("beta") == "mounted" && row_of("beta", "beta")["cause"].get<std::string>().find("on_promote: ") == 0; };
  EXPECT_TRUE(world.run_until(shown, 10s) == Ended::reached) << cluster.story();
  desk.fails.clear();
  EXPECT_TRUE(settled("beta")) << "it is tried again";
  EXPECT_EQ(row_of("beta", "beta")["cause"], "");
}

TEST_F(Applications, ADeposedCopyGivesItsFileUpWhenNoProgramHasItAndLosesNothingUnasked) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  write("alpha", 30);
  ASSERT_TRUE(settled("alpha"));
  cluster.host("beta").freeze();
  write("alpha", 30);  // that only alpha has
  cluster.host("alpha").kill(draw_power_cut(random));
  cluster.host("beta").thaw();
  const Result<json> taken = activate("beta", "force");
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  desk.open_in = "process 7 (app)";
  cluster.host("alpha").start();
  const auto waits = [&] {
    return cluster.state("alpha") == "mounted" && row_of("alpha", "alpha")["cause"].get<std::string>().find("cannot leave: /data/orders.pages is open in process 7") != std::string::npos;
  };
  ASSERT_TRUE(world.run_until(waits, 60s) == Ended::reached) << cluster.story();
  EXPECT_EQ(desk.commands.back(), "alpha stop") << "no application is started there";
  desk.open_in.clear();
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended"));
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("FORKED"), std::string::npos);
  const Result<json> resumed = answer_of("alpha", {{"command", "resume"}});
  ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  ASSERT_TRUE(settled("beta"));
  EXPECT_FALSE(cluster.events_of("generations_set_aside").empty());
}

// systemctl stop takes its time, and the application commits meanwhile.
TEST_F(Applications, AForcedActivationWaitsForAnApplicationThatEndsSlowlyAndTakesAllOfIt) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  desk.takes = 45s;
  const std::shared_ptr<Asked> asked = ask("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
  world.run_for(30s);
  EXPECT_FALSE(asked->answer.has_value());
  write("alpha", 30);
  ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 120s) == Ended::reached);
  ASSERT_TRUE(asked->answer->ok()) << asked->answer->error().message << "\n" << cluster.story();
  EXPECT_EQ((**asked->answer)["forced"], false);
  EXPECT_EQ((**asked->answer)["missing"]["bytes"], 0);
  ASSERT_TRUE(settled("beta"));
  expect_content("beta");
  EXPECT_TRUE(cluster.events_of("generations_set_aside").empty()) << cluster.story();
}

// Nobody waits for ever: what the application commits behind that is not given up unasked.
TEST_F(Applications, AForcedActivationBesideAnApplicationThatDoesNotEndLosesNothingUnasked) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  desk.open_in = "process 7 (app)";
  const Result<json> taken = answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}}, 200s);
  ASSERT_TRUE(taken.ok()) << taken.error().message << "\n" << cluster.story();
  EXPECT_EQ((*taken)["forced"], true);
  write("alpha", 30);
  world.run_for(300s);
  EXPECT_LT(cluster.events_of("command_ended").size(), 5u) << cluster.story();
  desk.open_in.clear();
  ASSERT_TRUE(wait_for("alpha", "failed_and_suspended")) << cluster.story();
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("FORKED"), std::string::npos);
}

TEST_F(Applications, AMoveThatWasGivenUpChangesNothingLater) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  desk.takes = engine::Handover::quiet_limit + 30s;
  const Result<json> moved = answer_of("alpha", {{"command", "move"}, {"to", "beta"}}, 200s);
  ASSERT_FALSE(moved.ok());
  EXPECT_NE(moved.error().message.find("step demote took longer than 140 s; nothing is changed"), std::string::npos) << moved.error().message;
  desk.takes = {};
  world.run_for(120s);
  EXPECT_TRUE(cluster.events_of("role_changed").empty()) << cluster.story();
  ASSERT_TRUE(settled("alpha"));
  EXPECT_EQ(desk.commands.back(), "alpha start");
}

TEST_F(Applications, AFileInThePlaceOfTheDatabaseIsMetBeforeTheApplicationEnds) {
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  cluster.host("beta").stop();
  DiskState with = cluster.host("beta").disk().state();
  ASSERT_TRUE(with.open("/data/orders.pages", storage::OpenMode::create_new).ok());
  cluster.host("beta").disk().restore(std::move(with));
  cluster.host("beta").start();
  ASSERT_TRUE(settled("alpha"));
  const Result<json> moved = move("alpha", "beta");
  ASSERT_FALSE(moved.ok());
  EXPECT_NE(moved.error().message.find("a file of another's is at /data/orders.pages on beta"), std::string::npos) << moved.error().message;
  EXPECT_TRUE(desk.commands.empty());
  const Result<json> plan = answer_of("alpha", {{"command", "move"}, {"to", "beta"}, {"dry_run", true}});
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_EQ((*plan)["allowed"], false) << plan->dump();
  const Result<json> taken = activate("beta", "force");
  ASSERT_FALSE(taken.ok());
  EXPECT_NE(taken.error().message.find("a file of another's is at"), std::string::npos) << taken.error().message;
  EXPECT_TRUE(desk.commands.empty() && cluster.events_of("role_changed").empty()) << cluster.story();
  const Result<json> dry = answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}, {"dry_run", true}});
  ASSERT_TRUE(dry.ok()) << dry.error().message;
  EXPECT_EQ((*dry)["allowed"], false) << dry->dump();
}

class LaggedApplications : public Applications {
 protected:
  LaggedApplications() : Applications(600s) {}
};

TEST_F(LaggedApplications, AMistakeIsUndoneAsOfAPointInTime) {
  cluster.start_all();
  const auto ready = [&] { return cluster.state("alpha") == "mounted" && cluster.state("beta") == "healthy"; };
  ASSERT_TRUE(world.run_until(ready, 60s) == Ended::reached) << cluster.story();
  write("alpha", 30);
  world.run_for(2s);
  const ClockState told;
  const std::string before = to_rfc3339_exact(SimClock(world, told).wall_now());
  const std::map<PageNumber, std::byte> good = desk.written;
  world.run_for(2s);
  write("alpha", 40);
  world.run_for(2s);
  ASSERT_NE(desk.written, good);
  desk.open_in = "process 7 (app)";
  const json line{{"command", "activate"}, {"on", "beta"}, {"dial", "force"}, {"until", before}};
  const std::shared_ptr<Asked> asked = ask("beta", line);
  world.run_for(10s);
  EXPECT_FALSE(asked->answer.has_value()) << "alpha gives its file up when no program has it";
  EXPECT_TRUE(cluster.passive("beta")->state().cut.known());
  desk.open_in.clear();
  ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 60s) == Ended::reached) << cluster.story();
  ASSERT_TRUE(asked->answer->ok()) << asked->answer->error().message << "\n" << cluster.story();
  desk.written = good;
  ASSERT_TRUE(settled("beta"));
  expect_content("beta");
  EXPECT_EQ(desk.commands, (std::vector<std::string>{"alpha stop", "beta start"}));
  write("beta", 10);
  ASSERT_TRUE(settled("beta"));
  expect_content("beta");
}

// Whoever dies, and when: afterwards one node serves all that was committed, its application runs there, and the other one follows.
class ApplicationsDie : public Applications, public testing::WithParamInterface<int> {};

TEST_P(ApplicationsDie, InTheMiddleOfAMove) {
  const std::string dies = GetParam() % 2 == 0 ? "alpha" : "beta";
  const int moment = GetParam() / 2;
  cluster.start_all();
  ASSERT_TRUE(settled("alpha"));
  write("alpha", 20);
  ask("alpha", {{"command", "move"}, {"to", "beta"}});
  world.run_for(Duration(500us) * moment);
  cluster.host(dies).kill(moment % 3 == 0 ? CrashStyle{Damage::process_only, Ordering::ordered} : draw_power_cut(random));
  world.run_for(100ms);
  cluster.host(dies).start();
  world.run_for(30s);  // a move that the death did not end is over
  const auto one_serves = [&] {
    return (cluster.state("alpha") == "mounted" && cluster.state("beta") == "healthy") || (cluster.state("beta") == "mounted" && cluster.state("alpha") == "healthy");
  };
  ASSERT_TRUE(world.run_until(one_serves, 180s) == Ended::reached) << "alpha " << cluster.state("alpha") << ", beta " << cluster.state("beta") << "\n" << cluster.story();
  const std::string active = cluster.state("alpha") == "mounted" ? "alpha" : "beta";
  ASSERT_TRUE(settled(active));
  expect_content(active);
  EXPECT_TRUE(desk.running[active]) << cluster.story();
  EXPECT_FALSE(desk.running[active == "alpha" ? "beta" : "alpha"]) << cluster.story();
  EXPECT_TRUE(cluster.events_of("fork").empty()) << cluster.story();
}

INSTANTIATE_TEST_SUITE_P(Moments, ApplicationsDie, testing::Range(0, 80));

}  // namespace
}  // namespace ccr::sim
