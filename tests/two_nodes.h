// TwoNodes is the stage of most stories: alpha with the active copy, beta with a passive one, whole nodes in one simulated world.
//
// Every wait is on a state and bounded in virtual time; a wait that fails prints the story so far.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace ccr::sim {

inline std::vector<PageNumber> some_pages(Random& random, PageNumber most) {
  std::set<PageNumber> pages;
  const std::uint64_t count = random.between(1, 8);
  for (std::uint64_t i = 0; i < count; ++i) pages.insert(static_cast<PageNumber>(random.between(1, most)));
  return {pages.begin(), pages.end()};
}

// On which seeds take their time.
inline ClusterOptions on_a_slow_link() {
  ClusterOptions options;
  options.network.bytes_per_second = 2'000'000;
  return options;
}

class TwoNodes : public testing::Test {
 protected:
  explicit TwoNodes(ClusterOptions options = {}) : cluster(world, std::move(options)) {}

  World world{1};
  Cluster cluster;
  Random random{7};

  void write(int transactions, PageNumber most = 3000) {
    for (int i = 0; i < transactions; ++i) {
      ASSERT_TRUE(cluster.commit(random, some_pages(random, most)));
      world.run_for(std::chrono::milliseconds(1));
    }
  }
  // Every page once, 64 in a commit.
  void fill(PageNumber pages) {
    constexpr PageNumber at_once = 64;
    for (PageNumber page = 1; page + at_once - 1 <= pages; page += at_once) {
      std::vector<PageNumber> some;
      for (PageNumber i = 0; i < at_once; ++i) some.push_back(page + i);
      ASSERT_TRUE(cluster.commit(random, some));
      world.run_for(std::chrono::milliseconds(5));
    }
  }
  bool wait_for(const std::string& node, const std::string& state, Duration limit = std::chrono::seconds(60)) {
    const bool reached = world.run_until([&] { return cluster.state(node) == state; }, limit) == Ended::reached;
    EXPECT_TRUE(reached) << node << " is " << cluster.state(node) << ", not " << state << "\n" << cluster.story();
    return reached;
  }
  bool applied() { return cluster.active() && cluster.active()->replayed() == cluster.active()->tip().durable; }
  bool drain() {
    const bool drained = world.run_until(
                             [&] {
                               return cluster.pending() == 0 && cluster.passive("beta") && applied() &&
                                      cluster.passive("beta")->state().min_required == cluster.active()->tip().durable;
                             },
                             std::chrono::seconds(60)) == Ended::reached;
    EXPECT_TRUE(drained) << cluster.story();
    return drained;
  }
  void seed() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted"));
    ASSERT_TRUE(wait_for("beta", "needs_seed"));
    write(200);
    cluster.request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  void expect_equal() {
    ASSERT_TRUE(drain());
    cluster.host("alpha").stop();
    cluster.host("beta").stop();
    const Result<Bytes> there = cluster.page_file_of("alpha");
    const Result<Bytes> here = cluster.page_file_of("beta");
    ASSERT_TRUE(there.ok()) << there.error().message;
    ASSERT_TRUE(here.ok()) << here.error().message;
    EXPECT_EQ(there->size(), here->size());
    int differing = 0;
    for (std::size_t at = 0; at + 512 <= there->size() && at + 512 <= here->size(); at += 512) {
      if (std::equal(there->begin() + at, there->begin() + at + 512, here->begin() + at)) continue;
      const auto zeros = [&](const Bytes& b) {
        return std::all_of(b.begin() + at, b.begin() + at + 512, [](std::byte x) { return x == std::byte{0}; });
      };
      if (differing++ < 5)
        ADD_FAILURE() << "page " << at / 512 + 1 << " alpha zero " << zeros(*there) << " beta zero " << zeros(*here);
    }
    EXPECT_EQ(differing, 0) << cluster.story();
    const Result<void> whole = cluster.check_content(*there, "alpha");
    EXPECT_TRUE(whole.ok()) << whole.error().message;
  }
};

}  // namespace ccr::sim
