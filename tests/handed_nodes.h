// HandedNodes are whole nodes in the simulator among which the active copy changes place.
#pragma once

#include <string>

#include "tests/asked_nodes.h"

namespace ccr::sim {

class HandedNodes : public AskedNodes {
 protected:
  using AskedNodes::AskedNodes;

  static ClusterOptions three(bool seed_auto = true) {
    ClusterOptions options;
    options.nodes = {"alpha", "beta", "gamma"};
    options.seed_auto = seed_auto;
    return options;
  }

  bool serves(const std::string& name) {
    const bool reached = world.run_until([&] { return cluster.active(name) != nullptr && cluster.state(name) == "mounted"; }, std::chrono::seconds(60)) == Ended::reached;
    EXPECT_TRUE(reached) << name << " is " << cluster.state(name) << "\n" << cluster.story();
    return reached;
  }
  // Every copy but the active one is healthy and has replayed everything.
  bool settled() {
    const auto all = [&] {
      engine::ActiveCopy* active = cluster.active();
      if (active == nullptr || cluster.pending() > 0 || active->replayed() != active->tip().durable) return false;
      for (const std::string& name : cluster.names()) {
        if (name == cluster.active_node()) continue;
        engine::PassiveCopy* passive = cluster.passive(name);
        if (passive == nullptr || cluster.state(name) != "healthy" || passive->state().min_required != active->tip().durable) return false;
      }
      return true;
    };
    const bool reached = world.run_until(all, std::chrono::seconds(60)) == Ended::reached;
    EXPECT_TRUE(reached) << "alpha " << cluster.state("alpha") << ", beta " << cluster.state("beta") << "\n" << cluster.story();
    return reached;
  }
  void expect_whole() {
    ASSERT_TRUE(settled());
    for (const std::string& name : cluster.names()) cluster.host(name).stop();
    const Result<Bytes> first = cluster.page_file_of(cluster.names().front());
    ASSERT_TRUE(first.ok()) << first.error().message;
    const Result<void> whole = cluster.check_content(*first, "alpha");
    EXPECT_TRUE(whole.ok()) << whole.error().message << "\n" << cluster.story();
    for (const std::string& name : cluster.names()) {
      const Result<Bytes> content = cluster.page_file_of(name);
      ASSERT_TRUE(content.ok()) << content.error().message;
      EXPECT_TRUE(*content == *first) << name << "\n" << cluster.story();
    }
  }
  Result<json> move(const std::string& at, const std::string& to) { return answer_of(at, {{"command", "move"}, {"to", to}}); }
  Result<json> activate(const std::string& on, const std::string& dial) {
    return answer_of(on, {{"command", "activate"}, {"on", on}, {"dial", dial}});
  }
};

}  // namespace ccr::sim
