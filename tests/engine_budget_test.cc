// What an active copy does for its log budget: whole nodes in the simulator.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/log_reader.h"
#include "tests/two_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;

ClusterOptions with_a_small_budget() {
  ClusterOptions options;
  options.log_budget_bytes = 4 * options.generation_bytes;
  return options;
}

class Budget : public TwoNodes {
 public:
  Budget() : TwoNodes(with_a_small_budget()) {}
  void TestBody() override {}

  // alpha loses its power so long after it said that beta loses its place. True: log was gone by then.
  bool die_after(Duration since) {
    seed();
    EXPECT_TRUE(drain());
    const Position place = cluster.passive("beta")->state().min_required;
    cluster.host("beta").stop();
    for (int i = 0; i < 4000 && cluster.events_of("pin_dropped").empty(); ++i) write(1);
    EXPECT_EQ(cluster.events_of("pin_dropped").size(), 1u);
    world.run_for(since);
    cluster.host("alpha").kill({Damage::lose_unsynced, Ordering::ordered});
    const Generation first = first_generation();
    cluster.host("alpha").start();
    EXPECT_TRUE(wait_for("alpha", "mounted"));
    const std::vector<storage::Pin>& pins = cluster.active()->state().pins;
    const auto lost = [](const storage::Pin& pin) { return pin.kind == storage::Pin::Kind::copy && pin.dropped; };
    const bool gone = place.generation < first;
    EXPECT_TRUE(!gone || std::any_of(pins.begin(), pins.end(), lost))
        << "the log begins at " << to_text(first) << ", beta's place is " << to_text(place) << " and was not said to be lost";
    return gone;
  }

 private:
  Generation first_generation() {
    const std::unique_ptr<storage::Disk> disk = cluster.host("alpha").disk().mount();
    const std::string directory = "/log";
    const Result<std::vector<storage::GenerationFile>> files = complete(world, storage::list_generations(*disk, directory));
    CCR_ASSERT(files.ok() && !files->empty());
    return files->front().generation;
  }
};

// FAULTS invariant 10: durable and told before the first delete.
TEST(LogBudget, ACopysPlaceIsLostDurablyBeforeLogIs) {
  int gone = 0;
  for (int moment = 0; gone < 3; ++moment) {
    ASSERT_LT(moment, 60) << "no log goes";
    Budget story;
    gone += story.die_after(moment * 500us);
    ASSERT_FALSE(testing::Test::HasFailure()) << moment << " times 0.5 ms after it was told";
  }
}

}  // namespace
}  // namespace ccr::sim
