// AskedNodes are whole nodes in the simulator that are asked as `ccr` asks them: over the commands of a node.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "engine/status.h"
#include "tests/two_nodes.h"

namespace ccr::sim {

class Heard final : public engine::ControlReply {
 public:
  Task<Result<void>> progress(nlohmann::json fields) override {
    lines.push_back(std::move(fields));
    co_return Result<void>();
  }
  Task<Result<void>> event(nlohmann::json) override { co_return Result<void>(); }
  std::vector<nlohmann::json> lines;  // of progress
};

class AskedNodes : public TwoNodes {
 protected:
  using json = nlohmann::json;
  using ControlRequest = engine::ControlRequest;
  using TwoNodes::TwoNodes;

  using Answer = std::optional<Result<json>>;

  // One command on its way: it ends with the node's life, `answer` is its end.
  struct Asked {
    Heard reply;
    Answer answer;
  };

  static Task<Result<void>> run(engine::Node& node, ControlRequest request, std::shared_ptr<Asked> asked) {
    asked->answer = co_await node.handle(std::move(request), asked->reply);
    co_return Result<void>();
  }
  std::shared_ptr<Asked> ask(const std::string& node, json line) {
    line["database"] = Cluster::database;
    line["node"] = node;
    Result<ControlRequest> request = ControlRequest::parse(line.dump());
    CCR_ASSERT(request.ok());
    auto asked = std::make_shared<Asked>();
    cluster.host(node).run_in_life(run(*cluster.node(node), std::move(*request), asked));
    return asked;
  }
  Result<json> answer_of(const std::string& node, json line, Duration limit = std::chrono::seconds(60)) {
    const std::shared_ptr<Asked> asked = ask(node, std::move(line));
    if (world.run_until([&] { return asked->answer.has_value(); }, limit) != Ended::reached) {
      return Error{ErrorKind::timeout, "no answer; beta is " + cluster.state("beta"), cluster.story()};
    }
    return *asked->answer;
  }
  json row_of(const std::string& at, const std::string& copy) {
    const ClockState told;
    SimClock clock(world, told);
    return engine::status_of(*cluster.node(at), clock, Cluster::database, copy)["databases"][0]["copies"][0];
  }
  // beta's disk while beta is down.
  template <class Work>
  void on_disk(const std::string& node, Work work) {
    ASSERT_FALSE(cluster.host(node).alive());
    const std::unique_ptr<storage::Disk> disk = cluster.host(node).disk().mount();
    const Result<void> done = complete(world, work(*disk));
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  // As a person mends beta's copy; ends the nodes.
  void expect_mended_by(json seed) {
    const Result<json> seeded = answer_of("beta", std::move(seed));
    ASSERT_TRUE(seeded.ok()) << seeded.error().message << "\n" << cluster.story();
    ASSERT_TRUE(wait_for("beta", "healthy"));
    expect_equal();
  }
  std::size_t passes() const { return cluster.events_of("seed_pass_opened").size(); }
  void expect_error(const Result<json>& answer, ErrorKind kind) {
    ASSERT_FALSE(answer.ok()) << answer->dump();
    EXPECT_EQ(name_of(answer.error().kind), std::string(name_of(kind))) << answer.error().message;
    EXPECT_NE(answer.error().hint, "") << answer.error().message;
  }
};

}  // namespace ccr::sim
