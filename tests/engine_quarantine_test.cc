// What is set aside on a passive node, and what is not: whole nodes in the simulator.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/chain_points.h"
#include "engine/status.h"
#include "storage/log_format.h"
#include "tests/sim/cluster.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using storage::Quarantine;

class SetAside : public testing::Test {
 protected:
  World world{1};
  Cluster cluster{world, {}};
  Random random{7};

  bool wait_for(const std::string& node, const std::string& state) {
    return world.run_until([&] { return cluster.state(node) == state; }, 60s) == Ended::reached;
  }
  void seed() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed")) << cluster.story();
    cluster.request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy")) << cluster.story();
    for (int i = 0; i < 1200; ++i) {
      ASSERT_TRUE(cluster.commit(random, {static_cast<PageNumber>(random.between(1, 3000)), 3001}));
      world.run_for(1ms);
    }
    ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0 && cluster.passive("beta")->idle(); }, 60s) == Ended::reached);
  }
  nlohmann::json quarantine_of_beta() {
    world.run_for(11s);  // it is looked at each ten
    const ClockState told;
    SimClock clock(world, told);
    const nlohmann::json status = engine::status_of(*cluster.node("beta"), clock, "orders", "beta");
    return status["databases"][0]["copies"][0]["quarantine"];
  }
  // With beta down, on its disk.
  template <class Work>
  void on_disk_of_beta(Work work) {
    TaskGroup group(world.executor());
    const std::unique_ptr<storage::Disk> disk = cluster.host("beta").disk().mount();
    group.spawn(work(*disk));
    world.run_until([&] { return group.running() == 0; }, 60s);
    ASSERT_EQ(group.running(), 0u);
  }
};

TEST_F(SetAside, ACopyWhoseLogIsAPrefixLeavesNothingBehindWhenItIsSeededAgain) {
  seed();
  for (std::size_t again = 2; again <= 4; ++again) {
    cluster.request_seed("beta");
    ASSERT_TRUE(world.run_until([&] { return cluster.events_of("seed_finished").size() == again; }, 60s) == Ended::reached) << cluster.story();
  }
  EXPECT_EQ(quarantine_of_beta(), (nlohmann::json{{"files", 0}, {"bytes", 0}})) << cluster.story();
}

// The active's disk is an older one when the pass goes on: the log that came beside the pages took a way that nobody else knows of any more.
TEST_F(SetAside, ALogThatForkedBesideItsSeedIsSetAsideWhenThePassGoesOn) {
  const auto write = [&](int transactions) {
    for (int i = 0; i < transactions; ++i) {
      ASSERT_TRUE(cluster.commit(random, {static_cast<PageNumber>(random.between(1, 3000)), 3001}));
      world.run_for(1ms);
    }
  };
  const auto log_is_here = [&] {
    engine::PassiveCopy* beta = cluster.passive("beta");
    return cluster.active() && cluster.pending() == 0 && beta && beta->opened() && beta->watermarks().durable == cluster.active()->tip().durable;
  };
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed")) << cluster.story();
  write(1200);
  engine::SeedRequest slowly;
  slowly.bytes_per_second_max = 20'000;
  cluster.request_seed("beta", slowly);
  ASSERT_TRUE(world.run_until([&] { return cluster.events_of("seed_pass_opened").size() == 1; }, 60s) == Ended::reached);
  ASSERT_EQ(cluster.host("alpha").stop(), Ended::reached);
  const DiskState older = cluster.host("alpha").disk().state();
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted")) << cluster.story();
  write(1400);
  ASSERT_TRUE(world.run_until(log_is_here, 60s) == Ended::reached) << cluster.story();
  cluster.host("beta").run_in_life(cluster.passive("beta")->limit_seed(20'000));  // keeps in its state how far the log is
  world.run_for(100ms);
  cluster.host("beta").stop();
  cluster.host("alpha").stop();
  cluster.host("alpha").disk().restore(older);
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted")) << cluster.story();
  write(700);
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until(log_is_here, 60s) == Ended::reached) << cluster.state("beta") << "\n" << cluster.story();
  EXPECT_EQ(cluster.events_of("seed_pass_opened").size(), 1u) << "the pass went on";
  EXPECT_GT(quarantine_of_beta()["files"], 0);
  // Its new log is shorter, and no damage to whoever opens it next.
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  cluster.host("beta").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.state("beta") == "seeding"; }, 60s) == Ended::reached) << cluster.story();
  cluster.host("beta").run_in_life(cluster.passive("beta")->limit_seed(0));
  ASSERT_TRUE(wait_for("beta", "healthy")) << cluster.story();
  EXPECT_TRUE(cluster.events_of("log_set_aside").empty()) << cluster.story();
}

TEST_F(SetAside, AFullQuarantineNeedsAPersonAndDeletesNothing) {
  seed();
  cluster.host("beta").stop();
  const Generation open = cluster.active()->tip().durable.generation;
  ASSERT_TRUE(cluster.host("beta").disk().rot("/log/" + storage::sealed_name(open.previous()), 8192 + 100));
  const auto fill = [](storage::Disk& disk) -> Task<Result<void>> {
    CCR_CO_TRY(co_await disk.make_directories("/log/quarantine"));
    for (std::uint64_t i = 1; i <= Quarantine::files_max; ++i) {
      const std::string path = "/log/quarantine/0000000000000001.log." + std::to_string(i);
      Result<std::unique_ptr<storage::File>> file = co_await disk.open(path, storage::OpenMode::create_new);
      if (!file.ok()) co_return file.error();
    }
    co_return co_await disk.sync_directory("/log/quarantine");
  };
  on_disk_of_beta(fill);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended")) << cluster.story();
  cluster.request_seed("beta");
  world.run_for(5s);
  ASSERT_EQ(cluster.state("beta"), "failed_and_suspended") << cluster.story();
  EXPECT_EQ(cluster.passive("beta")->standing().cause().find("QUARANTINE_FULL: "), 0u) << cluster.passive("beta")->standing().cause();
  EXPECT_NE(cluster.passive("beta")->standing().hint().find("/log/quarantine"), std::string::npos);
  EXPECT_EQ(quarantine_of_beta(), (nlohmann::json{{"files", 256}, {"bytes", 0}}));
  cluster.host("beta").stop();
  const auto clear = [](storage::Disk& disk) -> Task<Result<void>> {
    for (std::uint64_t i = 1; i <= Quarantine::files_max; ++i) {
      const std::string path = "/log/quarantine/0000000000000001.log." + std::to_string(i);
      CCR_CO_TRY(co_await disk.remove(path));
    }
    co_return Result<void>();
  };
  on_disk_of_beta(clear);
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended")) << "sticky";
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy")) << cluster.story();
  EXPECT_GT(quarantine_of_beta()["files"], 0);
}

TEST(NotProven, OnlyAPrefixThatWasComparedIsLeftOut) {
  using transport::Verdict;
  transport::Hello hello;
  hello.chain = {{{9}, 4096, {}}, {{8}, 0, {}}};
  transport::Welcome welcome;
  welcome.first = {3};
  const auto from = [&](Verdict verdict) {
    welcome.verdict = verdict;
    return engine::not_proven_from(hello, welcome, {20});
  };
  EXPECT_EQ(from(Verdict::same), std::nullopt);
  EXPECT_EQ(from(Verdict::behind), std::nullopt);
  EXPECT_EQ(from(Verdict::other_history), Generation{0});
  EXPECT_EQ(from(Verdict::unknown), Generation{0}) << "a difference was found, but not where it begins";
  welcome.fork = {7};
  EXPECT_EQ(from(Verdict::forked), Generation{7});
  EXPECT_EQ(from(Verdict::ahead), Generation{7});
  welcome.first = {10};  // nothing could be compared
  EXPECT_EQ(from(Verdict::behind), Generation{20});
  EXPECT_EQ(from(Verdict::unknown), Generation{20});
  hello.chain.clear();
  EXPECT_EQ(from(Verdict::unknown), std::nullopt);
}

}  // namespace
}  // namespace ccr::sim
