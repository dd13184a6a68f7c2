// The scrub of whole nodes in the simulator: what rots is found within a pass and comes back as one page; what does not rot is never called so.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/asked_nodes.h"
#include "tests/scripted_source.h"

namespace ccr::sim::engine_scrub_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* page_file = "/data/orders.pages";
constexpr std::size_t page_bytes = 512;

ClusterOptions scrubbed_each(Duration every, bool only_idle = false) {
  ClusterOptions options;
  options.scrub.every = every;
  options.scrub.only_idle = only_idle;
  return options;
}

class Scrubbed : public AskedNodes {
 protected:
  explicit Scrubbed(ClusterOptions options = scrubbed_each(20s)) : AskedNodes(std::move(options)) {}

  // `most` pages in all, everything at rest.
  void fill(PageNumber most) {
    seed();
    write(100, most);
    ASSERT_TRUE(cluster.commit(random, {most}));
    ASSERT_TRUE(drain());
  }
  void rot(const std::string& node, PageNumber page) {
    ASSERT_TRUE(cluster.host(node).disk().rot(page_file, std::uint64_t(page - 1) * page_bytes + random.below(page_bytes)));
  }
  Bytes bytes_of(const std::string& node, PageNumber page) {
    const DiskState& disk = cluster.host(node).disk().state();
    const Result<NodeId> file = disk.find(page_file);
    CCR_ASSERT(file.ok());
    Bytes bytes(page_bytes);
    disk.cached(*file).read(std::uint64_t(page - 1) * page_bytes, bytes);
    return bytes;
  }
  bool happens(const std::string& event, std::size_t times, Duration limit = 60s) {
    const bool reached = world.run_until([&] { return cluster.events_of(event).size() >= times; }, limit) == Ended::reached;
    EXPECT_TRUE(reached) << "no " << event << "\n" << cluster.story();
    return reached;
  }
  std::string last(const std::string& event) { return cluster.events_of(event).empty() ? "" : cluster.events_of(event).back(); }
};

TEST_F(Scrubbed, AFlippedBitOnACopyIsFoundInAPassAndComesBackAsOnePage) {
  fill(20'000);
  for (int round = 0; round < 5; ++round) {
    const PageNumber page = static_cast<PageNumber>(random.between(1, 20'000));
    const Bytes good = bytes_of("beta", page);
    rot("beta", page);
    const Bytes bad = bytes_of("beta", page);
    ASSERT_NE(good, bad);
    ASSERT_TRUE(happens("page_repaired", static_cast<std::size_t>(round) + 1, 45s));
    EXPECT_EQ(bytes_of("beta", page), good);
    EXPECT_NE(last("page_rotten").find("page=" + std::to_string(page)), std::string::npos) << last("page_rotten");
    const std::string told = last("page_repaired");
    EXPECT_NE(told.find("from=alpha"), std::string::npos) << told;
    const std::uint64_t wire_bytes = std::stoull(told.substr(told.find("wire_bytes=") + 11));
    EXPECT_GT(wire_bytes, page_bytes) << told;
    EXPECT_LT(wire_bytes, page_bytes + 700) << "one page, and a handshake: " << told;
    const std::string kept = "/log/quarantine/pages/" + to_hex(page, 8) + "-" + to_hex(page_digest(page, bad), 16) + ".page";
    const DiskState& disk = cluster.host("beta").disk().state();
    const Result<NodeId> file = disk.find(kept);
    ASSERT_TRUE(file.ok()) << kept;
    Bytes evidence(page_bytes);
    disk.cached(*file).read(0, evidence);
    EXPECT_EQ(evidence, bad);
  }
  const json row = row_of("beta", "beta");
  EXPECT_EQ(row["state"], "healthy");
  EXPECT_EQ(row["scrub"]["rotten_pages"], 5);
  EXPECT_EQ(row["scrub"]["repaired_pages"], 5);
  EXPECT_EQ(row["scrub"]["overdue"], false);
  EXPECT_EQ(cluster.events_of("page_rotten").size(), 5u) << cluster.story();
  expect_equal();
}

TEST_F(Scrubbed, AFlippedBitOfTheActivePageStoreComesBackFromACopy) {
  fill(9'000);
  const Bytes good = bytes_of("alpha", 7'777);
  rot("alpha", 7'777);
  ASSERT_TRUE(happens("page_repaired", 1, 45s));
  EXPECT_EQ(bytes_of("alpha", 7'777), good);
  EXPECT_NE(last("page_repaired").find("from=beta"), std::string::npos) << last("page_repaired");
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
  EXPECT_EQ(row_of("alpha", "alpha")["scrub"]["repaired_pages"], 1);
  ASSERT_TRUE(happens("scrub_finished", 2));
  expect_equal();
}

TEST_F(Scrubbed, APassThatEndsIsProofOfTheDiskSinceItBegan) {
  fill(3'000);
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta")->state().scrub.finished.known(); }, 60s) == Ended::reached);
  const storage::CopyState& state = cluster.passive("beta")->state();
  EXPECT_EQ(state.disk_verified_at, state.scrub.began);
  EXPECT_LT(state.scrub.began, state.scrub.finished);
}

// Each extent has pages that are on their way at any time, on both nodes.
class Busy : public Scrubbed {
 protected:
  Busy() : Scrubbed(scrubbed_each(1s)) {}
};

TEST_F(Busy, NoPageThatIsOnItsWayIsCalledRotten) {
  seed();
  write(300, 9'000);
  const std::size_t before = cluster.events_of("scrub_finished").size();
  for (int i = 0; i < 6'000; ++i) {
    ASSERT_TRUE(cluster.commit(random, some_pages(random, 9'000)));
    world.run_for(1ms);
  }
  EXPECT_GT(cluster.events_of("scrub_finished").size(), before + 6);
  EXPECT_EQ(cluster.events_of("page_rotten").size(), 0u) << cluster.story();
  expect_equal();
}

TEST_F(Busy, APageThatRotsUnderWritesIsRepairedOrWrittenAnew) {
  seed();
  write(300, 9'000);
  for (int i = 0; i < 6'000; ++i) {
    ASSERT_TRUE(cluster.commit(random, some_pages(random, 9'000)));
    if (i % 200 == 0) rot(i % 400 == 0 ? "alpha" : "beta", static_cast<PageNumber>(random.between(1, 9'000)));
    world.run_for(1ms);
  }
  ASSERT_TRUE(drain());
  world.run_for(5s);
  EXPECT_GT(cluster.events_of("page_repaired").size(), 10u);
  EXPECT_EQ(cluster.events_of("page_lost").size(), 0u) << cluster.story();
  expect_equal();
}

class SlowDisk : public Scrubbed {
 protected:
  SlowDisk() : Scrubbed(slow()) {}
  static ClusterOptions slow() {
    ClusterOptions options = scrubbed_each(1000s);
    options.disk.bytes_per_second = 10'000'000;
    options.disk.sync_min = 50ms;  // a kill finds pages written that the table on disk does not know
    options.disk.sync_max = 200ms;
    return options;
  }
};

// Redo begins behind what a crash left in the file: until it has passed that, no page may be judged.
TEST_F(SlowDisk, PagesThatACrashLeftAheadOfTheLogAreNotRotten) {
  constexpr PageNumber pages = 2'048;
  seed();
  std::size_t interrupted = 0;
  for (int round = 0; round < 60; ++round) {
    AskedNodes::fill(pages);
    const auto replays = [this] {
      const engine::PassiveCopy* copy = cluster.passive("beta");
      return copy != nullptr && copy->state().min_required < copy->state().max_required;
    };
    ASSERT_TRUE(world.run_until(replays, 20s) == Ended::reached);
    world.run_for(Duration(random.below(500'000'000)));
    if (replays()) ++interrupted;
    cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
    cluster.host("beta").start();
    const auto follows = [this] { return cluster.passive("beta") != nullptr && cluster.passive("beta")->page_service() != nullptr; };
    ASSERT_TRUE(world.run_until(follows, 10s) == Ended::reached);
    const Result<json> scrub = answer_of("beta", {{"command", "scrub"}, {"rate", 0}});
    ASSERT_TRUE(scrub.ok()) << scrub.error().message;
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  EXPECT_GT(interrupted, 10u);
  EXPECT_EQ(cluster.events_of("page_rotten").size(), 0u) << cluster.story();
  ASSERT_TRUE(drain());
  expect_equal();
}

class SlowScrub : public Scrubbed {
 protected:
  SlowScrub() : Scrubbed(scrubbed_each(1000s)) {}
  PageNumber place() { return cluster.passive("beta")->state().scrub.next_page; }
};

TEST_F(SlowScrub, GoesOnBehindARestartWhereItStood) {
  fill(40'000);  // 20 extents, one in 45 s
  ASSERT_TRUE(world.run_until([&] { return place() > 10'000; }, 600s) == Ended::reached);
  ASSERT_TRUE(cluster.commit(random, {1}));
  ASSERT_TRUE(drain());  // what replay saves has the place
  const PageNumber before = place();
  const WallTime began = cluster.passive("beta")->state().scrub.began;
  cluster.host("beta").kill({Damage::process_only, Ordering::ordered});
  cluster.host("beta").start();
  ASSERT_TRUE(wait_for("beta", "healthy"));
  EXPECT_EQ(place(), before);
  EXPECT_EQ(cluster.passive("beta")->state().scrub.began, began);
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta")->state().scrub.finished.known(); }, 1000s) == Ended::reached);
  EXPECT_EQ(cluster.passive("beta")->state().scrub.began, began) << "the same pass";
  EXPECT_LT(cluster.passive("beta")->state().scrub.finished.nanoseconds - began.nanoseconds, Duration(905s).count());
}

TEST_F(SlowScrub, ReadsAPassAndNoMore) {
  fill(40'000);
  world.run_for(2000s);
  SimDisk& disk = cluster.host("beta").disk();
  const std::uint64_t before = disk.bytes_read();
  world.run_for(1000s);
  EXPECT_GT(disk.bytes_read() - before, 40'000 * page_bytes * 8 / 10);
  EXPECT_LT(disk.bytes_read() - before, 40'000 * page_bytes * 13 / 10);
}

TEST_F(SlowScrub, APersonGetsAWholePassAtOnce) {
  fill(40'000);
  rot("beta", 39'000);
  const Result<json> done = answer_of("beta", {{"command", "scrub"}, {"rate", 0}}, 10s);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["pages_checked"], 40'000);
  EXPECT_EQ((*done)["rotten_pages"], 1);
  EXPECT_EQ((*done)["repaired_pages"], 1);
  EXPECT_EQ((*done)["lost_pages"], 0);
  const Result<json> there = answer_of("alpha", {{"command", "scrub"}, {"rate", 10'000'000}}, 10s);
  ASSERT_TRUE(there.ok()) << there.error().message;
  EXPECT_EQ((*there)["rotten_pages"], 0);
  EXPECT_EQ(row_of("alpha", "alpha")["scrub"]["asked"], false);
}

TEST_F(SlowScrub, APassThatWasAskedForMayBeLetGoAndIsAttachedTo) {
  fill(40'000);
  const std::shared_ptr<Asked> first = ask("beta", {{"command", "scrub"}, {"rate", 1'000'000}});
  world.run_for(3s);
  const std::shared_ptr<Asked> second = ask("beta", {{"command", "scrub"}});
  world.run_for(1s);
  EXPECT_EQ(row_of("beta", "beta")["scrub"]["asked"], true);
  const Result<json> cancelled = answer_of("beta", {{"command", "scrub"}, {"cancel", true}});
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ((*cancelled)["cancelled"], true);
  world.run_for(1s);
  for (const auto& watching : {first, second}) {
    ASSERT_TRUE(watching->answer.has_value());
    expect_error(*watching->answer, ErrorKind::refused);
  }
}

TEST_F(SlowScrub, NothingOfASuspendedCopyIsTouched) {
  fill(3'000);
  ASSERT_TRUE(answer_of("beta", {{"command", "suspend"}}).ok());
  rot("beta", 42);
  const Bytes bad = bytes_of("beta", 42);
  expect_error(answer_of("beta", {{"command", "scrub"}, {"rate", 0}}), ErrorKind::busy);
  world.run_for(100s);
  EXPECT_EQ(bytes_of("beta", 42), bad);
}

TEST_F(SlowScrub, APageThatIsRottenOnBothIsLostOnceAndSaidSo) {
  fill(3'000);
  rot("alpha", 1'000);
  rot("beta", 1'000);
  const Result<json> done = answer_of("beta", {{"command", "scrub"}, {"rate", 0}});
  expect_error(done, ErrorKind::corrupt);
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  const json row = row_of("beta", "beta");
  EXPECT_EQ(row["cause"], "PAGE: page 1000 of /data/orders.pages is not what the log says, and cannot be repaired: it is rotten on alpha too");
  EXPECT_EQ(row["hint"], "ccr seed orders@beta");
  EXPECT_TRUE(row["disk_verified_at"].is_null());
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "PAGE: page 1000 of /data/orders.pages is not what its log says");
  EXPECT_EQ(row_of("alpha", "alpha")["state"], "mounted");
  world.run_for(100s);
  EXPECT_EQ(cluster.events_of("page_lost").size(), 1u) << cluster.story();
  // A program writes the page anew: a seed makes the copy whole, and a pass of the active one says that it is too.
  ASSERT_TRUE(cluster.commit(random, {1'000}));
  ASSERT_TRUE(answer_of("beta", {{"command", "seed"}}).ok());
  ASSERT_TRUE(wait_for("beta", "healthy"));
  ASSERT_TRUE(answer_of("alpha", {{"command", "scrub"}, {"rate", 0}}).ok());
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
  expect_equal();
}

TEST_F(SlowScrub, APageOfTheActiveStoreThatNoCopyHasStaysNamedAndTheCopyServes) {
  fill(3'000);
  rot("alpha", 1'000);
  rot("beta", 1'000);
  const Result<json> done = answer_of("alpha", {{"command", "scrub"}, {"rate", 0}});
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["lost_pages"], 1);
  EXPECT_EQ((*done)["repaired_pages"], 0);
  const json row = row_of("alpha", "alpha");
  EXPECT_EQ(row["state"], "mounted");
  EXPECT_EQ(row["cause"], "PAGE: page 1000 of /data/orders.pages is not what its log says");
  EXPECT_NE(row["hint"].get<std::string>().find("ccr scrub orders@alpha"), std::string::npos) << row["hint"];
  ASSERT_TRUE(cluster.commit(random, {7}));
  EXPECT_TRUE(drain());
}

TEST_F(SlowScrub, ARottenPageWaitsForTheOtherNodeAndIsNotPassedOver) {
  fill(3'000);
  const Bytes good = bytes_of("beta", 1'000);
  cluster.host("alpha").stop();
  rot("beta", 1'000);
  const std::shared_ptr<Asked> asked = ask("beta", {{"command", "scrub"}, {"rate", 0}});
  world.run_for(200s);
  EXPECT_FALSE(asked->answer.has_value());
  EXPECT_NE(row_of("beta", "beta")["scrub"]["waiting"].get<std::string>().find("page 1000: "), std::string::npos);
  EXPECT_EQ(cluster.events_of("page_rotten").size(), 1u) << cluster.story();
  cluster.host("alpha").start();
  ASSERT_TRUE(world.run_until([&] { return asked->answer.has_value(); }, 100s) == Ended::reached) << cluster.story();
  ASSERT_TRUE(asked->answer->ok()) << asked->answer->error().message;
  EXPECT_EQ((**asked->answer)["repaired_pages"], 1);
  EXPECT_EQ(bytes_of("beta", 1'000), good);
  EXPECT_TRUE(row_of("beta", "beta")["scrub"]["waiting"].is_null());
}

TEST_F(SlowScrub, ManyRottenPagesAreSoManyRepairs) {
  fill(3'000);
  for (PageNumber page = 100; page < 140; ++page) rot("beta", page);
  const Result<json> done = answer_of("beta", {{"command", "scrub"}, {"rate", 0}});
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["repaired_pages"], 40);
  expect_equal();
}

TEST_F(SlowScrub, APageThatCannotBeReadIsRottenToo) {
  fill(3'000);
  SimDisk& disk = cluster.host("beta").disk();
  disk.plan({DiskAction::read, page_file, 0, 9, ErrorKind::io});  // the extent, each page of it once, and what is looked at again
  const Result<json> done = answer_of("beta", {{"command", "scrub"}, {"rate", 0}});
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["lost_pages"], 0);
  EXPECT_EQ(cluster.state("beta"), "healthy");
}

// A sync that fails says that the file may not be believed any more: it is opened again, and the scrub goes on behind the page.
TEST_F(SlowScrub, ADiskThatDoesNotTakeThePageBackLosesItOnce) {
  fill(3'000);
  rot("beta", 1'000);
  SimDisk& disk = cluster.host("beta").disk();
  disk.plan({DiskAction::sync, page_file, 0, 1, ErrorKind::io});
  expect_error(answer_of("beta", {{"command", "scrub"}, {"rate", 0}}), ErrorKind::corrupt);
  ASSERT_TRUE(wait_for("beta", "failed_and_suspended"));
  EXPECT_NE(row_of("beta", "beta")["cause"].get<std::string>().find("it cannot be written anew"), std::string::npos);
  EXPECT_EQ(cluster.events_of("page_lost").size(), 1u);
}

class IdleScrub : public Scrubbed {
 protected:
  IdleScrub() : Scrubbed(scrubbed_each(20s, true)) {}
};

TEST_F(IdleScrub, ReadsNothingWhileTheCopyIsBusy) {
  fill(9'000);
  world.run_for(10s);
  const std::size_t before = cluster.events_of("scrub_finished").size();
  const auto busy = [&](int turns) {
    for (int i = 0; i < turns; ++i) {
      ASSERT_TRUE(cluster.commit(random, {1, 5'000}));
      world.run_for(1s);
    }
  };
  busy(30);
  const std::size_t meanwhile = cluster.events_of("scrub_finished").size();
  busy(60);
  EXPECT_EQ(cluster.events_of("scrub_finished").size(), meanwhile);
  world.run_for(60s);
  EXPECT_GE(cluster.events_of("scrub_finished").size(), before + 4) << "two copies, two passes each";
}

class ThreeNodes : public Scrubbed {
 protected:
  static ClusterOptions three() {
    ClusterOptions options = scrubbed_each(1000s);
    options.nodes = {"alpha", "beta", "gamma"};
    return options;
  }
  ThreeNodes() : Scrubbed(three()) {}
};

TEST_F(ThreeNodes, APageThatIsRottenOnTheActiveNodeTooComesFromTheThird) {
  seed();
  write(100, 3'000);
  cluster.request_seed("gamma");
  ASSERT_TRUE(wait_for("gamma", "healthy"));
  ASSERT_TRUE(drain());
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("gamma")->state().min_required == cluster.active()->tip().durable; }, 60s) == Ended::reached);
  const Bytes good = bytes_of("beta", 500);
  rot("alpha", 500);
  rot("beta", 500);
  ASSERT_TRUE(answer_of("beta", {{"command", "scrub"}, {"rate", 0}}).ok());
  EXPECT_EQ(bytes_of("beta", 500), good);
  EXPECT_NE(last("page_repaired").find("from=gamma"), std::string::npos) << last("page_repaired");
  ASSERT_TRUE(answer_of("alpha", {{"command", "scrub"}, {"rate", 0}}).ok());
  EXPECT_EQ(bytes_of("alpha", 500), good);
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
  expect_equal();
}

// Its programs own the file: what rots there is told, and comes right when they write it.
class SourceScrub : public AskedNodes {
 protected:
  using ScriptedSource = storage::test::ScriptedSource;
  ScriptedSource::Model model = ScriptedSource::Model(50, Bytes(ScriptedSource::page_bytes));
  ScriptedSource* source = nullptr;

  SourceScrub() : AskedNodes(over(this)) {}
  static ClusterOptions over(SourceScrub* test) {
    ClusterOptions options;
    options.sqlite = [test](engine::NodeContext& context, const engine::DatabaseConfig&, std::optional<storage::SourceCursor>) {
      auto made = std::make_unique<ScriptedSource>(context.executor, context.clock, test->model, "first_start");
      test->source = made.get();
      return made;
    };
    return options;
  }
};

TEST_F(SourceScrub, ARottenPageOfAnSqliteFileIsToldAndNotTouched) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  source->write({3, 4}, std::byte{1});
  world.run_for(2s);
  ASSERT_TRUE(answer_of("alpha", {{"command", "scrub"}, {"rate", 0}}).ok());
  EXPECT_EQ(cluster.events_of("page_rotten").size(), 0u) << cluster.story();
  model[6][100] ^= std::byte{1};  // page 7
  const Result<json> done = answer_of("alpha", {{"command", "scrub"}, {"rate", 0}});
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["lost_pages"], 1);
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("PAGE: page 7 of"), std::string::npos);
  EXPECT_EQ(cluster.state("alpha"), "mounted");
  source->write({7}, std::byte{2});
  world.run_for(2s);
  const Result<json> after = answer_of("alpha", {{"command", "scrub"}, {"rate", 0}});
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ((*after)["lost_pages"], 0);
  EXPECT_EQ(row_of("alpha", "alpha")["cause"], "");
}

}  // namespace
}  // namespace ccr::sim::engine_scrub_test
