// The health checks of a node: each one well, a warning, failed and not known.
#include <gtest/gtest.h>

#include <functional>

#include <nlohmann/json.hpp>

#include "tools/health_checks.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

// 2026-01-04T07:10:00Z
constexpr WallTime check_time{1'767'510'600'000'000'000};

// alpha with its active copy of a page store, beta with a healthy one that was proven.
const char* const healthy_status = R"({"schema":1,"cluster":"lab","node":"alpha","daemon":true,"tls":"require","disk":"io_uring",
 "certificate":{"name":"ccr://lab/alpha","expires_at":"2026-12-01T00:00:00Z","days_left":330,"sha256":"00"},
 "paths":[{"peer":"beta","path":"10.77.0.2:64327","state":"up","since":"2026-01-04T07:00:00Z","cause":""},
          {"peer":"beta","path":"10.78.0.2:64327","state":"up","since":"2026-01-04T07:00:00Z","cause":""}],
 "peers":[{"node":"beta","configuration_equal":true,"heard_at":"2026-01-04T07:09:50Z","clock_ahead_seconds":-0.25,"round_trip_seconds":0.001}],
 "databases":[{"name":"orders","kind":"pages","active":"alpha","copies":[
  {"node":"alpha","role":"active","state":"mounted","cause":"","comment":"","hint":"","since":"2026-01-02T03:04:05Z",
   "log_directory":"/log","log_budget_bytes":68719476736,"log_bytes":2097152,"source":{"lag_seconds":0.0,"uncaptured_bytes":0},
   "scrub":{"every_seconds":604800,"finished_at":"2026-01-03T07:10:00Z","waiting":null,"overdue":false}},
  {"node":"beta","role":"passive","state":"healthy","cause":"","comment":"","hint":"","since":"2026-01-02T03:04:05Z",
   "copy_queue":{"generations":0,"bytes":0,"seconds":0.0},"lag_seconds":0.004,"root_equal_at":{"generation":107505,"offset":4096},
   "disk_verified_at":"2026-01-04T04:10:00Z","seed":{"running":false},
   "connection":{"path":"10.77.0.2:64327","window_asked":0,"window_granted":4194304,"window_scaling":true,"timestamps":true,
                 "rtt_seconds":0.04,"delivery_rate":100000000,"held":null}}]}]})";

struct Stage {
  json status = json::parse(healthy_status);
  HostFacts host;
  engine::Config config;
  json& active = status["databases"][0]["copies"][0];
  json& passive = status["databases"][0]["copies"][1];
  json& connection = passive["connection"];

  Stage() {
    host.limits = transport::HostLimits{};
    host.free_bytes = {{"/log", 100 * GiB}, {"/data", 100 * GiB}, {"/state", 100 * GiB}};
    config.node = "alpha";
    config.state_dir = "/state";
    config.databases["orders"].kind = engine::DatabaseKind::pages;
    config.databases["orders"].path = "/data/orders.pages";
    config.databases["orders"].copies = {"alpha", "beta"};
  }
  std::vector<HealthCheck> checks() const { return checks_of(status, host, config, check_time); }
};

const char* verdict_in(const std::vector<HealthCheck>& checks, const std::string& name, const std::string& subject) {
  for (const HealthCheck& check : checks)
    if (check.name == name && (subject.empty() || check.subject == subject)) return name_of(check.verdict);
  return "no such check";
}

HealthCheck worst(const Stage& stage, const std::string& name) {
  HealthCheck found{"none", "", Health::ok, "", ""};
  for (const HealthCheck& check : stage.checks())
    if (check.name == name && (found.name == "none" || check.verdict != Health::ok)) found = check;
  return found;
}

TEST(Checks, AHealthyPairPassesThemAll) {
  const std::vector<HealthCheck> checks = Stage().checks();
  for (const HealthCheck& check : checks) {
    EXPECT_EQ(check.verdict, Health::ok) << check.name << " of " << check.subject << ": " << check.found;
    EXPECT_EQ(check.hint, "") << check.name;
    EXPECT_NE(check.found, "") << check.name;
  }
  EXPECT_EQ(checks.size(), 24u);
  EXPECT_EQ(count(checks).exit_code(), ExitCode::done);
  EXPECT_EQ(checks_text(checks, false, false), "24 checks, all ok\n");
}

struct Case {
  const char *check, *subject, *verdict, *words;  // words that are part of what was found
  std::function<void(Stage&)> change;
};

void expect_cases(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    Stage stage;
    each.change(stage);
    const std::vector<HealthCheck> checks = stage.checks();
    EXPECT_STREQ(verdict_in(checks, each.check, each.subject), each.verdict) << each.check << " with " << each.words;
    if (std::string(each.verdict) == "no such check") continue;
    bool said = false;
    for (const HealthCheck& check : checks) {
      if (check.name != each.check || name_of(check.verdict) != std::string(each.verdict)) continue;
      said = said || check.found.find(each.words) != std::string::npos;
      const bool may_lack_one = check.name == "state" || check.name == "sysctl";
      EXPECT_TRUE(may_lack_one || check.hint.empty() == (check.verdict == Health::ok)) << check.name << ": " << check.found;
    }
    EXPECT_TRUE(said) << each.check << " does not say '" << each.words << "': " << worst(stage, each.check).found;
  }
}

TEST(Checks, OfTheNodeAndItsHost) {
  expect_cases({
      {"disk_backend", "alpha", "ok", "io_uring", [](Stage&) {}},
      {"disk_backend", "alpha", "warning", "threads", [](Stage& s) { s.status["disk"] = "threads"; }},
      {"disk_backend", "alpha", "unknown", "not told", [](Stage& s) { s.status.erase("disk"); }},
      {"tls", "alpha", "warning", "off", [](Stage& s) { s.status["tls"] = "off"; }},
      {"tls", "alpha", "unknown", "not known", [](Stage& s) { s.status["tls"] = nullptr; }},
      {"certificate", "alpha", "ok", "30 days left", [](Stage& s) { s.status["certificate"]["days_left"] = 30; }},
      {"certificate", "alpha", "warning", "29 days left, to 2026-12-01",
       [](Stage& s) { s.status["certificate"]["days_left"] = 29; }},
      {"certificate", "alpha", "failed", "expired", [](Stage& s) { s.status["certificate"]["days_left"] = -1; }},
      {"certificate", "alpha", "unknown", "not known", [](Stage& s) { s.status.erase("certificate"); }},
      {"certificate", "alpha", "no such check", "",
       [](Stage& s) {
         s.status["tls"] = "off";
         s.status["disk"] = "threads";
       }},
  });
}

TEST(Checks, OfTheConfigurationAndTheKernel) {
  expect_cases({
      {"in_force", "alpha", "ok", "databases and copies of the file", [](Stage&) {}},
      {"in_force", "alpha", "warning", "says of mail is not in force", [](Stage& s) { s.config.databases["mail"].copies = {"alpha"}; }},
      {"in_force", "alpha", "ok", "databases and copies", [](Stage& s) { s.config.databases["mail"].copies = {"beta"}; }},
      {"in_force", "alpha", "warning", "says of orders is not in force", [](Stage& s) { s.config.databases["orders"].copies = {"alpha"}; }},
      {"in_force", "alpha", "warning", "says of orders is not in force", [](Stage& s) { s.config.databases.clear(); }},
      {"settings", "alpha", "warning", "not in force", [](Stage& s) { s.config.warnings = {"streams is not in force"}; }},
      {"sqlite", "alpha", "ok", "no known fault",
       [](Stage& s) { s.config.databases["orders"].kind = engine::DatabaseKind::sqlite; }},
      {"sqlite", "alpha", "warning", "older",
       [](Stage& s) {
         s.config.databases["orders"].kind = engine::DatabaseKind::sqlite;
         s.host.sqlite_warning = "SQLite 3.40.1 is older than 3.51.3";
       }},
      {"sysctl", "alpha", "ok", "are on", [](Stage&) {}},
      {"sysctl", "alpha", "warning", "window scaling is off: at most 64 KiB in flight, 1.6 MB/s per connection at 40 ms",
       [](Stage& s) { s.host.limits->scaling = false; }},
      {"sysctl", "alpha", "warning", "timestamps are off", [](Stage& s) { s.host.limits->timestamps = false; }},
      {"sysctl", "alpha", "unknown", "cannot be read", [](Stage& s) { s.host.limits.reset(); }},
      {"space", "/log", "ok", "1.0 GiB free", [](Stage& s) { s.host.free_bytes["/log"] = 1 * GiB; }},
      {"space", "/log", "warning", "512.0 MiB free", [](Stage& s) { s.host.free_bytes["/log"] = 512 * MiB; }},
      {"space", "/data", "failed", "64.0 MiB free", [](Stage& s) { s.host.free_bytes["/data"] = 64 * MiB; }},
      {"space", "/state", "unknown", "not known", [](Stage& s) { s.host.free_bytes.erase("/state"); }},
  });
}

TEST(Checks, OfTheOtherNodes) {
  const auto peer = [](Stage& s) -> json& { return s.status["peers"][0]; };
  expect_cases({
      {"configuration", "beta", "ok", "the same", [](Stage&) {}},
      {"configuration", "beta", "failed", "not the same", [&](Stage& s) { peer(s)["configuration_equal"] = false; }},
      {"configuration", "beta", "unknown", "not heard of",
       [&](Stage& s) { peer(s)["configuration_equal"] = peer(s)["heard_at"] = nullptr; }},
      {"configuration", "beta", "unknown", "last heard 3m ago", [&](Stage& s) { peer(s)["heard_at"] = "2026-01-04T07:07:00Z"; }},
      {"clock", "beta", "ok", "0.250s behind", [](Stage&) {}},
      {"clock", "beta", "ok", "2.5",
       [&](Stage& s) {
         peer(s)["clock_ahead_seconds"] = 2.5;
         peer(s)["round_trip_seconds"] = 0.6;
       }},
      {"clock", "beta", "warning", "ahead of", [&](Stage& s) { peer(s)["clock_ahead_seconds"] = 2.5; }},
      {"clock", "beta", "failed", "1m 01s behind", [&](Stage& s) { peer(s)["clock_ahead_seconds"] = -61; }},
      {"clock", "beta", "unknown", "not asked", [&](Stage& s) { peer(s)["clock_ahead_seconds"] = nullptr; }},
      {"clock", "beta", "unknown", "last heard", [&](Stage& s) { peer(s)["heard_at"] = "2026-01-04T07:07:00Z"; }},
  });
}

TEST(Checks, OfPathsAndConnections) {
  const auto lose = [](Stage& s, int path) {
    s.status["paths"][path]["state"] = "down";
    s.status["paths"][path]["cause"] = "no heartbeat";
  };
  expect_cases({
      {"path", "beta 10.77.0.2:64327", "warning", "down for 10m 00s, no heartbeat", [&](Stage& s) { lose(s, 0); }},
      {"path", "beta 10.77.0.2:64327", "failed", "down",
       [&](Stage& s) {
         lose(s, 0);
         lose(s, 1);
       }},
      {"path", "beta 10.78.0.2:64327", "unknown", "not tried", [](Stage& s) { s.status["paths"][1]["state"] = "unknown"; }},
      {"window", "10.77.0.2:64327", "ok", "4.0 MiB", [](Stage&) {}},
      {"window", "10.77.0.2:64327", "warning", "1.6 MB/s per connection at 40 ms, 1.6 % of the link",
       [](Stage& s) { s.connection["window_scaling"] = false; }},
      {"window", "10.77.0.2:64327", "warning", "4.0 MiB of 8.0 MiB", [](Stage& s) { s.connection["window_asked"] = 8 * MiB; }},
      {"window", "10.77.0.2:64327", "warning", "held back by net.ipv4.tcp_rmem = 6291456",
       [](Stage& s) {
         s.connection["held"] = {{"setting", "net.ipv4.tcp_rmem"}, {"here", 6'291'456}, {"wanted", 12'582'912}};
       }},
      {"window", "10.77.0.2:64327", "unknown", "4.0 MiB", [](Stage& s) { s.connection["window_scaling"] = nullptr; }},
      {"window", "10.77.0.2:64327", "unknown", "not known of 8.0 MiB",
       [](Stage& s) {
         s.connection["window_asked"] = 8 * MiB;
         s.connection["window_granted"] = nullptr;
       }},
      {"timestamps", "10.77.0.2:64327", "warning", "a sequence number returns after 43 s",
       [](Stage& s) { s.connection["timestamps"] = false; }},
      {"timestamps", "10.77.0.2:64327", "unknown", "not known", [](Stage& s) { s.connection.erase("timestamps"); }},
  });
}

TEST(Checks, OfTheStateOfACopy) {
  const auto put = [](const char* state, const char* cause = "") {
    return [=](Stage& s) {
      s.passive["state"] = state;
      s.passive["cause"] = cause;
    };
  };
  const char* const beta = "orders@beta";
  expect_cases({
      {"state", "orders@alpha", "ok", "Mounted", [](Stage&) {}},
      {"state", "orders@alpha", "failed", "Dismounted for 2d 04h, both alpha and beta were activated by force",
       [](Stage& s) {
         s.active["state"] = "dismounted";
         s.active["cause"] = "both alpha and beta were activated by force";
       }},
      {"state", beta, "warning", "by root", put("suspended", "by root")},
      {"state", beta, "warning", "NeedsSeed", put("needs_seed")},
      {"state", beta, "warning", "Resynchronizing", put("resynchronizing")},
      {"state", beta, "warning", "a seed runs, 25.0 % done at 80.0 MB/s, 1m 00s left",
       [](Stage& s) {
         s.passive["state"] = "seeding";
         s.passive["seed"] = {
             {"running", true}, {"done_bytes", 10}, {"total_bytes", 40}, {"rate", 80'000'000}, {"eta_seconds", 60}};
       }},
      {"state", beta, "failed", "Disconnected", put("disconnected", "last heard")},
      {"state", beta, "failed", "FailedAndSuspended for 2d 04h, chain", put("failed_and_suspended", "chain digest")},
      {"state", beta, "failed", "Failed", put("failed")},
      {"state", beta, "unknown", "not known", [](Stage& s) { s.passive["state"] = nullptr; }},
      {"state", beta, "unknown", "Dreaming", put("dreaming")},
  });
}

TEST(Checks, OfWhatAWholeCopyLacks) {
  const auto queue = [](std::uint64_t generations, double seconds, const char* state = "healthy") {
    return [=](Stage& s) {
      s.passive["copy_queue"] = {{"generations", generations}, {"bytes", generations * MiB}, {"seconds", seconds}};
      s.passive["state"] = state;
    };
  };
  const auto delayed = [](json behind, double lag = 3600) {
    return [=](Stage& s) { s.passive["replay_lag"] = {{"seconds", lag}, {"held_bytes", 64 * MiB}, {"behind_seconds", behind}, {"due_in_seconds", nullptr}, {"rests", false}}; };
  };
  const char* const beta = "orders@beta";
  expect_cases({
      {"replay", beta, "ok", "delayed by 1h 00m, holds 64.0 MiB of 1h 00m", delayed(3601)},
      {"replay", beta, "warning", "delayed by 1h 00m, holds 64.0 MiB of 1h 02m", delayed(3600 + 3600 / 32 + 12)},
      {"replay", beta, "failed", "delayed by 1h 00m, holds 64.0 MiB of 1h 03m", delayed(3600 + 3600 / 32 + 70)},
      {"replay", beta, "unknown", "delayed by 1h 00m", delayed(nullptr)},
      {"copy_queue", beta, "ok", "6 generations", queue(6, 60)},
      {"copy_queue", beta, "ok", "40 generations", queue(40, 1)},
      {"copy_queue", beta, "warning", "7 generations, 7.0 MiB", queue(7, 3)},
      {"copy_queue", beta, "failed", "13 generations", queue(13, 11)},
      {"copy_queue", beta, "warning", "13 generations", queue(13, 11, "suspended")},
      {"copy_queue", beta, "unknown", "not known", [](Stage& s) { s.passive["copy_queue"] = nullptr; }},
      {"lag", beta, "warning", "10.5s", [](Stage& s) { s.passive["lag_seconds"] = 10.5; }},
      {"lag", beta, "failed", "1m 01s", [](Stage& s) { s.passive["lag_seconds"] = 61; }},
      {"lag", beta, "unknown", "not known", [](Stage& s) { s.passive["lag_seconds"] = nullptr; }},
      {"proof", beta, "ok", "1a3f1", [](Stage&) {}},
      {"proof", beta, "warning", "never compared", [](Stage& s) { s.passive["root_equal_at"] = nullptr; }},
      {"disk_verified", beta, "ok", "3h ago", [](Stage&) {}},
      {"disk_verified", beta, "warning", "never read back", [](Stage& s) { s.passive["disk_verified_at"] = nullptr; }},
      {"disk_verified", beta, "warning", "34d ago", [](Stage& s) { s.passive["disk_verified_at"] = "2025-12-01T07:10:00Z"; }},
  });
  Stage suspended;
  suspended.passive["state"] = "suspended";
  suspended.passive["lag_seconds"] = nullptr;
  EXPECT_STREQ(verdict_in(suspended.checks(), "lag", ""), "no such check") << "its state says it already";
  Stage prompt;
  delayed(nullptr, 0)(prompt);
  EXPECT_STREQ(verdict_in(prompt.checks(), "replay", ""), "no such check") << "it is not delayed";
}

TEST(Checks, OfWhatOnlyTheOwnNodeKnows) {
  expect_cases({
      {"scrub", "orders@alpha", "ok", "last pass ended 1d ago", [](Stage&) {}},
      {"scrub", "orders@alpha", "ok", "off", [](Stage& s) { s.active["scrub"]["every_seconds"] = nullptr; }},
      {"scrub", "orders@alpha", "warning", "overdue, the last pass ended 1d ago",
       [](Stage& s) { s.active["scrub"]["overdue"] = true; }},
      {"scrub", "orders@alpha", "failed", "page 7",
       [](Stage& s) { s.active["scrub"]["waiting"] = "page 7: beta cannot tell now"; }},
      {"capture", "orders@alpha", "no such check", "",
       [](Stage& s) {
         s.status["databases"][0]["kind"] = "pages";
         s.active["state"] = nullptr;
       }},
      {"capture", "orders@alpha", "ok", "0.000s behind", [](Stage& s) { s.status["databases"][0]["kind"] = "sqlite"; }},
      {"capture", "orders@alpha", "warning", "11.0s behind the programs, 4.0 MiB",
       [](Stage& s) {
         s.status["databases"][0]["kind"] = "sqlite";
         s.active["source"] = {{"lag_seconds", 11}, {"uncaptured_bytes", 4 * MiB}};
       }},
      {"quarantine", "orders@beta", "ok", "empty",
       [](Stage& s) {
         s.status["node"] = "beta";
         s.passive["quarantine"] = {{"files", 0}, {"bytes", 0}};
       }},
      {"quarantine", "orders@beta", "warning", "3 files with 3.0 MiB, of at most 256 and 1.0 GiB",
       [](Stage& s) {
         s.status["node"] = "beta";
         s.passive["quarantine"] = {{"files", 3}, {"bytes", 3 * MiB}};
       }},
      {"quarantine", "orders@beta", "failed", "256 files",
       [](Stage& s) {
         s.status["node"] = "beta";
         s.passive["quarantine"] = {{"files", 256}, {"bytes", 3 * MiB}};
       }},
  });
}

// beta is suspended since half past six, and missed so much since then.
void absent(Stage& s, std::uint64_t missed_bytes, std::uint64_t log_bytes) {
  s.passive["state"] = "suspended";
  s.passive["since"] = "2026-01-04T06:30:00Z";
  s.passive["copy_queue"] = {{"generations", 1}, {"bytes", missed_bytes}, {"seconds", 1}};
  s.active["log_bytes"] = log_bytes;
}

TEST(Checks, OfCommitsThatWaitForAnotherCopy) {
  const auto waits = [](const char* mode, bool fallen_back, json seconds) {
    return [=](Stage& s) { s.active["commits"] = {{"mode", mode}, {"fallen_back", fallen_back}, {"waiting_seconds", seconds}}; };
  };
  expect_cases({
      {"commits", "orders@alpha", "no such check", "", waits("async", false, 0.0)},
      {"commits", "orders@alpha", "ok", "durable, none waits", waits("durable", false, 0.0)},
      {"commits", "orders@alpha", "warning", "received, fallen back to async", waits("received", true, 0.0)},
      {"commits", "orders@alpha", "warning", "the oldest waits for 10.5s", waits("durable", false, 10.5)},
      {"commits", "orders@alpha", "failed", "the oldest waits for 1m 01s", waits("durable", false, 61)},
      {"commits", "orders@alpha", "unknown", "durable", waits("durable", false, nullptr)},
  });
}

TEST(Checks, ForecastWhenTheLogIsFull) {
  expect_cases({
      {"log", "orders@alpha", "ok", "2.0 MiB of 64.0 GiB", [](Stage&) {}},
      {"log", "orders@alpha", "ok", "kept for beta, and does not grow", [](Stage& s) { absent(s, 0, 1 * GiB); }},
      {"log", "orders@alpha", "ok", "log_budget is reached in 1d 18h", [](Stage& s) { absent(s, 1 * GiB, 1 * GiB); }},
      {"log", "orders@alpha", "warning", "log_budget is reached in 20h 40m", [](Stage& s) { absent(s, 2 * GiB, 2 * GiB); }},
      {"log", "orders@alpha", "failed", "log_budget is reached in 40m", [](Stage& s) { absent(s, 32 * GiB, 32 * GiB); }},
      {"log", "orders@alpha", "failed", "its disk is full in 10m",
       [](Stage& s) {
         absent(s, 2 * GiB, 2 * GiB);
         s.host.free_bytes["/log"] = 512 * MiB;
       }},
      {"log", "orders@alpha", "unknown", "how fast it grows is not known",
       [](Stage& s) {
         absent(s, 0, 1 * GiB);
         s.passive["copy_queue"] = nullptr;
       }},
      {"log", "orders@alpha", "unknown", "room on its disk",
       [](Stage& s) {
         absent(s, 2 * GiB, 2 * GiB);
         s.host.free_bytes.erase("/log");
       }},
  });
}

TEST(Checks, ACopyOfAnotherPassiveNodeIsCheckedWhereItIsKnown) {
  Stage stage;
  stage.status["node"] = "beta";
  stage.passive["quarantine"] = {{"files", 0}, {"bytes", 0}};
  stage.status["databases"][0]["copies"].push_back(
      {{"node", "gamma"}, {"role", "passive"}, {"state", nullptr}, {"cause", "known on alpha"}});
  EXPECT_STREQ(verdict_in(stage.checks(), "state", "orders@gamma"), "no such check");
  EXPECT_STREQ(verdict_in(stage.checks(), "state", "orders@alpha"), "ok");
}

TEST(Checks, OfAThousandConnectionsOverOnePathTheWorstIsToldOnce) {
  Stage stage;
  json second = stage.status["databases"][0];
  second["name"] = "mail";
  second["copies"][1]["connection"]["window_scaling"] = false;
  stage.status["databases"].push_back(second);
  std::size_t windows = 0;
  for (const HealthCheck& check : stage.checks()) windows += check.name == "window" ? 1 : 0;
  EXPECT_EQ(windows, 1u);
  EXPECT_STREQ(verdict_in(stage.checks(), "window", ""), "warning");
}

TEST(Checks, TheTextHasWhatIsNotOkAndTheJsonHasAll) {
  Stage stage;
  stage.status["tls"] = "off";
  stage.passive["state"] = "failed";
  stage.passive["cause"] = "\x1b[2J";
  stage.passive["hint"] = "ccr seed orders@beta";
  stage.host.limits.reset();
  const std::vector<HealthCheck> checks = stage.checks();
  EXPECT_EQ(checks_text(checks, false, false),
            "CHECK   SUBJECT      VERDICT  FOUND\n"
            "tls     alpha        warning  off: anybody on the network is believed, and reads all\n"
            "  hint: ccr cert makes certificates; then mode = \"require\" in [tls] on every node\n"
            "sysctl  alpha        unknown  /proc/sys/net cannot be read\n"
            "state   orders@beta  failed   Failed for 2d 04h, \\x1b[2J\n"
            "  hint: ccr seed orders@beta\n"
            "20 checks, 1 failed, 1 warning, 1 unknown\n");
  EXPECT_NE(checks_text(checks, true, false).find("service"), std::string::npos);
  const json document = checks_json(checks);
  EXPECT_EQ(document["schema"], 1);
  EXPECT_EQ(document["checks"].size(), 20u);
  EXPECT_EQ(document["checks"][0],
            (json{{"check", "service"}, {"subject", "alpha"}, {"verdict", "ok"}, {"found", "answers"}, {"hint", ""}}));
  EXPECT_EQ(document["ok"], 17);
  EXPECT_EQ(document["warnings"], 1);
  EXPECT_EQ(document["failed"], 1);
  EXPECT_EQ(document["unknown"], 1);
}

TEST(Checks, TheWorstVerdictIsTheExitCode) {
  const auto code_of = [](std::initializer_list<Health> verdicts) {
    std::vector<HealthCheck> checks;
    for (const Health verdict : verdicts) checks.push_back({"a", "b", verdict, "", ""});
    return count(checks).exit_code();
  };
  EXPECT_EQ(code_of({Health::ok}), ExitCode::done);
  EXPECT_EQ(code_of({Health::ok, Health::warning}), ExitCode::warnings);
  EXPECT_EQ(code_of({Health::unknown, Health::ok}), ExitCode::warnings);
  EXPECT_EQ(code_of({Health::failed, Health::warning}), ExitCode::failed_checks);
}

TEST(Checks, ADaemonThatDoesNotAnswerIsOneFailedCheck) {
  engine::Config config;
  config.node = "alpha";
  const std::vector<HealthCheck> checks =
      checks_without_daemon(config, Error{ErrorKind::unreachable, "nobody listens", "start it"});
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_EQ(
      checks_json(checks)["checks"][0],
      (json{{"check", "service"}, {"subject", "alpha"}, {"verdict", "failed"}, {"found", "nobody listens"}, {"hint", "start it"}}));
}

TEST(Checks, AnswersOfAnotherShapeAreSurvived) {
  for (
      const char* answer :
      {"{}", "[]", "null", R"({"databases":7,"peers":[1],"paths":[null]})", R"({"databases":[{"copies":[null,3]}]})",
       R"({"node":"a","databases":[{"copies":[{"node":"a","role":"active","since":"x","copy_queue":{"bytes":-1},"scrub":[]}]}]})"}) {
    const Stage stage;
    EXPECT_NE(count(checks_of(json::parse(answer), stage.host, stage.config, check_time)).exit_code(), ExitCode::done) << answer;
  }
}

}  // namespace
}  // namespace ccr::tools
