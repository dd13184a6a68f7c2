// The page of `ccr report`.
#include <gtest/gtest.h>

#include "tools/report_page.h"

namespace ccr::tools::tools_report_test {
namespace {

ReportInput run(const std::string& kind, const std::string& node = "alpha") {
  return {"run.json", R"({"schema":1,"kind":")" + kind + R"(","node":")" + node + R"(","series":[],"percentiles":[]})"};
}

std::string refusal(const Result<std::string>& page) { return page.ok() ? "a page" : page.error().message; }

TEST(ReportPage, IsOneFileThatNeedsNothingElse) {
  const Result<std::string> page = report_page(run("bench_link"), std::nullopt);
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_TRUE(page->starts_with("<!doctype html>"));
  EXPECT_NE(page->find("var uPlot="), std::string::npos);
  EXPECT_NE(page->find("Permission is hereby granted, free of charge"), std::string::npos) << "the licence goes along";
  EXPECT_NE(page->find(R"(<script id="run" type="application/json">{"kind":"bench_link")"), std::string::npos);
  EXPECT_NE(page->find(R"(<script id="old" type="application/json">null</script>)"), std::string::npos);
  for (const char* outside : {"src=", "href=", "@import", "url(", "%PAGE_JS%", "%RUN%"}) EXPECT_EQ(page->find(outside), std::string::npos) << outside;
}

TEST(ReportPage, WhatAMeasurementSaysIsDataOnly) {
  const Result<std::string> page = report_page(run("bench_link", "</script><b>%OLD%"), std::nullopt);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->find("</script><b>"), std::string::npos);
  EXPECT_NE(page->find("\\u003c/script>\\u003cb>%OLD%"), std::string::npos) << "nor is it looked at for places to fill";
}

TEST(ReportPage, AnOlderRunOfTheSameKindStandsBesideIt) {
  const Result<std::string> page = report_page(run("bench_log"), run("bench_log", "older"));
  ASSERT_TRUE(page.ok());
  EXPECT_NE(page->find("older"), std::string::npos);
  EXPECT_EQ(refusal(report_page(run("bench_log"), run("bench_link"))), "run.json is of kind bench_log, run.json of bench_link");
}

TEST(ReportPage, OnlyAMeasurementMakesAPage) {
  EXPECT_EQ(refusal(report_page({"x", "{"}, std::nullopt)), "x is no JSON");
  EXPECT_EQ(refusal(report_page({"x", ""}, std::nullopt)), "x is no JSON");
  EXPECT_EQ(refusal(report_page({"x", "[1]"}, std::nullopt)), "x is no measurement of ccr");
  EXPECT_EQ(refusal(report_page({"x", R"({"schema":1,"kind":"status","series":[]})"}, std::nullopt)), "x is no measurement of ccr");
  EXPECT_EQ(refusal(report_page({"x", R"({"schema":1,"kind":"bench_link"})"}, std::nullopt)), "x is no measurement of ccr");
  EXPECT_EQ(refusal(report_page({"x", R"({"schema":2,"kind":"bench_link","series":[]})"}, std::nullopt)), "x has schema 2, this ccr reads 1");
}

}  // namespace
}  // namespace ccr::tools::tools_report_test
