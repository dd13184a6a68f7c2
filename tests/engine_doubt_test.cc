// When a seed does not believe the digest table of a copy: whole nodes in the simulator, and hands on their files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/asked_nodes.h"

namespace ccr::sim::engine_doubt_test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t page_size = 4096;
constexpr const char* page_file = "/data/orders.pages";

ClusterOptions of_large_pages() {
  ClusterOptions options;
  options.page_size = page_size;
  return options;
}

class Doubted : public AskedNodes {
 protected:
  Doubted() : AskedNodes(of_large_pages()) {}

  // Writes over the fifth page, and makes the file that long; 0: as long as it is.
  void touch(std::uint64_t bytes = 0) {
    on_disk("beta", [bytes](storage::Disk& disk) -> Task<Result<void>> {
      Result<std::unique_ptr<storage::File>> file = co_await disk.open(page_file, storage::OpenMode::read_write);
      if (!file.ok()) co_return file.error();
      const Bytes foreign(page_size, std::byte{0x5a});
      CCR_CO_TRY(co_await (*file)->write_at(4 * page_size, foreign));
      if (bytes > 0) CCR_CO_TRY(co_await (*file)->truncate(bytes));
      co_return co_await (*file)->sync();
    });
  }
  // A seed of which some extents are done and no more come for a while.
  void seed_half() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
    write(1500);
    ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0 && applied(); }, 60s) == Ended::reached);
    engine::SeedRequest request;
    request.bytes_per_second_max = 2'000'000;
    cluster.request_seed("beta", request);
    ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta") && cluster.passive("beta")->seed_counters().done_bytes >= 4 * MiB; }, 60s) ==
                Ended::reached);
    ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
    ASSERT_TRUE(wait_for("beta", "suspended"));
    world.run_for(1s);
    ASSERT_EQ(passes(), 1u);
  }
  void resume_and_compare() {
    cluster.host("beta").run_in_life(cluster.passive("beta")->limit_seed(0));
    ASSERT_TRUE(answer_of("beta", {{"command", "resume"}}).ok());
    ASSERT_TRUE(wait_for("beta", "healthy"));
    expect_equal();
  }
};

TEST_F(Doubted, AFileThatWasFoundToBeAnotherOneIsRead) {
  seed();
  write(1200);
  ASSERT_TRUE(drain());
  world.run_for(1s);  // its state says so too: no replay is due that would make the file as long as it was
  cluster.host("beta").stop();
  touch(2000 * page_size);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  ASSERT_TRUE(answer_of("beta", {{"command", "seed"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(Doubted, AFileThatWasTouchedInTheMiddleOfAPassIsReadInANewOne) {
  seed_half();
  cluster.host("beta").stop();
  touch();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  resume_and_compare();
  EXPECT_EQ(cluster.events_of("seed_pass_opened").size(), 2u) << cluster.story();
}

TEST_F(Doubted, APassThatOnlyRestedGoesOn) {
  seed_half();
  cluster.host("beta").stop();
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "suspended"));
  resume_and_compare();
  EXPECT_EQ(cluster.events_of("seed_pass_opened").size(), 1u) << cluster.story();
}

// Power cuts at many moments around a seed that was asked for while replay writes: whatever replay left half done is not believed.
TEST_F(Doubted, WhatAPowerCutLeftBetweenASeedsWishAndItsPassIsRead) {
  seed();
  for (int round = 0; round < 12; ++round) {
    write(60);
    cluster.request_seed("beta");
    world.run_for(std::chrono::microseconds(300 * (round + 1)));
    cluster.host("beta").kill(draw_power_cut(random));
    cluster.host("beta").start();
    ASSERT_TRUE(wait_for("beta", "healthy")) << round;
    ASSERT_TRUE(drain());
    const Result<nlohmann::json> verified = answer_of("beta", {{"command", "verify"}});
    ASSERT_TRUE(verified.ok()) << verified.error().message << "\n" << cluster.story();
    EXPECT_EQ((*verified)["equal"], true) << round;
  }
  expect_equal();
}

}  // namespace
}  // namespace ccr::sim::engine_doubt_test
