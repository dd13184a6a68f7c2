// Events over restarts, on a disk in memory: what is read back, what damage costs, what a disk that fails costs. Time is virtual.
#include "engine/event_file.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/sim/cluster.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using engine::EventFile;
using engine::EventLog;
using engine::NumberedEvent;

const std::string event_path = "/state/events.jsonl";

TEST(EventLine, IsReadBackWithItsFields) {
  const NumberedEvent event{
      7, {1'767'323'045'000'000'001}, {"state_changed", "orders@beta", {{"cause", "a \"b\"\n"}, {"to", "failed"}}}};
  const std::optional<NumberedEvent> found = engine::decode_event_line(engine::encode_event_line(event));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->number, 7u);
  EXPECT_EQ(found->at, event.at);
  EXPECT_EQ(found->event.name, "state_changed");
  EXPECT_EQ(found->event.subject, "orders@beta");
  EXPECT_EQ(found->event.fields, event.event.fields);
}

TEST(EventLine, WhatIsNoneIsRefused) {
  for (const char* line : {"", "{}", "[1]", "x", R"({"number":0,"event":"a","subject":"b"})", R"({"number":-1,"event":"a"})",
                           R"({"number":1,"event":"a","x":5})", R"({"number":1,"subject":"b"})", R"({"number":1,"event":"a")"})
    EXPECT_FALSE(engine::decode_event_line(line).has_value()) << line;
}

// Lives of an event log on one machine's disk.
class EventLives : public testing::Test {
 protected:
  struct Life {
    Life(World& world, Incarnation& incarnation, Trace& next)
        : log(world.executor(), *incarnation.clock, next),
          file(*incarnation.disk, *incarnation.clock, "/state", log, next, "alpha") {}
    EventLog log;
    EventFile file;
  };
  struct Told final : Trace {
    void record(const Event& event) override { names.push_back(event.name); }
    std::vector<std::string> names;
  };

  Task<Result<void>> live(Incarnation& incarnation) {
    Life life(world, incarnation, told);
    struct Present {
      Life*& at;
      ~Present() { at = nullptr; }
    } present{here};
    here = &life;
    co_return co_await life.file.run();
  }
  void start() {
    host.start();
    world.run_for(1s);
    ASSERT_NE(here, nullptr);
  }
  void record(const std::string& name, int times = 1, std::size_t bytes = 10) {
    for (int i = 0; i < times; ++i) here->log.record({name, "orders@beta", {{"text", std::string(bytes, 'x')}}});
    world.run_for(1s);
  }
  void append_torn() {
    TaskGroup group(world.executor());
    const std::unique_ptr<storage::Disk> disk = host.disk().mount();
    const auto append = [&]() -> Task<Result<void>> {
      const Result<std::unique_ptr<storage::File>> file = co_await disk->open(event_path, storage::OpenMode::read_write);
      if (!file.ok()) co_return file.error();
      const Result<std::uint64_t> size = co_await (*file)->size();
      if (!size.ok()) co_return size.error();
      const std::string torn = R"({"at":"20)";
      CCR_CO_TRY(co_await (*file)->write_at(*size, as_bytes(torn)));
      co_return co_await (*file)->sync();
    };
    group.spawn(append());
    ASSERT_EQ(world.run_until([&] { return group.running() == 0; }, 10s), Ended::reached);
    host.disk().sever();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const NumberedEvent& event : here->log.events()) found.push_back(event.event.name);
    return found;
  }

  World world{1};
  SimNetwork network{world, {}};
  Told told;
  Life* here = nullptr;
  NodeHost host{
      world, network, {"alpha", {"10.77.0.1"}, {}, 0, Duration{0}}, [this](Incarnation& incarnation) { return live(incarnation); }};
};

TEST_F(EventLives, TheNextLifeKnowsThoseOfThisAndNumbersGoOn) {
  start();
  record("first");
  record("second");
  host.kill({Damage::lose_unsynced, Ordering::ordered});
  start();
  record("third");
  EXPECT_EQ(names(), (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_EQ(here->log.events().back().number, 3u);
  EXPECT_EQ(here->log.last_number(), 3u);
}

TEST_F(EventLives, ADamagedLineIsSkippedAndSaid) {
  start();
  record("first");
  record("second");
  host.stop();
  ASSERT_TRUE(host.disk().rot(event_path, 0));
  start();
  EXPECT_EQ(names(), (std::vector<std::string>{"second", "events_damaged"}));
  EXPECT_EQ(here->log.events().back().event.fields[0], (std::pair<std::string, std::string>{"lines", "1"}));
  EXPECT_EQ(here->log.events().back().number, 3u);
}

TEST_F(EventLives, TheFilesStayBoundedAndTheNewestEventsAreKept) {
  start();
  for (int batch = 0; batch < 8; ++batch) record("batch" + std::to_string(batch), 400, 1000);  // 8 times 450 KB
  host.stop();
  start();
  EXPECT_EQ(here->log.events().size(), EventLog::events_max);
  EXPECT_EQ(names().back(), "batch7");
  std::uint64_t bytes = 0;
  for (const char* part : {"", ".1"}) {
    const Result<NodeId> file = host.disk().state().find(event_path + part);
    ASSERT_TRUE(file.ok()) << part;
    bytes += host.disk().state().cached(*file).size();
  }
  EXPECT_LE(bytes, 2 * (EventFile::file_bytes_max + 500'000));
}

TEST_F(EventLives, AfterATornLineTheNextIsWhole) {
  start();
  record("first");
  host.stop();
  append_torn();
  start();
  record("second");
  host.stop();
  start();
  EXPECT_EQ(names(), (std::vector<std::string>{"first", "events_damaged", "second", "events_damaged"}));
}

TEST_F(EventLives, ADiskThatFailsCostsEventsAndIsToldOnceUntilItWorksAgain) {
  start();
  record("kept");
  host.disk().plan({DiskAction::write, "events", 0, 2, ErrorKind::no_space});
  record("late");
  world.run_for(15s);
  EXPECT_EQ(std::count(told.names.begin(), told.names.end(), "events_not_kept"), 1);
  world.run_for(20s);
  host.kill({Damage::lose_unsynced, Ordering::ordered});
  start();
  // What the failed write left of its line may be said to be damaged.
  const std::vector<std::string> found = names();
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found[0], "kept");
  EXPECT_EQ(found[1], "late");
}

}  // namespace
}  // namespace ccr::sim
