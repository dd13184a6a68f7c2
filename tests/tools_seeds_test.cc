// Several seeds as one piece of work.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/seed_overview.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

json copy(const char* node, const char* role, const char* state, bool running, std::uint64_t done, std::uint64_t total, double rate) {
  return {{"node", node}, {"role", role}, {"state", state}, {"cause", "why"}, {"seed", {{"running", running}, {"done_bytes", done}, {"total_bytes", total}, {"rate", rate}}}};
}

const json status = {{"databases",
                      {{{"name", "mail"}, {"copies", {copy("alpha", "active", "mounted", false, 0, 0, 0), copy("beta", "passive", "seeding", true, 10, 100, 5)}}},
                       {{"name", "orders"}, {"copies", {copy("alpha", "passive", "healthy", false, 0, 0, 0), copy("beta", "active", "mounted", false, 0, 0, 0)}}},
                       {{"name", "stock"}, {"copies", {copy("beta", "passive", "disconnected", true, 30, 100, 0)}}}}}};

TEST(SeedOverview, NamesThePassiveCopiesOfANode) {
  EXPECT_EQ(passive_databases(status, "beta"), (std::vector<std::string>{"mail", "stock"}));
  EXPECT_EQ(passive_databases(status, "alpha"), std::vector<std::string>{"orders"});
  EXPECT_TRUE(passive_databases(status, "gamma").empty());
  EXPECT_TRUE(copy_in(status, "none", "beta").is_null());
}

TEST(SeedOverview, IsOverWhenNothingRunsOrAPersonIsWaitedFor) {
  EXPECT_FALSE(seed_over(copy("beta", "passive", "seeding", true, 0, 0, 0)));
  EXPECT_FALSE(seed_over(copy("beta", "passive", "resynchronizing", false, 0, 0, 0)));
  EXPECT_FALSE(seed_over(copy("beta", "passive", "healthy", true, 0, 0, 0)));
  EXPECT_TRUE(seed_over(copy("beta", "passive", "healthy", false, 0, 0, 0)));
  EXPECT_TRUE(seed_over(copy("beta", "passive", "failed_and_suspended", false, 0, 0, 0)));
  EXPECT_FALSE(seed_over(copy("beta", "passive", "suspended", true, 0, 0, 0)));
  EXPECT_FALSE(seed_over(json()));
}

TEST(SeedOverview, AddsUpWhatIsDoneAndTellsWhyNothingMoves) {
  const json mail = copy_in(status, "mail", "beta"), stock = copy_in(status, "stock", "beta"), healthy = copy("beta", "passive", "healthy", false, 7, 7, 3);
  const json progress = seeds_progress({mail, stock, healthy});
  EXPECT_EQ(progress["phase"], "1 of 3 done, seeding");
  EXPECT_EQ(progress["done_bytes"], 47);
  EXPECT_EQ(progress["total_bytes"], 207);
  EXPECT_EQ(progress["rate"], 5.0);
  EXPECT_EQ(progress["eta_seconds"], 32.0);
  EXPECT_EQ(progress["cause"], "");
  EXPECT_EQ(seeds_progress({stock})["cause"], "why");
  EXPECT_TRUE(seeds_progress({stock})["eta_seconds"].is_null());
}

}  // namespace
}  // namespace ccr::tools
