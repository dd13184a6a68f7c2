#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "tests/config_example.h"
#include "tools/amounts.h"
#include "tools/config_changes.h"
#include "tools/config_json.h"
#include "tools/event_line.h"
#include "tools/exit_code.h"
#include "tools/progress_bar.h"
#include "tools/progress_display.h"
#include "tools/result_text.h"
#include "tools/service_notify.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

TEST(ExitCodes, EachKindOfErrorHasItsNumber) {
  const std::vector<std::pair<ErrorKind, int>> expected{
      {ErrorKind::not_found, 2}, {ErrorKind::exists, 1},   {ErrorKind::io, 1},           {ErrorKind::no_space, 1},
      {ErrorKind::read_only, 1}, {ErrorKind::corrupt, 5},  {ErrorKind::gap, 5},          {ErrorKind::diverged, 5},
      {ErrorKind::identity, 4},  {ErrorKind::protocol, 1}, {ErrorKind::disconnected, 3}, {ErrorKind::unreachable, 3},
      {ErrorKind::timeout, 6},   {ErrorKind::refused, 4},  {ErrorKind::unsupported, 1},  {ErrorKind::config, 2},
      {ErrorKind::usage, 2},     {ErrorKind::busy, 4},     {ErrorKind::stopped, 3},
  };
  for (const auto& [kind, code] : expected) EXPECT_EQ(static_cast<int>(exit_code_of(kind)), code) << name_of(kind);
  EXPECT_EQ(static_cast<int>(ExitCode::done), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::warnings), 10);
  EXPECT_EQ(static_cast<int>(ExitCode::failed_checks), 11);
  EXPECT_EQ(static_cast<int>(ExitCode::interrupted), 130);
}

TEST(Amounts, SizesAreBinaryAndRatesDecimal) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(size_text(4ULL << 30), "4.0 GiB");
  EXPECT_EQ(size_text(5000ULL << 40), "5000.0 TiB");
  EXPECT_EQ(rate_text(0), "0 B/s");
  EXPECT_EQ(rate_text(999), "999 B/s");
  EXPECT_EQ(rate_text(12'345), "12.3 kB/s");
  EXPECT_EQ(rate_text(112'400'000), "112.4 MB/s");
}

TEST(Amounts, TimesAreShownInTwoUnits) {
  EXPECT_EQ(age_text(0), "0s");
  EXPECT_EQ(age_text(59.9), "59s");
  EXPECT_EQ(age_text(72), "1m 12s");
  EXPECT_EQ(age_text(3 * 3600 + 5 * 60), "3h 05m");
  EXPECT_EQ(age_text(2 * 86400 + 4 * 3600 + 100), "2d 04h");
  EXPECT_EQ(age_text(-5), "0s");
  EXPECT_EQ(seconds_text(0.004), "0.004s");
  EXPECT_EQ(seconds_text(12.34), "12.3s");
  EXPECT_EQ(seconds_text(59.96), "1m 00s");
  EXPECT_EQ(seconds_text(72), "1m 12s");
  EXPECT_EQ(rough_age_text(3 * 3600 + 5 * 60), "3h");
  EXPECT_EQ(rough_age_text(45), "45s");
}

TEST(Amounts, TimesOfTheDaemonAreReadBack) {
  EXPECT_EQ(seconds_of_rfc3339("1970-01-01T00:00:10Z"), 10);
  EXPECT_EQ(seconds_of_rfc3339("2026-01-02T03:04:05Z"), 1767323045);
  for (const char* text : {"", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+01:00"})
    EXPECT_EQ(seconds_of_rfc3339(text), -1) << text;
}

TEST(TextTable, WidthCountsCharactersNotBytes) {
  TextTable table({"A", "B"});
  table.add({{{"äöü", Style::none}, {"x", Style::none}}, "", {}});
  table.add({{{"abc", Style::none}, {"y", Style::none}}, "remark", {"note"}});
  EXPECT_EQ(table.text(false), "A    B\näöü  x\nabc  y   remark\n  note\n");
}

TEST(TextTable, ControlCharactersAreEscaped) {
  EXPECT_EQ(escaped("plain äöü €"), "plain äöü €");
  EXPECT_EQ(escaped(std::string("a\0b\tc\x7f", 6)), "a\\x00b\\x09c\\x7f");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(escaped("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(escaped("\xff\xfe"), "\\xff\\xfe");
}

TEST(ProgressBar, ALineSaysPhaseShareRateAndTimeLeft) {
  const Progress progress = progress_of(
      json::parse(R"({"phase":"seeding","done_bytes":1858534211,"total_bytes":4294967296,"rate":812400000,"eta_seconds":2.9})"));
  EXPECT_EQ(progress_line(progress), "seeding  43.2 %  1.7 GiB of 4.0 GiB  812.4 MB/s  2s left");
}

TEST(ProgressBar, ALimitStandsBesideTheRate) {
  const Progress progress = progress_of(
      json::parse(R"({"phase":"seeding","done_bytes":0,"total_bytes":4294967296,"rate":70,"rate_limit":80,"eta_seconds":null})"));
  EXPECT_EQ(progress_line(progress), "seeding  0.0 %  0 B of 4.0 GiB  70 B/s (limit 80 B/s)");
}

TEST(ProgressBar, TheBarFillsTheLine) {
  const Progress progress = progress_of(json::parse(R"({"phase":"seeding","done_bytes":50,"total_bytes":100})"));
  EXPECT_EQ(progress_bar(progress, 46), "seeding  [######------]  50.0 %  50 B of 100 B");
  EXPECT_EQ(progress_bar(progress, 200).find(']'), 50u);  // a bar is at most 40 wide
}

TEST(ProgressBar, ANarrowTerminalGetsNoBar) {
  const Progress progress = progress_of(json::parse(R"({"phase":"seeding","done_bytes":50,"total_bytes":100})"));
  EXPECT_EQ(progress_bar(progress, 40), "seeding  50.0 %  50 B of 100 B");
  EXPECT_EQ(progress_bar(progress, 10), "seeding  5");
}

TEST(ProgressBar, WhatIsNotKnownIsLeftOut) {
  EXPECT_EQ(progress_line(progress_of(
                json::parse(R"({"phase":"replaying","done_bytes":null,"total_bytes":null,"rate":null,"eta_seconds":null})"))),
            "replaying");
  EXPECT_EQ(progress_line(progress_of(json::object())), "working");
  EXPECT_EQ(progress_line(progress_of(json::parse(R"({"done_bytes":7,"total_bytes":0})"))), "working  7 B");
}

TEST(ProgressBar, ItNeverSaysDoneBeforeAllIsDone) {
  EXPECT_EQ(progress_line(progress_of(json::parse(R"({"phase":"seeding","done_bytes":99999,"total_bytes":100000})"))),
            "seeding  99.9 %  97.7 KiB of 97.7 KiB");
}

class ProgressDisplayTest : public testing::Test {
 protected:
  void SetUp() override { out = open_memstream(&text, &size); }
  void TearDown() override {
    std::fclose(out);
    std::free(text);
  }
  std::string printed() {
    std::fflush(out);
    return {text, size};
  }
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = nullptr;
  const json fields = json::parse(R"({"phase":"seeding","done_bytes":50,"total_bytes":100})");
};

TEST_F(ProgressDisplayTest, WithoutATerminalThereIsOneLineEachTenSeconds) {
  ProgressDisplay display(out, 0);
  for (int second = 0; second <= 25; ++second) display.show(fields, Instant{second * 1'000'000'000LL});
  display.finish();
  EXPECT_EQ(printed(), "seeding  50.0 %  50 B of 100 B\nseeding  50.0 %  50 B of 100 B\n");
}

TEST_F(ProgressDisplayTest, OnATerminalTheBarIsDrawnAtOnceAndTakenAway) {
  ProgressDisplay display(out, 41);
  display.show(fields, Instant{0});
  display.show(fields, Instant{50'000'000});  // too soon
  display.finish();
  EXPECT_EQ(printed(), "\rseeding  50.0 %  50 B of 100 B\x1b[K\r\x1b[K");
}

TEST(EventLine, TextOfPeersIsOneLineOfTheLog) {
  const Event event{"state_changed",
                    "orders@beta",
                    {{"from", "healthy"}, {"to", "suspended"}, {"cause", "line\nbreak \"quoted\""}, {"empty", ""}}};
  EXPECT_EQ(event_line(event, WallTime{1767323045LL * 1'000'000'000}),
            "2026-01-02T03:04:05Z orders@beta state_changed from=healthy to=suspended cause=\"line\\x0abreak \\\"quoted\\\"\" "
            "empty=\"\"");
}

TEST(ResultText, AVerificationSaysWhatWasComparedAsOfWhen) {
  EXPECT_EQ(verify_text("orders@beta", json::parse(R"({"equal":true,"pages_checked":1024,"root":"5d199d01778ec63e",
                                                     "position":{"generation":107506,"offset":8192}})")),
            "orders@beta is equal to the active copy: 1024 pages read on both sides, as of 1a3f2+8192, root 5d199d01778ec63e\n");
}

TEST(ResultText, AVerificationNamesTheSideAndItsPages) {
  EXPECT_EQ(verify_text("orders@beta", json::parse(R"({"equal":false,"roots_equal":true,"pages_checked":1024,"differing_pages":[5,6,9],
                                                     "differing_total":3,"position":{"generation":1,"offset":4096},
                                                     "active":{"pages_checked":1024,"differing_pages":[],"differing_total":0}})")),
            "orders@beta: 3 of 1024 pages on its disk are not what the log says: 5, 6, 9\nhint: ccr seed orders@beta\n");
  EXPECT_EQ(verify_text("orders@beta", json::parse(R"({"equal":false,"roots_equal":true,"pages_checked":1024,"differing_pages":[],
                                                     "differing_total":0,"position":{"generation":1,"offset":4096},
                                                     "active":{"pages_checked":1025,"differing_pages":[77],"differing_total":1}})")),
            "the active copy: 1 of 1025 pages on its disk are not what the log says: 77\n"
            "hint: look at the active node's disk, and at who wrote its file; a seed from it is refused\n");
  EXPECT_EQ(verify_text("orders@beta", json::parse(R"({"equal":false,"roots_equal":false,"pages_checked":1024,"differing_pages":[],
                                                     "differing_total":0,"position":{"generation":1,"offset":4096}})")),
            "orders@beta is not proven equal to the active copy: the last equal root is as of 1+4096\nhint: ccr status orders@beta\n");
  const json sound = json::parse(R"({"equal":false,"roots_equal":false,"differing_total":0,"position":{"generation":1,"offset":4096},"active":{"differing_total":0}})");
  json changed = sound;
  EXPECT_EQ(verify_code(sound), ExitCode::warnings);
  changed["differing_total"] = 1;
  EXPECT_EQ(verify_code(changed), ExitCode::damage);
  changed = sound;
  changed["active"]["differing_total"] = 1;
  EXPECT_EQ(verify_code(changed), ExitCode::damage);
  changed = sound;
  changed["position"] = nullptr;
  EXPECT_EQ(verify_code(changed), ExitCode::damage) << "it was never proven equal";
  changed["equal"] = true;
  EXPECT_EQ(verify_code(changed), ExitCode::done);
}

TEST(ResultText, AVerificationSaysWhatItRepaired) {
  EXPECT_EQ(verify_text("orders@beta", json::parse(R"({"equal":false,"roots_equal":true,"pages_checked":1024,"differing_pages":[5,6],
                                                     "differing_total":2,"repaired_pages":[5,6],"position":{"generation":1,"offset":4096},
                                                     "active":{"pages_checked":1024,"differing_pages":[],"differing_total":0}})")),
            "orders@beta: 2 of 1024 pages on its disk are not what the log says: 5, 6\n"
            "2 of them are repaired from another copy: nothing is left to do\n"
            "hint: look at this disk: what rotted once may rot again\n");
  EXPECT_EQ(verify_text("orders@beta", json::parse(R"({"equal":false,"roots_equal":true,"pages_checked":1024,"differing_pages":[5,6],
                                                     "differing_total":2,"repaired_pages":[6],"position":{"generation":1,"offset":4096},
                                                     "active":{"pages_checked":1024,"differing_pages":[],"differing_total":0}})")),
            "orders@beta: 2 of 1024 pages on its disk are not what the log says: 5, 6\n"
            "1 of them is repaired from another copy\n"
            "hint: ccr seed orders@beta\nhint: look at this disk: what rotted once may rot again\n");
}

TEST(ResultText, AScrubSaysWhatItFoundAndDid) {
  EXPECT_EQ(scrub_text("orders@beta", json::parse(R"({"pages_checked":1024,"rotten_pages":0,"repaired_pages":0,"lost_pages":0})")),
            "orders@beta: 1024 pages read, all are what the log says\n");
  EXPECT_EQ(scrub_text("orders@beta", json::parse(R"({"pages_checked":1024,"rotten_pages":2,"repaired_pages":2,"lost_pages":0})")),
            "orders@beta: 1024 pages read, 2 rotten, 2 repaired\n");
  EXPECT_EQ(scrub_text("orders@alpha", json::parse(R"({"pages_checked":1024,"rotten_pages":2,"repaired_pages":1,"lost_pages":1})")),
            "orders@alpha: 1024 pages read, 2 rotten, 1 repaired, 1 lost\nhint: ccr events orders@alpha names them; look at this disk\n");
  EXPECT_EQ(scrub_text("orders@beta", json::parse(R"({"cancelled":true})")), "the scrub of orders@beta goes on at its own pace\n");
  EXPECT_EQ(scrub_text("orders@beta", json::parse(R"({"cancelled":false})")), "no scrub of orders@beta was asked for\n");
}

TEST(ResultText, APlanListsChecksAndSteps) {
  EXPECT_EQ(change_text("orders@beta", json::parse(R"({"dry_run":true,"checks":[{"check":"connected","ok":true},
                                                     {"check":"not suspended","ok":false,"found":"suspended"}],"plan":["one","two"]})")),
            "orders@beta: nothing is changed; this is what would be done\n  good     connected\n  refused  not suspended: suspended\n  "
            "1. one\n  2. two\n");
  EXPECT_EQ(change_text("orders@beta", json::parse(R"({"dry_run":false,"copy":{"state":"suspended","comment":"disk swap"}})")),
            "orders@beta is Suspended: \"disk swap\"\n");
}

TEST(ResultText, ALoadShowsThroughputAndLatency) {
  EXPECT_EQ(
      load_text("orders",
                json::parse(R"({"commits":3000,"bytes":30000000,"seconds":10.0,"latency_us":{"p50":295,"p99":590,"p999":1200}})")),
      "orders: 3000 commits, 28.6 MiB in 10.0 s; 300 commits/s, 3.0 MB/s; commit p50 295 us, p99 590 us, p99.9 1200 us\n");
}

TEST(ConfigChanges, KeysAndTablesAreNamed) {
  const std::string example = engine::example_config;
  const auto parsed = [](const std::string& text) { return *engine::parse_config(text, "ccr.toml", "alpha"); };
  std::string changed = example;
  changed.replace(changed.find("\"unlimited\""), 11, "\"80MB/s\"");
  changed.replace(changed.find("\"64GiB\""), 7, "\"32GiB\"");
  changed += "[databases.mail]\npath = \"/srv/mail.db\"\nlogs = \"/srv/mail-log\"\ncopies = [\"alpha\"]\n";
  EXPECT_EQ(config_changes(parsed(example), parsed(example)), std::vector<std::string>{});
  EXPECT_EQ(config_changes(parsed(example), parsed(changed)),
            (std::vector<std::string>{"databases.orders.log_budget", "transport.seed_rate", "databases.mail"}));
}

TEST(ConfigJson, AmountsAreRawNumbers) {
  const json config = config_json(*engine::parse_config(engine::example_config, "ccr.toml", "alpha"));
  EXPECT_EQ(config["schema"], 1);
  EXPECT_EQ(config["databases"]["orders"]["log_budget"], 68719476736);
  EXPECT_EQ(config["transport"]["heartbeat"]["interval"], 1.2);
  EXPECT_EQ(config["transport"]["seed_rate"], nullptr);
  EXPECT_EQ(config["verify"]["rate"], 200'000'000);
  EXPECT_EQ(config["scrub"]["every_seconds"], 604800.0);
  EXPECT_EQ(config["scrub"]["rate"], 20'000'000);
  EXPECT_EQ(config["scrub"]["when"], "always");
  EXPECT_EQ(config["tls"]["mode"], "off");
}

TEST(ServiceNotify, TheServiceManagerGetsOneDatagram) {
  char directory[] = "/tmp/ccr-notify-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/notify";
  const int manager = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(manager, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_service("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  notify_service("STOPPING=1");
  char text[64] = {};
  EXPECT_EQ(::recv(manager, text, sizeof text, MSG_DONTWAIT), 7);
  EXPECT_STREQ(text, "READY=1");
  EXPECT_EQ(::recv(manager, text, sizeof text, MSG_DONTWAIT), -1);
  ::close(manager);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ccr::tools
