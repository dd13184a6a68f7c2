#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/config_example.h"
#include "engine/event_file.h"
#include "engine/status_parts.h"
#include "tools/event_history.h"
#include "tools/state_status.h"
#include "tools/status_text.h"

namespace ccr::tools {
namespace {

using nlohmann::json;
using storage::CopyState;

engine::Config config_of(const std::string& node) { return *engine::parse_config(engine::example_config, "ccr.toml", node); }

CopyState seeded_state() {
  CopyState state;
  state.signature.bytes[0] = std::byte{0xab};
  state.epoch = 41;
  state.page_size = 4096;
  state.durable = {Generation{0x1a3f2}, 8192};
  state.min_required = {Generation{0x1a3f0}, 4096};
  state.max_required = state.min_required;
  state.seeded = true;
  state.tip = {Generation{0x1a3f4}, 4096};
  state.tip_heard = WallTime{1767323045LL * 1'000'000'000};
  state.root_equal_at = {Generation{0x1a3ef}, 4096};
  return state;
}

json copy_of(const json& status, const std::string& node) {
  for (const json& copy : status["databases"][0]["copies"]) {
    if (copy["node"] == node) return copy;
  }
  return nullptr;
}

TEST(StateStatus, APassiveCopyShowsWhatItRememberedAndNothingElse) {
  const json status = status_of_states(config_of("beta"), {{"orders", {seeded_state(), ""}}});
  EXPECT_EQ(status["schema"], 1);
  EXPECT_EQ(status["daemon"], false);
  EXPECT_EQ(status["databases"][0]["epoch"], 41);
  const json beta = copy_of(status, "beta");
  EXPECT_EQ(beta["state"], "disconnected");
  EXPECT_EQ(beta["cause"], "the daemon is not running");
  EXPECT_EQ(beta["hint"], "start it: ccr serve --node beta");
  EXPECT_EQ(beta["inspected"], json::parse(R"({"generation":107506,"offset":8192})"));
  EXPECT_EQ(beta["generated"]["generation"], 107508);
  EXPECT_TRUE(beta["copy_queue"].is_null());
  EXPECT_EQ(beta["replay_queue"]["generations"], 2);
  EXPECT_EQ(beta["replay_queue"]["bytes"], 2 * 1048576 + 4096);
  EXPECT_EQ(beta["tip_heard_at"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(beta["disk_verified_at"], nullptr);
  EXPECT_EQ(copy_of(status, "alpha")["state"], nullptr);
}

TEST(StateStatus, AScrubShowsItsPlaceAndWhatItFound) {
  CopyState state = seeded_state();
  state.page_size = 4096;
  state.scrub = {257, {1767323045LL * 1'000'000'000}, {}, 3, 2};
  const json scrub = copy_of(status_of_states(config_of("beta"), {{"orders", {state, ""}}}), "beta")["scrub"];
  EXPECT_EQ(scrub["done_bytes"], 1048576);
  EXPECT_EQ(scrub["began_at"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(scrub["finished_at"], nullptr);
  EXPECT_EQ(scrub["rotten_pages"], 3);
  EXPECT_EQ(scrub["repaired_pages"], 2);
  EXPECT_EQ(scrub["overdue"], nullptr);
}

TEST(StateStatus, ASuspensionKeepsItsCommentAndTime) {
  CopyState state = seeded_state();
  state.suspended = true;
  state.comment = "disk swap";
  state.since = WallTime{1767323045LL * 1'000'000'000};
  const json beta = copy_of(status_of_states(config_of("beta"), {{"orders", {state, ""}}}), "beta");
  EXPECT_EQ(beta["state"], "suspended");
  EXPECT_EQ(beta["comment"], "disk swap");
  EXPECT_EQ(beta["since"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(beta["hint"], "ccr resume orders@beta");
}

TEST(StateStatus, ACopyThatWasNeverMadeNeedsASeed) {
  const json beta = copy_of(status_of_states(config_of("beta"), {}), "beta");
  EXPECT_EQ(beta["state"], "needs_seed");
  EXPECT_EQ(beta["hint"], "ccr seed orders@beta");
}

TEST(StateStatus, AnInterruptedSeedGoesOnWithTheDaemon) {
  CopyState state = seeded_state();
  state.seeded = false;
  state.seed.source = "alpha";
  const json beta = copy_of(status_of_states(config_of("beta"), {{"orders", {state, ""}}}), "beta");
  EXPECT_EQ(beta["state"], "seeding");
  EXPECT_EQ(beta["hint"], "start it: ccr serve --node beta");
}

TEST(StateStatus, AnActiveCopyThatWasNeverStartedSaysSo) {
  const json alpha = copy_of(status_of_states(config_of("alpha"), {}), "alpha");
  EXPECT_EQ(alpha["state"], "dismounted");
  EXPECT_EQ(alpha["cause"], "it was never started here");
  EXPECT_EQ(alpha["hint"], "start it: ccr serve --node alpha");
}

// A script that reads the daemon's answer reads this one too.
TEST(StateStatus, AnUnknownCopyHasTheFieldsAndShapesOfTheDaemons) {
  const json here = copy_of(status_of_states(config_of("beta"), {}), "beta");
  const json daemons = engine::blank_copy("beta", "passive");
  for (const auto& [key, value] : daemons.items()) {
    ASSERT_TRUE(here.contains(key)) << key;
    EXPECT_TRUE(!value.is_null() || here[key].is_null() || key == "state") << key;
    EXPECT_EQ(value.is_object(), here[key].is_object()) << key;
  }
  for (const auto& [key, value] : daemons["seed"].items()) EXPECT_TRUE(here["seed"].contains(key)) << key;
}

TEST(StateStatus, TheTextIsMarked) {
  const json status = status_of_states(config_of("alpha"), {{"orders", {seeded_state(), ""}}});
  EXPECT_EQ(status_text(status, WallTime{1767510600'000'000'000}, false),
            "cluster lab   this node alpha   epoch 41   TLS off   (from the state file, daemon not running)\n"
            "DATABASE  NODE   ROLE     STATE       COPY QUEUE  REPLAY QUEUE  RATE  LAG  GENERATION  SINCE\n"
            "orders    alpha  active   Dismounted  -           -             -     -    1a3f2       ?       the daemon is not "
            "running, root equal "
            "at 1a3ef\n"
            "  hint: start it: ccr serve --node alpha\n"
            "orders    beta   passive  ?           ?           ?             ?     ?    ?           ?\n");
}

class StateFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ccr-state-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void put(const char* slot, const Bytes& bytes) const {
    std::ofstream(directory_ + "/" + slot, std::ios::binary) << to_text(bytes);
  }
  std::string directory_;
};

TEST_F(StateFilesTest, TheNewerSlotIsRead) {
  CopyState older = seeded_state();
  CopyState newer = seeded_state();
  newer.epoch = 42;
  put("state.0", storage::encode_state(newer, 8));
  put("state.1", storage::encode_state(older, 7));
  const Result<CopyState> state = read_state(directory_);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->epoch, 42u);
}

TEST_F(StateFilesTest, ADamagedSlotLeavesTheOther) {
  put("state.0", storage::encode_state(seeded_state(), 7));
  put("state.1", Bytes(4096, std::byte{7}));
  EXPECT_TRUE(read_state(directory_).ok());
}

TEST_F(StateFilesTest, TwoDamagedSlotsAreAnError) {
  put("state.0", Bytes(10, std::byte{7}));
  put("state.1", Bytes());
  EXPECT_EQ(read_state(directory_).error().kind, ErrorKind::corrupt);
}

// --- events -----------------------------------------------------------------------------------------------------------------

class KeptEventsTest : public StateFilesTest {
 protected:
  void SetUp() override {
    StateFilesTest::SetUp();
    config_ = config_of("beta");
    config_.state_dir = directory_;
  }
  static std::string line(std::uint64_t number, const std::string& subject) {
    return engine::encode_event_line({number, WallTime{1767323045'000'000'000}, {"state_changed", subject, {{"to", "healthy"}}}}) + "\n";
  }
  void put_text(const char* file, const std::string& text) const { std::ofstream(directory_ + "/" + file, std::ios::binary) << text; }
  std::vector<std::string> subjects(const Target& target) const {
    const Result<std::vector<json>> events = events_from_disk(config_, target);
    EXPECT_TRUE(events.ok());
    std::vector<std::string> found;
    for (const json& event : *events) found.push_back(std::to_string(event["number"].get<int>()) + " " + event["subject"].get<std::string>());
    return found;
  }
  engine::Config config_;
};

TEST_F(KeptEventsTest, TheOlderFileComesFirstAndATargetNarrowsThem) {
  put_text("events.jsonl.1", line(1, "orders@alpha") + line(2, "beta"));
  put_text("events.jsonl", line(3, "orders@beta"));
  EXPECT_EQ(subjects({}), (std::vector<std::string>{"1 orders@alpha", "2 beta", "3 orders@beta"}));
  EXPECT_EQ(subjects({"orders", ""}), (std::vector<std::string>{"1 orders@alpha", "3 orders@beta"}));
  EXPECT_EQ(subjects({"orders", "beta"}), (std::vector<std::string>{"3 orders@beta"}));
}

TEST_F(KeptEventsTest, DamagedLinesAndLinesOutOfOrderAreLeftOut) {
  put_text("events.jsonl", line(5, "beta") + "{\"number\":6,\n" + line(5, "alpha") + line(7, "orders@beta") + "{\"number\"");
  EXPECT_EQ(subjects({}), (std::vector<std::string>{"5 beta", "7 orders@beta"}));
}

TEST_F(KeptEventsTest, NoFileIsNoEventAndAFileThatCannotBeReadIsAnError) {
  EXPECT_TRUE(subjects({}).empty());
  std::filesystem::create_directory(directory_ + "/events.jsonl");
  const Result<std::vector<json>> events = events_from_disk(config_, {});
  ASSERT_FALSE(events.ok());
  EXPECT_EQ(events.error().kind, ErrorKind::io);
}

TEST_F(KeptEventsTest, AnUnknownNameIsAnErrorThatNamesTheNearest) {
  const Result<std::vector<json>> database = events_from_disk(config_, {"order", ""});
  ASSERT_FALSE(database.ok());
  EXPECT_EQ(database.error().kind, ErrorKind::not_found);
  EXPECT_NE(database.error().hint.find("orders"), std::string::npos);
  const Result<std::vector<json>> copy = events_from_disk(config_, {"orders", "bet"});
  ASSERT_FALSE(copy.ok());
  EXPECT_NE(copy.error().hint.find("orders@beta"), std::string::npos);
}

TEST_F(StateFilesTest, NoSlotIsNotFoundAndNothingIsWritten) {
  EXPECT_EQ(read_state(directory_).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

}  // namespace
}  // namespace ccr::tools
