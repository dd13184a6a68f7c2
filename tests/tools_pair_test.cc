// The verdict of a drill with two nodes, what it shows, the way home after one, and its guard.
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tools/drill_guard.h"
#include "tools/drill_json.h"
#include "tools/drill_text.h"
#include "tools/pair_text.h"
#include "tools/pair_verdict.h"
#include "tools/report_page.h"

namespace ccr::tools::tools_pair_test {
namespace {

using nlohmann::json;

constexpr Position early{{7}, 4096}, late{{8}, 8192};

PairLook look(double at, Position end, CommitNumber commit) {
  PairLook made;
  made.copy.at_seconds = at;
  made.copy.state = made.other_state = "healthy";
  made.copy.root = "00000000000000aa";
  made.copy.root_at = made.copy.generated = made.copy.durable = end;
  made.copy.commit = made.commit = commit;
  made.serves = "alpha";
  made.log_bytes = made.wire_bytes = 0;
  return made;
}

// Two seconds without contact, fifty commits of a load meanwhile, healthy a second later.
DrillFacts good(DrillKind kind) {
  DrillFacts facts;
  facts.kind = kind;
  facts.database = "orders";
  facts.node = "beta";
  facts.active = "alpha";
  facts.database_kind = "pages";
  facts.when = "2026-01-02T03:04:05Z";
  facts.seconds = 5;
  facts.gates = {{"it is healthy before", "healthy", true}};
  PairFacts pair;
  pair.wanted_seconds = 2;
  pair.other_asked = pair.writes = true;
  pair.fault_began = 1;
  pair.fault_ended = 3;
  pair.before = look(0.5, early, 100);
  pair.after = look(4.5, late, 150);
  pair.after->copy.root = "00000000000000bb";
  pair.noticed = look(1.5, early, 110);
  pair.noticed->copy.state = pair.noticed->other_state = "disconnected";
  pair.noticed->copy.cause = "a drill keeps beta and alpha apart for another 2 s";
  pair.noticed->other_cause = "last heard 2026-01-02T03:04:06Z as healthy";
  pair.noticed->since = pair.noticed->other_since = "2026-01-02T03:04:06Z";
  pair.notice_seconds_max = 2;
  pair.healthy_seconds = 1;
  pair.healthy_seconds_max = 6;
  pair.backlog_bytes = 1 * MiB;
  pair.commit_most = 150;
  pair.commits_meanwhile = 50;
  pair.log_came = pair.wire_came = 1 * MiB;
  facts.before = pair.before->copy;
  facts.after = pair.after->copy;
  facts.pair = pair;
  return facts;
}

DrillFacts turned(DrillKind kind) {
  DrillFacts facts = good(kind);
  facts.pair->turns = {{"beta", 1, 0.2, 120, 121, true}, {"alpha", 1, 0.3, 140, 150, true}};
  return facts;
}

DrillFacts forked() {
  DrillFacts facts = turned(DrillKind::fork);
  for (DrillTurn& turn : facts.pair->turns) turn.before = turn.after = std::nullopt, turn.verified = std::nullopt;
  facts.pair->after->copy.root = facts.after->root = facts.before->root;
  facts.pair->healthy_seconds_max = 30;
  facts.pair->fork = DrillFork{50, early, late, Position{}, late, 2, 1 * MiB, 3 * MiB, 2 * MiB, 4 * MiB, true};
  return facts;
}

std::string broken(const DrillFacts& facts) {
  std::string names;
  for (const DrillCheck& check : judge(facts).checks) {
    if (!check.holds) names += (names.empty() ? "" : "; ") + check.name + ": " + check.found;
  }
  return names;
}

TEST(PairVerdict, WhatWentAsItShouldPasses) {
  EXPECT_EQ(broken(good(DrillKind::outage)), "");
  EXPECT_EQ(broken(good(DrillKind::frozen_node)), "");
  EXPECT_EQ(broken(turned(DrillKind::failover)), "");
  EXPECT_EQ(broken(forked()), "");
  EXPECT_EQ(judge(good(DrillKind::outage)).text, "PASS: outage of orders@beta: healthy 1.0 s behind it, root equal at 8+8192");
  EXPECT_EQ(judge(forked()).text, "PASS: fork of orders@beta: alpha serves again, healthy 1.0 s behind it, root equal at 8+8192");
  EXPECT_EQ(judge(forked()).exit_code(), ExitCode::done);
}

TEST(PairVerdict, AnOutageThatStatusDoesNotExplainFails) {
  DrillFacts facts = good(DrillKind::outage);
  facts.pair->noticed->copy.cause.clear();
  EXPECT_EQ(broken(facts), "status on beta shows it: disconnected since 2026-01-02T03:04:06Z");
  facts = good(DrillKind::outage);
  facts.pair->noticed->other_state = "healthy";
  EXPECT_EQ(broken(facts), "status on alpha shows it: healthy since 2026-01-02T03:04:06Z: last heard 2026-01-02T03:04:06Z as healthy");
  facts.pair->noticed.reset();
  EXPECT_EQ(broken(facts), "status on beta shows it: nothing; status on alpha shows it: nothing");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::failed_checks);
}

TEST(PairVerdict, SilenceIsNoticedWithinTheLimitOfHeartbeats) {
  DrillFacts facts = good(DrillKind::frozen_node);
  facts.pair->noticed->copy.at_seconds = 3.5;
  EXPECT_EQ(broken(facts), "alpha notices that beta is silent: after 2.5 s, disconnected since 2026-01-02T03:04:06Z");
  facts.pair->noticed.reset();
  EXPECT_EQ(broken(facts), "alpha notices that beta is silent: not while it lasted");
}

TEST(PairVerdict, AFullDiskIsNamedWithItsPlace) {
  for (const bool active : {false, true}) {
    DrillFacts facts = good(DrillKind::disk_full);
    facts.pair->full_node = active ? "alpha" : "beta";
    facts.pair->full_what = "log";
    facts.pair->full_place = "/srv/orders-log";
    facts.pair->commits_meanwhile = active ? 0 : 50;
    EXPECT_EQ(broken(facts), (active ? "status on alpha says what is full: nothing" : "status on beta says what is full: disconnected since 2026-01-02T03:04:06Z: a drill keeps beta and alpha apart for another 2 s"));
    std::string& cause = active ? facts.pair->noticed->active_cause : facts.pair->noticed->copy.cause;
    (active ? facts.pair->noticed->active_since : facts.pair->noticed->since) = "2026-01-02T03:04:06Z";
    cause = "/srv/orders-log/5.log: no space left, by a drill for another 2 s";
    EXPECT_EQ(broken(facts), "");
    cause = "/srv/other/5.log: no space left";
    EXPECT_NE(broken(facts), "") << "another place";
  }
}

TEST(PairVerdict, HealingHasABoundThatGrowsWithTheBacklog) {
  DrillFacts facts = good(DrillKind::outage);
  facts.pair->healthy_seconds = 6.2;
  EXPECT_EQ(broken(facts), "it is healthy in time: after 6.2 s");
  facts.pair->backlog_bytes = 10 * MiB;
  EXPECT_EQ(broken(facts), "");
  facts.pair->healthy_seconds.reset();
  EXPECT_EQ(broken(facts), "it is healthy in time: not known");
}

TEST(PairVerdict, PagesWhereLogWouldDoFail) {
  DrillFacts facts = good(DrillKind::outage);
  facts.pair->seed_passes = 1;
  EXPECT_EQ(broken(facts), "log alone comes, no pages: 1 passes");
  facts.pair->seed_passes = 0;
  facts.pair->log_came = 4 * MiB;
  EXPECT_EQ(broken(facts), "no more log comes than was made: 4.0 MiB, 1.0 MiB on the wire");
}

TEST(PairVerdict, ACommitThatWasSeenAndIsGoneIsDamage) {
  DrillFacts facts = good(DrillKind::outage);
  facts.after->commit = 149;
  EXPECT_EQ(broken(facts), "no commit is lost: 150 on alpha, 149 on beta");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts.after->commit = 150;
  facts.pair->after->commit.reset();
  EXPECT_EQ(broken(facts), "no commit is lost: unknown on alpha, 150 on beta");
  facts.pair->other_asked = false;
  EXPECT_EQ(broken(facts), "") << "of the copy alone";
}

TEST(PairVerdict, AnActiveNodeThatStoodStillWhileALoadWroteFails) {
  DrillFacts facts = good(DrillKind::frozen_node);
  facts.pair->commits_meanwhile = 0;
  EXPECT_EQ(broken(facts), "alpha goes on committing meanwhile: 0 commits");
  facts.pair->writes = false;
  EXPECT_EQ(broken(facts), "") << "nobody was asked to write";
}

TEST(PairVerdict, AFailoverThatDidNotComeBackOrLostSomethingFails) {
  DrillFacts facts = turned(DrillKind::failover);
  facts.pair->turns.pop_back();
  EXPECT_EQ(broken(facts), "orders serves on alpha again: no");
  facts = turned(DrillKind::failover);
  facts.pair->turns[0].held_seconds = 10.5;
  EXPECT_EQ(broken(facts), "commits wait for the move to beta: 10.500 s");
  facts = turned(DrillKind::failover);
  facts.pair->turns[0].after = 119;
  EXPECT_EQ(broken(facts), "no commit is lost by it: 119");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts = turned(DrillKind::failover);
  facts.pair->turns[1].verified = false;
  EXPECT_EQ(broken(facts), "a verification behind it finds nothing: a difference");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
}

TEST(PairVerdict, AForkWhoseLogIsNotInQuarantineIsDamage) {
  DrillFacts facts = forked();
  facts.pair->fork->set_aside_to = Position{};
  EXPECT_EQ(broken(facts), "what alpha had alone is in quarantine: nothing was set aside");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts = forked();
  facts.pair->fork->set_aside_to = early;
  EXPECT_EQ(broken(facts), "what alpha had alone is in quarantine: all to 7+4096, 2 files, 1.0 MiB") << "not all of it";
  facts = forked();
  facts.pair->fork->quarantine_files = 0;
  EXPECT_EQ(broken(facts), "what alpha had alone is in quarantine: all to 8+8192, 0 files, 1.0 MiB");
}

TEST(PairVerdict, AForkThatKeptSomethingOfTheLoadOrBroughtTooMuchFails) {
  DrillFacts facts = forked();
  facts.after->root = "00000000000000bb";
  EXPECT_EQ(broken(facts), "the root is what it was before the load: 00000000000000bb");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts = forked();
  facts.pair->fork->page_bytes = 5 * MiB;
  EXPECT_EQ(broken(facts), "only what the load touched comes again: 5.0 MiB, 2.0 MiB on the wire");
  facts.pair->fork->page_bytes.reset();
  EXPECT_EQ(broken(facts), "only what the load touched comes again: not known");
  facts = forked();
  facts.pair->fork->load_commits = 0;
  EXPECT_EQ(broken(facts), "the load commits on alpha alone: 0 commits, log 7+4096 to 8+8192");
}

TEST(PairVerdict, WhatWasNotAskedAndWhatNobodyWroteAreWarnings) {
  DrillFacts facts = good(DrillKind::outage);
  facts.pair->other_asked = facts.pair->writes = false;
  EXPECT_EQ(judge(facts).warnings, std::vector<std::string>{"the daemon of alpha was not asked, so what it showed and committed is not known: --peer-socket"});
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::warnings);
  facts.pair->other_asked = true;
  facts.pair->commit_most = facts.pair->after->commit = facts.after->commit = facts.before->commit;
  facts.after->root = facts.before->root;
  EXPECT_EQ(judge(facts).warnings, std::vector<std::string>{"nobody wrote meanwhile: --load does"});
}

TEST(PairReport, HasRowsSeriesAndAPage) {
  DrillFacts facts = forked();
  facts.pair->samples = {look(0.25, early, 100), look(0.5, early, 110), look(0.75, early, 105)};
  const json document = drill_json(facts, judge(facts));
  EXPECT_EQ(document["kind"], "drill_fork");
  EXPECT_EQ(document["series"][0]["values"], json::parse("[null,40.0,null]")) << "what a fork takes back is no rate";
  EXPECT_EQ(document["pair"]["fork"]["commits"], 50);
  EXPECT_EQ(document["amounts"]["wire_bytes"], 2 * MiB);
  const std::string text = drill_text(document, false);
  EXPECT_NE(text.find("commits that only alpha had  50\n"), std::string::npos) << text;
  EXPECT_NE(text.find("in its quarantine now        2 files, 1.0 MiB\n"), std::string::npos) << text;
  EXPECT_TRUE(text.starts_with("orders@beta with alpha, 5.0 s")) << text;
  const ReportInput input{"the drill", document.dump()};
  EXPECT_TRUE(report_page(input, std::nullopt).ok());
}

TEST(PairPlan, SaysWhatIsStoppedAndWhatIsLost) {
  const std::vector<std::string> fork = pair_plan(forked(), 2'000'000);
  EXPECT_NE(fork.at(2).find("the load's commits are lost by that"), std::string::npos);
  const std::vector<std::string> outage = pair_plan(good(DrillKind::outage), 2'000'000);
  EXPECT_NE(outage.at(0).find("what they hold is lost"), std::string::npos);
  EXPECT_NE(outage.at(1).find("for 2 s, of all databases that both have"), std::string::npos);
  EXPECT_EQ(pair_plan(good(DrillKind::frozen_node), 0).size(), 3u);
}

TEST(DrillReturn, TakesOneStepAtATimeAndEndsWhereHomeServes) {
  ReturnFacts facts;
  EXPECT_EQ(decide_return(facts, late), ReturnStep::wait) << "nothing is known";
  facts.away_serves = true;
  facts.home_state = "disconnected";
  EXPECT_EQ(decide_return(facts, late), ReturnStep::wait);
  facts.home_state = "healthy";
  EXPECT_EQ(decide_return(facts, late), ReturnStep::move);
  facts.home_serves = true;
  EXPECT_EQ(decide_return(facts, late), ReturnStep::wait) << "one of them did not hear yet";
  facts.away_serves = false;
  facts.away_state = "resynchronizing";
  EXPECT_EQ(decide_return(facts, late), ReturnStep::wait);
  facts.away_state = "healthy";
  EXPECT_EQ(decide_return(facts, late), ReturnStep::done);
}

TEST(DrillReturn, GivesUpNothingThatTheDrillDidNotWrite) {
  ReturnFacts facts;
  facts.away_serves = true;
  facts.home_state = "failed_and_suspended";
  facts.home_cause = "FORKED: beta was activated by force";
  facts.home_end = late;
  EXPECT_EQ(decide_return(facts, late), ReturnStep::resume);
  EXPECT_EQ(decide_return(facts, early), ReturnStep::ask_person) << "its log goes on behind the load";
  EXPECT_EQ(decide_return(facts, Position{}), ReturnStep::ask_person) << "a failover forks nothing";
  facts.home_end = Position{};
  EXPECT_EQ(decide_return(facts, late), ReturnStep::ask_person) << "where its log ends is not known";
  facts.home_end = late;
  facts.home_cause = "CHAIN: a hole";
  EXPECT_EQ(decide_return(facts, late), ReturnStep::ask_person);
  facts.home_state = "suspended";
  EXPECT_EQ(decide_return(facts, late), ReturnStep::ask_person);
}

TEST(DrillReturn, APlanIsReadAsItWasWritten) {
  const ReturnPlan plan{"orders", "alpha", "beta", "/run/a", "/run/b", true, late};
  const ReturnPlan read = return_plan_of(return_json(plan));
  EXPECT_EQ(return_json(read), return_json(plan));
  EXPECT_EQ(read.forked_end, late);
  EXPECT_FALSE(return_plan_of(return_json({})).forked_end.known());
}

TEST(DrillLook, ReadsAPositionFromItsText) {
  EXPECT_EQ(position_of_text("1a+8192"), (Position{{0x1a}, 8192}));
  EXPECT_EQ(position_of_text("1a"), (Position{{0x1a}, 4096}));
  EXPECT_FALSE(position_of_text("").known());
  EXPECT_FALSE(position_of_text("1a+").known());
  EXPECT_FALSE(position_of_text("1a-3").known());
}

// A process that does nothing but be there.
class Sleeper {
 public:
  Sleeper() : process_(::fork()) {
    if (process_ == 0)
      for (;;) ::pause();
  }
  ~Sleeper() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  int process() const { return process_; }
  bool turns(bool stopped) const {
    constexpr int tries = 500;
    for (int i = 0; i < tries; ++i) {
      std::ifstream file("/proc/" + std::to_string(process_) + "/stat");
      std::string number, name;
      char state = 0;
      file >> number >> name >> state;
      if ((state == 'T') == stopped) return true;
      ::poll(nullptr, 0, 10);
    }
    return false;
  }

 private:
  pid_t process_;
};

TEST(DrillGuard, AFrozenProcessGoesOnWhenItIsAskedToAndWhenItsTimeIsOver) {
  const Sleeper daemon;
  const Result<std::unique_ptr<DrillGuard>> guard = DrillGuard::make();
  ASSERT_TRUE(guard.ok());
  ASSERT_TRUE((*guard)->freeze(daemon.process(), std::chrono::seconds(50)).ok());
  EXPECT_TRUE(daemon.turns(true));
  EXPECT_TRUE((*guard)->thaw().ok());
  EXPECT_TRUE(daemon.turns(false));
  ASSERT_TRUE((*guard)->freeze(daemon.process(), std::chrono::milliseconds(300)).ok());
  EXPECT_TRUE(daemon.turns(true));
  EXPECT_TRUE(daemon.turns(false)) << "by itself";
}

TEST(DrillGuard, AFrozenProcessGoesOnWhenTheDrillOrTheGuardIsKilled) {
  const Sleeper daemon;
  const pid_t drill = ::fork();
  if (drill == 0) {
    const Result<std::unique_ptr<DrillGuard>> guard = DrillGuard::make();
    if (!guard || !(*guard)->freeze(daemon.process(), std::chrono::seconds(50)).ok()) ::_exit(1);
    for (;;) ::pause();
  }
  EXPECT_TRUE(daemon.turns(true));
  ::kill(drill, SIGKILL);
  ::waitpid(drill, nullptr, 0);
  EXPECT_TRUE(daemon.turns(false));
  const Result<std::unique_ptr<DrillGuard>> guard = DrillGuard::make();
  ASSERT_TRUE(guard.ok());
  ASSERT_TRUE((*guard)->freeze(daemon.process(), std::chrono::seconds(50)).ok());
  EXPECT_TRUE(daemon.turns(true));
  ::kill((*guard)->process(), SIGKILL);
  EXPECT_TRUE((*guard)->thaw().ok());
  EXPECT_TRUE(daemon.turns(false)) << "from here";
}

TEST(DrillGuard, AProcessThatIsNotThereCannotBeFrozen) {
  const Result<std::unique_ptr<DrillGuard>> guard = DrillGuard::make();
  ASSERT_TRUE(guard.ok());
  constexpr int nobody = 1 << 30;
  EXPECT_EQ((*guard)->freeze(nobody, std::chrono::seconds(1)).error().message, "No such process");
}

}  // namespace
}  // namespace ccr::tools::tools_pair_test
