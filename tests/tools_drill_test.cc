// The verdict of a drill, its JSON and its text, from facts.
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tools/drill_json.h"
#include "tools/drill_text.h"
#include "tools/report_page.h"

namespace ccr::tools::tools_drill_test {
namespace {

using nlohmann::json;

DrillLook look(double at, Position generated) {
  DrillLook made;
  made.at_seconds = at;
  made.state = "healthy";
  made.root = "00000000000000aa";
  made.root_at = made.generated = made.durable = generated;
  return made;
}

constexpr Position early{{7}, 4096}, late{{8}, 8192};

// A reseed of 20 MiB in two seconds, as it should be.
DrillFacts good(DrillKind kind) {
  DrillFacts facts;
  facts.kind = kind;
  facts.database = "orders";
  facts.node = "beta";
  facts.active = "alpha";
  facts.database_kind = "pages";
  facts.when = "2026-01-02T03:04:05Z";
  facts.seconds = 7;
  facts.gates = {{"contact with alpha", "connected", true}};
  facts.link_bytes_per_second = 20e6;
  facts.before = look(0, early);
  facts.seed_began = 4;
  DrillLook half = look(5, early);
  half.state = "seeding";
  half.root.clear();
  half.root_at = Position{};
  half.done_bytes = half.wire_bytes = half.logical_bytes = 10 * MiB;
  half.total_bytes = 20 * MiB;
  half.lag_seconds = 0.25;
  DrillLook end = look(6, early);
  end.done_bytes = end.total_bytes = end.wire_bytes = end.logical_bytes = 20 * MiB;
  end.extents_sent = 20;
  end.lag_seconds = 0;
  end.cuts = end.extents_again = 0;
  facts.samples = {half, end};
  facts.after = end;
  facts.pages_seconds = 1.5;
  facts.healthy_seconds = 2;
  facts.extents_in_flight_max = 16;
  return facts;
}

std::string broken(const DrillVerdict& verdict) {
  std::string names;
  for (const DrillCheck& check : verdict.checks) {
    if (!check.holds) names += (names.empty() ? "" : "; ") + check.name + ": " + check.found;
  }
  return names;
}

TEST(DrillVerdict, AReseedThatIsHealthyWithItsOldRootPasses) {
  const DrillVerdict verdict = judge(good(DrillKind::reseed));
  EXPECT_TRUE(verdict.pass) << broken(verdict);
  EXPECT_EQ(verdict.text, "PASS: reseed of orders@beta: healthy after 2.0 s, root equal at 7+4096");
  EXPECT_EQ(verdict.exit_code(), ExitCode::done);
}

TEST(DrillVerdict, WhatIsNotGoodBeforehandIsARefusalAndNothingElseIsJudged) {
  DrillFacts facts = good(DrillKind::reseed);
  facts.gates.push_back({"it is healthy before", "disconnected", false});
  facts.before.reset();
  facts.after.reset();
  const DrillVerdict verdict = judge(facts);
  EXPECT_FALSE(verdict.pass);
  EXPECT_EQ(broken(verdict), "it is healthy before: disconnected");
  EXPECT_EQ(verdict.exit_code(), ExitCode::refused);
}

TEST(DrillVerdict, AnotherRootWhereNobodyWroteIsDamage) {
  DrillFacts facts = good(DrillKind::reseed);
  facts.after->root = "00000000000000bb";
  EXPECT_EQ(broken(judge(facts)), "the root is what it was, as nobody wrote: 00000000000000bb");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts.after->generated = facts.after->root_at = late;
  EXPECT_TRUE(judge(facts).pass) << "somebody wrote";
}

TEST(DrillVerdict, ARootThatWasNotComparedSinceIsNone) {
  DrillFacts facts = good(DrillKind::reseed);
  facts.after->root_at = Position{};
  EXPECT_EQ(broken(judge(facts)), "both nodes have one root, compared behind the seed: not known");
  facts = good(DrillKind::reseed);
  facts.before->root_at = facts.before->generated = late;
  facts.after->generated = late;
  EXPECT_EQ(broken(judge(facts)), "both nodes have one root, compared behind the seed: 00000000000000aa at 7+4096");
}

TEST(DrillVerdict, ALoadThatMadeNoLogWasNone) {
  DrillFacts facts = good(DrillKind::reseed_under_load);
  EXPECT_EQ(broken(judge(facts)), "log was made meanwhile: 0 B");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::failed_checks);
  facts.after->generated = Position{};
  EXPECT_EQ(broken(judge(facts)), "log was made meanwhile: not known");
  facts.after->generated = late;
  EXPECT_TRUE(judge(facts).pass);
}

TEST(DrillVerdict, ACutMayCostWhatIsInFlightAndNoMore) {
  DrillFacts facts = good(DrillKind::interrupted_reseed);
  facts.cuts_wanted = facts.cuts_made = 3;
  facts.after->cuts = 3;
  facts.after->extents_again = 48;
  EXPECT_TRUE(judge(facts).pass) << broken(judge(facts));
  facts.after->extents_again = 49;
  EXPECT_EQ(broken(judge(facts)), "a cut costs no more than what is in flight: 49 extents asked for again");
  facts.after->extents_again = std::nullopt;
  EXPECT_EQ(broken(judge(facts)), "a cut costs no more than what is in flight: not known");
  facts.after->extents_again = 0;
  facts.after->cuts = 2;
  EXPECT_FALSE(judge(facts).pass) << "the node counted less cuts than were made";
  facts.after->cuts = 3;
  facts.cuts_made = 2;
  EXPECT_EQ(broken(judge(facts)), "the seed's connection was cut as often as asked: 2 times");
}

TEST(DrillVerdict, RotIsFoundOnItsPageAloneAndGoneAfterTheRepair) {
  DrillFacts facts = good(DrillKind::rot);
  EXPECT_FALSE(judge(facts).pass) << "nothing was damaged";
  facts.rot = DrillRot{42, 7, 1, 0, {42}, true, true};
  EXPECT_EQ(judge(facts).text, "PASS: rot of orders@beta: page 42 was found and repaired, healthy after 2.0 s, root equal at 7+4096");
  facts.rot->found = {43};
  EXPECT_EQ(broken(judge(facts)), "the verification found the damaged page, no other: page 43");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts.rot->found = {42, 43};
  facts.rot->found_total = 2;
  EXPECT_EQ(broken(judge(facts)), "the verification found the damaged page, no other: page 42, 43");
  facts.rot = DrillRot{42, 7, 0, 0, {}, false, std::nullopt};
  EXPECT_EQ(broken(judge(facts)), "the verification found the damaged page, no other: none; a verification behind the repair finds nothing: not known");
}

TEST(DrillVerdict, AnOlderFileMustBeRefusedAndThereMustBeSomethingNewerThanIt) {
  DrillFacts facts = good(DrillKind::restored_backup);
  EXPECT_FALSE(judge(facts).pass) << "it did not come to it";
  facts.restored = DrillRestored{"/srv/orders.db.copy.drill", 7, 9, false, "another file is there", true};
  EXPECT_TRUE(judge(facts).pass) << broken(judge(facts));
  EXPECT_EQ(judge(facts).text,
            "PASS: restored-backup of orders@beta: a file as of commit 7 was refused, and brought to what it should be, healthy after 2.0 s, root equal at 7+4096");
  EXPECT_EQ(drill_json(facts, judge(facts))["restored"]["refusal"], "another file is there");
  facts.restored->taken = true;
  EXPECT_EQ(broken(judge(facts)), "the older file is not taken for the copy: it was taken");
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::damage);
  facts.restored->taken = false;
  facts.restored->commit = 7;
  EXPECT_EQ(broken(judge(facts)), "commits were made behind the backup: 7");
  facts.restored->commit = 9;
  facts.restored->equal_after = false;
  EXPECT_EQ(broken(judge(facts)), "a verification behind the repair finds nothing: a difference");
}

TEST(DrillVerdict, WhatEndedItDecidesTheExitCode) {
  DrillFacts facts = good(DrillKind::reseed);
  facts.after.reset();
  facts.ended = Error{ErrorKind::timeout, "nothing moved for 60 s; the copy is seeding", ""};
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::timeout);
  EXPECT_EQ(judge(facts).text, "FAIL: reseed of orders@beta: it came to its end: expected the end, found nothing moved for 60 s; the copy is seeding");
  facts.ended = Error{ErrorKind::unreachable, "the daemon is gone", ""};
  EXPECT_EQ(judge(facts).exit_code(), ExitCode::unreachable);
}

TEST(DrillVerdict, WhatCouldNotBeMeasuredWarns) {
  DrillFacts facts = good(DrillKind::reseed);
  facts.link_bytes_per_second.reset();
  facts.link_unknown = "a measurement of gamma runs there";
  for (DrillLook& each : facts.samples) each.lag_seconds.reset();
  const DrillVerdict verdict = judge(facts);
  EXPECT_TRUE(verdict.pass);
  EXPECT_EQ(verdict.exit_code(), ExitCode::warnings);
  EXPECT_EQ(verdict.warnings, (std::vector<std::string>{"the link was not measured: a measurement of gamma runs there",
                                                        "the lag of the log was never known while pages came"}));
}

TEST(DrillCuts, LieInOrderAndAwayFromBothEnds) {
  std::uint64_t drawn = 0;
  const auto chance = [&drawn](std::uint64_t below) { return (drawn += 7919) % below; };
  for (const std::uint64_t count : {1, 3, 100}) {
    const std::vector<double> points = cut_points(count, chance);
    ASSERT_EQ(points.size(), count);
    for (std::size_t i = 0; i < points.size(); ++i) {
      EXPECT_GE(points[i], 0.05);
      EXPECT_LT(points[i], 0.9);
    }
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
  }
}

TEST(DrillLook, IsReadFromStatusAndWhatIsNotThereIsNotKnown) {
  const DrillLook blank = look_of(json::parse(R"({"state":"seeding","root_equal":null,"generated":null,"seed":{"running":true}})"), 1);
  EXPECT_TRUE(blank.seeding);
  EXPECT_FALSE(blank.lag_seconds || blank.commit || blank.cuts || blank.log_behind(1 * MiB));
  const DrillLook told = look_of(json::parse(R"({"state":"seeding","generated":{"generation":3,"offset":5000},"durable":{"generation":2,"offset":6000},"lag_seconds":null,
    "seed":{"running":true,"log_lag_seconds":1.5,"cuts":2,"extents_again":9,"done_bytes":5,"total_bytes":6}})"), 1);
  EXPECT_EQ(told.log_behind(10'000), 9'000u);
  EXPECT_EQ(told.lag_seconds, 1.5);
  EXPECT_EQ(told.cuts, 2u);
}

TEST(DrillJson, HasAmountsSeriesAndWhatIsUnknownAsNull) {
  const DrillFacts facts = good(DrillKind::reseed);
  const json document = drill_json(facts, judge(facts));
  EXPECT_EQ(document["kind"], "drill_reseed");
  EXPECT_EQ(document["pass"], true);
  EXPECT_EQ(document["amounts"]["bytes"], 20 * MiB);
  EXPECT_NEAR(document["amounts"]["bytes_per_second"].get<double>(), 20.0 * double(MiB) / 1.5, 1);
  EXPECT_NEAR(document["amounts"]["share_of_link"].get<double>(), 0.699, 0.001);
  EXPECT_EQ(document["amounts"]["lag_seconds_most"], 0.25);
  EXPECT_EQ(document["series"][0]["values"], (json{10.0 * double(MiB), 10.0 * double(MiB)}));
  EXPECT_EQ(document["series"][2]["values"], (json{0.25, 0.0}));
  EXPECT_EQ(document["root_before"]["equal_at"]["generation"], 7);
  DrillFacts cut = facts;
  cut.after.reset();
  cut.pages_seconds.reset();
  cut.ended = Error{ErrorKind::timeout, "late", "wait"};
  const json unknown = drill_json(cut, judge(cut));
  EXPECT_TRUE(unknown["amounts"]["bytes"].is_null());
  EXPECT_TRUE(unknown["amounts"]["share_of_link"].is_null());
  EXPECT_TRUE(unknown["root_after"].is_null());
  EXPECT_EQ(unknown["ended"]["kind"], "timeout");
}

TEST(DrillText, IsATableOfAmountsAndOneOfChecks) {
  const DrillFacts facts = good(DrillKind::reseed);
  EXPECT_EQ(drill_text(drill_json(facts, judge(facts)), false),
            "orders@beta from alpha, 7.0 s, 2026-01-02T03:04:05Z\n"
            "\n"
            "AMOUNT                     VALUE\n"
            "database                   20.0 MiB\n"
            "pages that crossed         20.0 MiB\n"
            "on the wire                20.0 MiB\n"
            "until its pages were here  1.500s\n"
            "until it was healthy       2.000s\n"
            "rate of pages              14.0 MB/s\n"
            "rate on the wire           14.0 MB/s\n"
            "share of the link          70 % of 20.0 MB/s\n"
            "log made meanwhile         0 B\n"
            "log behind at most         0 B\n"
            "log lag at most            0.250s\n"
            "root before                00000000000000aa, equal on both nodes at 7+4096\n"
            "root after                 00000000000000aa, equal on both nodes at 7+4096\n"
            "\n"
            "VERDICT  CHECK                                               EXPECTED            FOUND\n"
            "PASS     contact with alpha                                  good                connected\n"
            "PASS     it came to its end                                  the end             the end\n"
            "PASS     the copy is healthy again                           healthy             healthy\n"
            "PASS     all of the database came                            20.0 MiB            20.0 MiB\n"
            "PASS     both nodes have one root, compared behind the seed  at 7+4096 or later  00000000000000aa at 7+4096\n"
            "PASS     the root is what it was, as nobody wrote            00000000000000aa    00000000000000aa\n"
            "\n"
            "PASS: reseed of orders@beta: healthy after 2.0 s, root equal at 7+4096\n");
}

TEST(DrillText, ARepairWithoutASeedTellsNothingOfAnOlderSeed) {
  DrillFacts facts = good(DrillKind::rot);
  facts.rot = DrillRot{42, 7, 1, 0, {42}, true, true};
  facts.samples.clear();
  facts.pages_seconds.reset();
  const json document = drill_json(facts, judge(facts));
  EXPECT_EQ(document["rot"]["repaired_by"], "verification");
  EXPECT_TRUE(document["amounts"]["bytes"].is_null());
  const std::string text = drill_text(document, false);
  EXPECT_NE(text.find("repaired by  verification\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("on the wire"), std::string::npos) << text;
}

TEST(DrillText, ForeignTextIsSafe) {
  DrillFacts facts = good(DrillKind::reseed);
  facts.after->state = "fail\x1b[2Jed";
  EXPECT_EQ(drill_text(drill_json(facts, judge(facts)), false).find('\x1b'), std::string::npos);
}

TEST(DrillReport, IsDrawnAsAMeasurementIs) {
  const DrillFacts facts = good(DrillKind::reseed);
  const ReportInput input{"the drill", drill_json(facts, judge(facts)).dump()};
  EXPECT_TRUE(report_page(input, std::nullopt).ok());
}

}  // namespace
}  // namespace ccr::tools::tools_drill_test
