#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "tools/log_forecast.h"
#include "tools/status_text.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

// 2026-01-04T07:10:00Z
constexpr WallTime now{1'767'510'600'000'000'000};

const char* const example_status = R"({"schema":1,"cluster":"lab","node":"alpha","databases":[
 {"name":"orders","kind":"sqlite","active":"alpha","epoch":41,"signature":"00112233445566778899aabbccddeeff","copies":[
  {"node":"alpha","role":"active","state":"mounted","cause":"","comment":"","hint":"","since":"2026-01-02T03:04:05Z",
   "generated":{"generation":107506,"offset":4096},"received":null,"durable":null,"inspected":null,"replayed":null,
   "copy_queue":null,"replay_queue":null,"ship_bytes_per_second":112400000,"lag_seconds":null,"mode":null,"root":null,
   "root_equal_at":null,"disk_verified_at":null,"tip_heard_at":null,"seed":{"running":false},"connection":null},
  {"node":"beta","role":"passive","state":"healthy","cause":"","comment":"","hint":"","since":"2026-01-02T03:04:05Z",
   "generated":{"generation":107506,"offset":4096},"received":{"generation":107506,"offset":4096},
   "durable":{"generation":107506,"offset":4096},"inspected":{"generation":107506,"offset":4096},
   "replayed":{"generation":107506,"offset":4096},
   "copy_queue":{"generations":0,"bytes":0,"seconds":0.0},"replay_queue":{"generations":0,"bytes":0,"seconds":0.0},
   "ship_bytes_per_second":112400000,"lag_seconds":0.004,"mode":"block","root":"5d199d01778ec63e",
   "root_equal_at":{"generation":107505,"offset":4096},"disk_verified_at":"2026-01-04T04:00:00Z","tip_heard_at":"2026-01-04T07:09:59Z",
   "seed":{"running":false,"done_bytes":0,"total_bytes":0},"connection":{"path":"10.77.0.2:64327","tls":"TLS_AES_128_GCM_SHA256"}}]},
 {"name":"mail","kind":"sqlite","active":"alpha","epoch":41,"signature":"ffeeddccbbaa99887766554433221100","copies":[
  {"node":"beta","role":"passive","state":"suspended","cause":"by root","comment":"disk swap","hint":"","since":"2026-01-04T07:08:48Z",
   "generated":{"generation":2869,"offset":4096},"inspected":{"generation":2832,"offset":4096},"replayed":{"generation":2832,"offset":4096},
   "copy_queue":{"generations":37,"bytes":38797312,"seconds":72},"replay_queue":{"generations":0,"bytes":0,"seconds":0},
   "ship_bytes_per_second":0,"lag_seconds":72,"root_equal_at":null,"disk_verified_at":null,"seed":{"running":false},"connection":null}]}]})";

const char* const example_text =
    "cluster lab   this node alpha   epoch 41\n"
    "DATABASE  NODE   ROLE     STATE      COPY QUEUE  REPLAY QUEUE  RATE        LAG     GENERATION  SINCE\n"
    "orders    alpha  active   Mounted    -           -             112.4 MB/s  -       1a3f2       2d 04h\n"
    "orders    beta   passive  Healthy    0           0             112.4 MB/s  0.004s  1a3f2       2d 04h   root equal at 1a3f1, "
    "disk verified 3h ago\n"
    "mail      beta   passive  Suspended  37          0             0 B/s       1m 12s  b10         1m 12s   by root: \"disk "
    "swap\"\n";

// The example with one copy changed.
std::string text_with(const json& changes, bool color = false) {
  json status = json::parse(example_status);
  status["databases"].erase(1);
  status["databases"][0]["copies"].erase(0);
  status["databases"][0]["copies"][0].update(changes);
  return status_text(status, now, color);
}

TEST(StatusText, TheExampleOfTheManualLooksAsItIsPrintedThere) {
  EXPECT_EQ(status_text(json::parse(example_status), now, false), example_text);
}

TEST(StatusText, WhatIsNotKnownIsAQuestionMark) {
  const json unknown{{"state", nullptr},
                     {"since", nullptr},
                     {"inspected", nullptr},
                     {"copy_queue", nullptr},
                     {"replay_queue", nullptr},
                     {"lag_seconds", nullptr},
                     {"root_equal_at", nullptr},
                     {"disk_verified_at", nullptr},
                     {"ship_bytes_per_second", nullptr}};
  EXPECT_EQ(text_with(unknown),
            "cluster lab   this node alpha   epoch 41\n"
            "DATABASE  NODE  ROLE     STATE  COPY QUEUE  REPLAY QUEUE  RATE  LAG  GENERATION  SINCE\n"
            "orders    beta  passive  ?      ?           ?             ?     ?    ?           ?\n");
}

TEST(StatusText, AHintStandsBelowItsRow) {
  const json failed{{"state", "failed_and_suspended"},
                    {"cause", "chain digest 9f3e does not follow 29"},
                    {"hint", "ccr seed orders@beta"},
                    {"root_equal_at", nullptr},
                    {"disk_verified_at", nullptr}};
  EXPECT_EQ(text_with(failed),
            "cluster lab   this node alpha   epoch 41\n"
            "DATABASE  NODE  ROLE     STATE               COPY QUEUE  REPLAY QUEUE  RATE        LAG     GENERATION  SINCE\n"
            "orders    beta  passive  FailedAndSuspended  0           0             112.4 MB/s  0.004s  1a3f2       2d 04h   chain "
            "digest 9f3e "
            "does not follow 29\n"
            "  hint: ccr seed orders@beta\n");
}

TEST(StatusText, ARunningSeedShowsHowFarItIs) {
  const json seeding{
      {"state", "seeding"},
      {"root_equal_at", nullptr},
      {"disk_verified_at", nullptr},
      {"seed",
       {{"running", true}, {"done_bytes", 1ULL << 30}, {"total_bytes", 1ULL << 32}, {"rate", 800e6}, {"eta_seconds", 4.03}}}};
  const std::string text = text_with(seeding);
  EXPECT_NE(text.find("2d 04h   seed 25.0 % of 4.0 GiB at 800.0 MB/s, 4s left\n"), std::string::npos) << text;
}

TEST(StatusText, TheLimitOfASeedIsShown) {
  const json seed{{"running", true}, {"done_bytes", 0}, {"total_bytes", 1ULL << 32}, {"rate", 70}, {"rate_limit", 80}, {"eta_seconds", nullptr}};
  const std::string text = text_with({{"state", "seeding"}, {"root_equal_at", nullptr}, {"disk_verified_at", nullptr}, {"seed", seed}});
  EXPECT_NE(text.find("2d 04h   seed 0.0 % of 4.0 GiB at 70 B/s (limit 80 B/s)\n"), std::string::npos) << text;
}

TEST(StatusText, CauseAndCommentThatSayTheSameAreSaidOnce) {
  const std::string text = text_with({{"state", "suspended"}, {"cause", "disk swap"}, {"comment", "disk swap"}});
  EXPECT_NE(text.find("2d 04h   \"disk swap\", root equal at 1a3f1"), std::string::npos) << text;
}

TEST(StatusText, WhatADelayHoldsBackIsSaid) {
  const auto said = [](json behind, json due, bool rests = false) {
    const json lag{{"seconds", 3600}, {"truncation_seconds", 0}, {"held_bytes", 7}, {"held_commits", 2}, {"behind_seconds", behind}, {"due_in_seconds", due}, {"rests", rests}};
    return text_with({{"root_equal_at", nullptr}, {"disk_verified_at", nullptr}, {"replay_lag", lag}});
  };
  const auto expect = [](const std::string& text, const std::string& words) { EXPECT_NE(text.find("2d 04h   " + words + "\n"), std::string::npos) << text; };
  expect(said(723, 4), "delayed 1h 00m, holds 12m 03s, next in 4s");
  expect(said(0, nullptr), "delayed 1h 00m, holds nothing");
  expect(said(nullptr, nullptr), "delayed 1h 00m");
  expect(said(723, 2877, true), "delayed 1h 00m, holds 12m 03s, replay rests: an activation --until may follow");
  EXPECT_EQ(text_with({{"replay_lag", {{"seconds", 0}, {"truncation_seconds", 60}}}}).find("delayed"), std::string::npos) << "only its log is kept longer";
}

TEST(StatusText, TheStateFileIsNamedWhereTheDaemonIsDown) {
  json status = json::parse(example_status);
  status["daemon"] = false;
  EXPECT_TRUE(status_text(status, now, false)
                  .starts_with("cluster lab   this node alpha   epoch 41   (from the state file, daemon not running)\n"));
}

TEST(StatusText, ACertificateNearItsEndIsShown) {
  const auto heading = [](int days_left) {
    json status = json::parse(example_status);
    status["certificate"] = {{"days_left", days_left}};
    return status_text(status, now, false).substr(0, status_text(status, now, false).find('\n'));
  };
  EXPECT_EQ(heading(30), "cluster lab   this node alpha   epoch 41");
  EXPECT_EQ(heading(29), "cluster lab   this node alpha   epoch 41   certificate expires in 29 days");
  EXPECT_EQ(heading(-1), "cluster lab   this node alpha   epoch 41   certificate expired");
}

TEST(StatusText, TlsThatIsOffIsShown) {
  json status = json::parse(example_status);
  status["tls"] = "off";
  EXPECT_TRUE(status_text(status, now, false).starts_with("cluster lab   this node alpha   epoch 41   TLS off\n"));
}

TEST(StatusText, APathThatIsDownIsShownBesideTheOneThatIsUp) {
  json status = json::parse(example_status);
  const json first{{"peer", "alpha"}, {"path", "10.77.0.1:64327"}, {"state", "up"}, {"since", "2026-01-04T07:09:00Z"}, {"rtt_seconds", 0.0002}, {"cause", ""}};
  json second{{"peer", "alpha"}, {"path", "10.78.0.1:64327"}, {"state", "down"}, {"since", "2026-01-04T07:08:48Z"}, {"rtt_seconds", nullptr}, {"cause", "no answer"}};
  status["paths"] = {first, second};
  const std::string lines = "\npaths to alpha: 10.77.0.1:64327 up 0.2 ms, 10.78.0.1:64327 down for 1m 12s (no answer)\nDATABASE";
  EXPECT_NE(status_text(status, now, false, Detail::brief).find(lines), std::string::npos) << status_text(status, now, false, Detail::brief);
  second.update({{"state", "up"}, {"rtt_seconds", 0.003}});
  status["paths"] = {first, second};
  EXPECT_EQ(status_text(status, now, false, Detail::brief).find("paths"), std::string::npos) << "while all are up nobody needs to know";
  EXPECT_NE(status_text(status, now, false, Detail::full).find("10.78.0.1:64327 up 3.0 ms"), std::string::npos);
}

TEST(StatusText, EpochsThatDifferAreNamed) {
  json status = json::parse(example_status);
  status["databases"][1]["epoch"] = 3;
  EXPECT_TRUE(status_text(status, now, false).starts_with("cluster lab   this node alpha   epochs orders 41, mail 3\n"));
}

TEST(StatusText, ColourIsOnlyThereWhenAskedFor) {
  EXPECT_EQ(text_with(json::object()).find('\x1b'), std::string::npos);
  EXPECT_NE(text_with(json::object(), true).find("\x1b[32mHealthy\x1b[0m  "), std::string::npos);
}

json example_scrub() {
  return json::parse(R"({"every_seconds":604800.0,"asked":false,"done_bytes":104857600,"total_bytes":209715200,"began_at":"2026-01-03T07:10:00Z",
                         "finished_at":"2026-01-02T07:10:00Z","rotten_pages":0,"repaired_pages":0,"waiting":null,"overdue":false})");
}

// mail's copy on beta is suspended for 72 s, and 37 MiB behind.
TEST(StatusText, HowLongTheLogMayGrowForAnAbsentCopyIsForecast) {
  json status = json::parse(example_status);
  json& copies = status["databases"][1]["copies"];
  json active{{"node", "alpha"}, {"role", "active"}, {"state", "mounted"}, {"log_bytes", 1 * GiB}, {"log_budget_bytes", 2 * GiB}};
  const auto remark = [&](std::optional<std::uint64_t> free_bytes) {
    active["log_forecast"] = log_forecast(status["databases"][1], active, free_bytes, now);
    json shown = status;
    shown["databases"][1]["copies"].push_back(active);
    const std::string text = status_text(shown, now, false);
    const std::size_t at = text.find("log kept for beta");
    return at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(remark(100 * GiB), "log kept for beta, at 538.9 kB/s log_budget is reached in 33m 12s");
  EXPECT_EQ(remark(512 * MiB), "log kept for beta, at 538.9 kB/s its disk is full in 16m 36s");
  EXPECT_EQ(remark(std::nullopt), "log kept for beta, at 538.9 kB/s, the room on its disk is not known");
  EXPECT_EQ(active["log_forecast"]["holders"], json::array({"beta"}));
  copies[0]["copy_queue"] = nullptr;
  EXPECT_EQ(remark(100 * GiB), "log kept for beta, how fast it grows is not known");
  copies[0]["state"] = "healthy";
  EXPECT_EQ(remark(100 * GiB), "") << "nobody is absent";
  EXPECT_TRUE(active["log_forecast"].is_null());
}

TEST(StatusText, OfAScrubOnlyWhatMattersIsARemark) {
  EXPECT_EQ(text_with({{"scrub", example_scrub()}}), text_with({{"scrub", nullptr}}));
  json scrub = example_scrub();
  scrub["rotten_pages"] = scrub["repaired_pages"] = 2;
  scrub["waiting"] = "page 7: alpha cannot tell now";
  scrub["overdue"] = true;
  const std::string text = text_with({{"scrub", scrub}});
  EXPECT_NE(text.find("disk verified 3h ago, rotten page 7: alpha cannot tell now, 2 pages repaired, scrub overdue\n"), std::string::npos) << text;
}

TEST(StatusText, TheVerboseFormSaysWhatACommitIsWorth) {
  json status = json::parse(example_status);
  const auto shown = [&status](const json& commits) {
    status["databases"][0]["copies"][0]["commits"] = commits;
    return status_text(status, now, false, Detail::full);
  };
  EXPECT_NE(shown({{"mode", "async"}}).find("commits: asynchronous: what no copy has yet is lost with this host\n"), std::string::npos) << shown({{"mode", "async"}});
  EXPECT_NE(shown({{"mode", "durable"}}).find("commits: durable: answered when a copy has them\n"), std::string::npos);
  EXPECT_NE(shown({{"mode", "durable"}, {"fallen_back", true}}).find("commits: durable, fallen back to asynchronous"), std::string::npos);
}

TEST(StatusText, TheVerboseFormSaysHowFarTheScrubIs) {
  json status = json::parse(example_status);
  const auto shown = [&status](const json& scrub) {
    status["databases"][0]["copies"][1]["scrub"] = scrub;
    return status_text(status, now, false, Detail::full);
  };
  json scrub = example_scrub();
  EXPECT_NE(shown(scrub).find("scrub: 50.0 % of this pass, last pass ended 2d ago, 0 rotten, 0 repaired\n"), std::string::npos) << shown(scrub);
  scrub["done_bytes"] = scrub["finished_at"] = nullptr;
  EXPECT_NE(shown(scrub).find("scrub: rests, no pass is finished yet, 0 rotten"), std::string::npos) << shown(scrub);
  scrub["every_seconds"] = nullptr;
  EXPECT_NE(shown(scrub).find("scrub: off, "), std::string::npos) << shown(scrub);
}

TEST(StatusText, ForeignTextCannotDriveTheTerminal) {
  const std::string text = text_with({{"cause", "\x1b[2J\nowned \xff"}});
  EXPECT_NE(text.find("\\x1b[2J\\x0aowned \\xff"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(StatusText, AnswersOfAnotherShapeAreSurvived) {
  for (const char* status :
       {"{}", "[]", "null", R"({"databases":7})", R"({"databases":[7]})", R"({"databases":[{"copies":[null,3]}]})",
        R"({"databases":[{"copies":[{"since":"x","copy_queue":{"generations":-1},"lag_seconds":"y"}]}]})"}) {
    EXPECT_TRUE(status_text(json::parse(status), now, false).starts_with("cluster ")) << status;
  }
}

TEST(StatusText, NodesWithoutDatabasesSaySo) {
  EXPECT_EQ(status_text(json::parse(R"({"cluster":"lab","node":"alpha","databases":[]})"), now, false),
            "cluster lab   this node alpha\nno databases\n");
}

TEST(StateNames, EitherSpellingIsUnderstood) {
  EXPECT_EQ(state_title("failed_and_suspended"), "FailedAndSuspended");
  EXPECT_EQ(state_title("healthy"), "Healthy");
  EXPECT_EQ(state_name("FailedAndSuspended"), "failed_and_suspended");
  EXPECT_EQ(state_name("failed-and-suspended"), "failed_and_suspended");
  EXPECT_EQ(state_name("healthy"), "healthy");
  EXPECT_EQ(state_name("needs_seed"), "needs_seed");
}

}  // namespace
}  // namespace ccr::tools
