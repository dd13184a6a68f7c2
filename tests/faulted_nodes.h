// FaultedNodes are whole nodes in the simulator to which something happens, and who is active may have changed behind it.
//
// What is expected is the same whatever it was: one node serves all that was acknowledged, the other gets healthy by itself or where a person
// resumes or seeds it, both files are equal, and a move succeeds.
#pragma once

#include <algorithm>
#include <string>

#include "tests/handed_nodes.h"

namespace ccr::sim {

class FaultedNodes : public HandedNodes {
 protected:
  // Behind it the active copy needs none of that log for its own pages.
  void write_and_apply() {
    write(300);
    EXPECT_TRUE(world.run_until([&] { return applied(); }, std::chrono::seconds(60)) == Ended::reached) << cluster.story();
  }
  // Small generations and few pages: many stories in little time.
  static ClusterOptions small() {
    ClusterOptions options;
    options.page_size = 1 * KiB;
    return options;
  }
  explicit FaultedNodes(ClusterOptions options = small()) : HandedNodes(std::move(options)) {}

  static constexpr PageNumber few_pages = 200;
  void seed_few() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
    write(20, few_pages);
    cluster.request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  std::string other(const std::string& name) const { return name == "alpha" ? "beta" : "alpha"; }
  std::string passive_node() { return other(cluster.active_node()); }
  bool mounted(const std::string& name) { return cluster.active(name) != nullptr && cluster.state(name) == "mounted"; }
  bool is(const std::string& name, const char* state) { return cluster.state(name) == state; }
  bool given_up(const std::string& name) {
    return is(name, "suspended") || is(name, "failed") || is(name, "failed_and_suspended") || is(name, "needs_seed");
  }
  // Until the command has its answer, or its node is dead. At no moment do both nodes serve.
  template <class Request>
  bool answered(const Request& asked, Duration limit) {
    bool two = false;
    const auto over = [&] {
      two = two || (mounted("alpha") && mounted("beta"));
      return asked->answer.has_value();
    };
    const bool came = world.run_until(over, limit) == Ended::reached;
    EXPECT_FALSE(two) << "both served\n" << cluster.story();
    return came;
  }

  void cut_power_and_start() {
    for (const std::string& name : cluster.names()) {
      if (cluster.host(name).alive()) cluster.host(name).kill(draw_power_cut(random));
    }
    cluster.start_all();
  }
  // A person resumes or seeds a copy that gave up; all else comes by itself.
  void heal() {
    constexpr Duration limit = std::chrono::seconds(120);
    const auto one_serves = [&] { return mounted("alpha") != mounted("beta"); };
    ASSERT_TRUE(world.run_until(one_serves, limit) == Ended::reached) << standings();
    const auto decided = [&] {
      const std::string name = passive_node();
      return cluster.passive(name) != nullptr && (is(name, "healthy") || given_up(name));
    };
    ASSERT_TRUE(world.run_until(decided, limit) == Ended::reached) << standings();
    const std::string name = passive_node();
    helped_ += given_up(name) ? 1 : 0;
    if (is(name, "suspended")) {
      cluster.request_resume(name);
    } else if (given_up(name)) {
      cluster.request_seed(name);
    }
    ASSERT_TRUE(wait_for(name, "healthy", limit));
  }
  int helped() const { return helped_; }  // by a person, so often
  std::string standings() { return "alpha " + cluster.state("alpha") + ", beta " + cluster.state("beta") + "\n" + cluster.story(); }

  // Equal files that hold what was acknowledged; both nodes run again behind it.
  void expect_all_there() {
    expect_whole();
    if (HasFatalFailure()) return;
    EXPECT_TRUE(cluster.events_of("root_differs").empty()) << cluster.story();
    cluster.start_all();
    ASSERT_TRUE(serves(cluster.active_node()) && wait_for(passive_node(), "healthy"));
  }
  void expect_moves() {
    const std::string from = cluster.active_node(), to = other(from);
    const auto connected = [&] { return mounted(from) && cluster.hosted(from)->copies->of(to).connected; };
    ASSERT_TRUE(world.run_until(connected, std::chrono::seconds(60)) == Ended::reached) << standings();
    const Result<json> moved = move(from, to);
    ASSERT_TRUE(moved.ok()) << moved.error().message << "\n" << cluster.story();
    ASSERT_TRUE(settled());
  }

 private:
  int helped_ = 0;
};

}  // namespace ccr::sim
