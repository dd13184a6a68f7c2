// What is predicted of a seed, and what a whole node tells of it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/seed_forecast.h"
#include "tests/asked_nodes.h"

namespace ccr::sim::engine_forecast_test {
namespace {

using namespace std::chrono_literals;
using engine::forecast_of;
using engine::forecast_text;
using engine::ForecastFacts;
using nlohmann::json;

ForecastFacts whole() {
  ForecastFacts facts;
  facts.whole = true;
  facts.database_bytes = 100 * MiB;
  return facts;
}

TEST(SeedForecast, WhatIsNotKnownIsSaidSo) {
  EXPECT_EQ(forecast_text(forecast_of({})), "bytes unknown, time unknown, compared by digests, without reading this node's disk, limiting stage unknown");
  EXPECT_EQ(forecast_text(forecast_of(whole())), "100.0 MiB of pages, time unknown, limiting stage unknown");
  const json told = forecast_json(forecast_of({}));
  for (const char* key : {"bytes", "bytes_most", "seconds", "bytes_per_second", "limited_by"}) EXPECT_TRUE(told[key].is_null()) << key;
}

TEST(SeedForecast, TheLastSeedSaysMoreThanTheLinkAlone) {
  ForecastFacts facts = whole();
  facts.link = 50e6;
  EXPECT_EQ(forecast_text(forecast_of(facts)), "100.0 MiB of pages, at least 2.1 s, limited by the link, as it was last measured (50.0 MB/s)");
  facts.last_seed = 25e6;
  EXPECT_EQ(forecast_text(forecast_of(facts)), "100.0 MiB of pages, 4.2 s, limited by what limited the last seed (25.0 MB/s)");
}

TEST(SeedForecast, ALimitOnTheRateCountsWhereItIsLower) {
  ForecastFacts facts = whole();
  facts.rate_limit = 10'000'000;
  EXPECT_EQ(forecast_text(forecast_of(facts)), "100.0 MiB of pages, at least 10.5 s, limited by the limit on its rate (10.0 MB/s)");
  facts.last_seed = 25e6;
  EXPECT_EQ(forecast_text(forecast_of(facts)), "100.0 MiB of pages, 10.5 s, limited by the limit on its rate (10.0 MB/s)");
  facts.last_seed = 5e6;
  EXPECT_EQ(forecast_of(facts).limited_by, "what limited the last seed");
}

TEST(SeedForecast, ADifferenceIsKnownOnlyWhereTheRootsSaySo) {
  ForecastFacts facts = whole();
  facts.whole = false;
  facts.last_seed = 25e6;
  EXPECT_EQ(forecast_text(forecast_of(facts)), "how many bytes differ is unknown, at most 100.0 MiB, time unknown, compared by digests, without reading this node's disk, "
                                           "limited by what limited the last seed (25.0 MB/s)");
  facts.differing_bytes = 0;
  EXPECT_EQ(forecast_of(facts).bytes, 0u) << "known, and nothing";
  EXPECT_EQ(forecast_of(facts).seconds, 0.0);
  facts.reads_disk = true;
  EXPECT_FALSE(forecast_of(facts).seconds) << "at a rate nobody knows";
  EXPECT_EQ(forecast_of(facts).compares, "this node's disk is read first");
}

class Forecasting : public AskedNodes {
 protected:
  Forecasting() : AskedNodes(on_a_slow_link()) {}

  json seed_command(const json& more) {
    json request{{"command", "seed"}, {"yes", true}};
    request.update(more);
    const Result<json> answer = answer_of("beta", std::move(request), 300s);
    if (!answer.ok()) ADD_FAILURE() << answer.error().message;
    return answer.ok() ? *answer : json();
  }
};

TEST_F(Forecasting, AFirstSeedIsPredictedFromWhatTheActiveNodeSaysAndTheNextFromTheFirst) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  fill(20'032);
  world.run_for(5s);
  const json first = seed_command({{"dry_run", true}})["forecast"];
  const std::uint64_t bytes = std::uint64_t(cluster.active()->digests().page_count()) * cluster.active()->digests().page_size();
  ASSERT_GT(bytes, 8 * MiB);
  EXPECT_EQ(first["bytes"], bytes);
  EXPECT_TRUE(first["seconds"].is_null()) << first;
  const json done = seed_command(json::object());
  EXPECT_EQ(done["predicted"]["bytes"], bytes);
  EXPECT_LE(done["came"]["bytes"], bytes) << "pages of zeros do not cross";
  EXPECT_GT(done["came"]["bytes"], bytes / 2);
  const double seconds = done["came"]["seconds"];
  EXPECT_GT(seconds, double(bytes) / 2 / 2'000'000);
  const json again = seed_command({{"dry_run", true}, {"full", true}})["forecast"];
  EXPECT_EQ(again["limited_by"], "what limited the last seed");
  EXPECT_NEAR(again["seconds"].get<double>(), seconds * double(bytes) / done["came"]["bytes"].get<double>(), seconds * 0.2);
  const json difference = seed_command({{"dry_run", true}})["forecast"];
  EXPECT_EQ(difference["bytes"], 0) << "the roots are equal";
  EXPECT_EQ(difference["seconds"], 0.0);
  EXPECT_EQ(difference["compares"], "compared by digests, without reading this node's disk");
  const json reread = seed_command({{"dry_run", true}, {"reread", true}})["forecast"];
  EXPECT_TRUE(reread["seconds"].is_null());
  EXPECT_EQ(reread["compares"], "this node's disk is read first");
  const json full = seed_command({{"full", true}});
  EXPECT_NEAR(full["came"]["seconds"].get<double>(), full["predicted"]["seconds"].get<double>(), seconds * 0.3);
}

}  // namespace
}  // namespace ccr::sim::engine_forecast_test
