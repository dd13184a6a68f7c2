// The source's worker under a script: the test is the engine, and acts on the worker's own thread whenever the worker hands it something.
// So what programs do falls exactly between two of the worker's steps, and nothing depends on timing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/system_clock.h"
#include "storage/sqlite/sqlite_worker.h"
#include "tests/sqlite_programs.h"

namespace ccr::storage::test {
namespace {

using namespace sqlite;

constexpr std::size_t steps_max = 200;

// More than a window of the WAL: its images are read a second time while they are handed over.
const std::string insert_long = "INSERT INTO t(body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) "
                                "SELECT randomblob(3000) FROM n";
const std::string no_checkpoint = "PRAGMA wal_autocheckpoint=0";
const std::string checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";

class ScriptedEngine {
 public:
  using Step = std::function<void(ScriptedEngine&)>;

  explicit ScriptedEngine(const std::string& database, std::optional<SqliteCursor> from = std::nullopt)
      : channel_([this] { act(); }, [this] { watch_.wake(); }) {
    SqliteWorker::Options options;
    options.path = database;
    options.wal_limit_bytes = 1 * GiB;
    options.cursor = from;
    worker_ = std::make_unique<SqliteWorker>(options, clock_, channel_, watch_, facts_);
    channel_.take();  // the engine waits
  }

  // One step for each time that the worker hands over something while the engine waits, the first one after it began to serve.
  void run(std::vector<Step> steps) {
    steps_ = std::move(steps);
    worker_->run();
  }
  SourceChannel& channel() { return channel_; }
  const SqliteWorker::Facts& facts() const { return facts_; }
  void stop() { channel_.stop(); }

  std::vector<std::string> standings;  // reasons, "" for serving
  std::vector<PageNumber> commit_images;
  std::vector<SourcePages> answers;
  std::vector<std::size_t> answered_after;  // commits, for each answer
  std::size_t pages_compared = 0, pages_wrong = 0;  // in answers, with what the commits before them wrote
  std::optional<SqliteCursor> cursor;  // of the last commit handed over whole
  std::string error;

 private:
  void act() {
    while (std::optional<SourcePiece> piece = channel_.take()) note(*piece);
    if (standings.empty() || !standings.back().empty()) return;
    if (!error.empty() || standings.size() > 2 || next_step_ == steps_.size()) return stop();
    steps_[next_step_++](*this);
  }

  void note(SourcePiece& piece) {
    if (auto* failed = std::get_if<Error>(&piece)) error = failed->message;
    if (auto* pages = std::get_if<SourcePages>(&piece)) {
      compare(*pages);
      answers.push_back(std::move(*pages));
      answered_after.push_back(commit_images.size());
    }
    if (auto* batch = std::get_if<ImageBatch>(&piece)) {
      if (batch->head && batch->head->kind == RecordKind::commit) commit_images.push_back(batch->head->images);
      if (batch->head) head_ = *batch->head;
      if (batch->head) images_missing_ = head_.images;
      images_missing_ -= static_cast<std::uint32_t>(batch->pages.size());
      for (std::size_t i = 0; i < batch->pages.size(); ++i) {
        const std::size_t page_size = batch->bytes / batch->pages.size();
        const ByteView image(batch->images.get() + i * page_size, page_size);
        mirror_[batch->pages[i]].assign(image.begin(), image.end());
      }
      if (images_missing_ == 0) cursor = decode_cursor(head_.cursor);
    }
    if (auto* standing = std::get_if<SourceStanding>(&piece)) {
      standings.push_back(standing->reason);
      if (standing->kind == SourceStanding::Kind::lost) channel_.request(RejoinRequest{++losses_, true, {}});
    }
  }

  void compare(const SourcePages& pages) {
    for (const auto& [page, image] : mirror_) {
      if (page < pages.first || page >= pages.first + pages.count) continue;
      ++pages_compared;
      const std::byte* answered = pages.images.data() + (page - pages.first) * image.size();
      if (std::memcmp(answered, image.data(), image.size()) != 0) ++pages_wrong;
    }
  }

  SystemClock clock_;
  WalWatch watch_;
  SqliteWorker::Facts facts_;
  SourceChannel channel_;
  std::unique_ptr<SqliteWorker> worker_;
  std::vector<Step> steps_;
  std::size_t next_step_ = 0;
  std::uint64_t losses_ = 0;
  std::map<PageNumber, Bytes> mirror_;
  SourceCommit head_;
  std::uint32_t images_missing_ = 0;
};

class Scripted : public testing::Test {
 protected:
  Scripted() {
    Directory::sql(database, {"PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)", insert_long});
  }
  void sql(std::vector<std::string> statements) { EXPECT_EQ(value_of(Directory::sql(database, std::move(statements)), "busy"), 0); }

  const Directory directory;
  const std::string database = directory.file("a.db");
};

// 1. The worker hands over a commit; meanwhile another one is made, all is brought into the file, and pages are asked for. 2. For the pages a
// mark is taken. All is in the file: but not all is captured, so slot 0 would not do. 3. While the second commit is handed over a third one
// comes, which resets the WAL if nothing holds it off.
TEST_F(Scripted, AMarkForPagesHoldsOffTheResetOfWhatIsNotCaptured) {
  ScriptedEngine engine(database);
  std::vector<ScriptedEngine::Step> steps(steps_max);
  steps[0] = [&](ScriptedEngine&) { sql({no_checkpoint, insert_long}); };
  steps[1] = [&](ScriptedEngine& self) {
    sql({no_checkpoint, insert_long, checkpoint});
    self.channel().request(ReadRequest{1, 1, 1});
  };
  bool third = false;
  std::fill(steps.begin() + 2, steps.end(), [&](ScriptedEngine& self) {
    if (self.commit_images.size() == 2 && !std::exchange(third, true)) sql({no_checkpoint, insert_long, insert_long});
    if (self.commit_images.size() == 4) self.stop();
  });
  engine.run(steps);
  EXPECT_EQ(engine.error, "");
  EXPECT_EQ(engine.standings, (std::vector<std::string>{"first_start", ""}));
  EXPECT_EQ(engine.commit_images.size(), 4u);
}

// A program faster than the log: each time a commit is handed over, more are made. A read waits for what was committed when its mark was
// taken, once; those that follow it do not wait for the backlog that grew meanwhile.
TEST_F(Scripted, ReadsAreAnsweredBetweenTheCommitsOfABacklog) {
  ScriptedEngine engine(database);
  constexpr std::size_t reads = 6;
  std::vector<std::string> more(4, "INSERT INTO t(body) VALUES(randomblob(300000))");
  more.push_back("UPDATE t SET body = randomblob(3000) WHERE id % 7 = abs(random()) % 7");
  more.push_back(checkpoint);
  std::size_t asked = 0;
  const auto ask = [&](ScriptedEngine& self) {
    for (int together = 0; together < 2; ++together) self.channel().request(ReadRequest{++asked, 1, 600});
  };
  std::vector<ScriptedEngine::Step> steps(steps_max, [&](ScriptedEngine& self) {
    sql(more);
    if (self.answers.size() == asked && asked < reads) ask(self);
    if (self.answers.size() == reads) self.stop();
  });
  steps[0] = [&](ScriptedEngine&) { sql(more); };
  steps[1] = [&](ScriptedEngine& self) {
    sql(more);
    ask(self);
  };
  engine.run(steps);
  EXPECT_EQ(engine.error, "");
  ASSERT_EQ(engine.answers.size(), reads);
  EXPECT_EQ(engine.answered_after[0], engine.answered_after[1]) << "one view for all that wait";
  EXPECT_LE(engine.answered_after[5] - engine.answered_after[1], 6u);
  EXPECT_GT(engine.pages_compared, 1000u);
  EXPECT_EQ(engine.pages_wrong, 0u);
}

TEST_F(Scripted, TheBacklogIsToldWhileItIsHandedOver) {
  ScriptedEngine engine(database);
  const std::vector<std::string> four(4, "INSERT INTO t(body) VALUES(randomblob(300000))");
  std::vector<ScriptedEngine::Step> steps(steps_max);
  std::uint64_t uncaptured = 0;
  std::int64_t since = 0, made_at = 0;
  steps[0] = [&](ScriptedEngine&) { sql(four); };
  steps[1] = [&](ScriptedEngine&) {
    made_at = worker_now().nanoseconds;
    sql(four);
  };
  std::fill(steps.begin() + 2, steps.end(), [&](ScriptedEngine& self) {
    if (self.commit_images.size() == 3) uncaptured = self.facts().uncaptured_bytes;
    if (self.commit_images.size() == 7) since = self.facts().behind_since;
    if (self.commit_images.size() == 8) self.stop();
  });
  engine.run(steps);
  EXPECT_GT(uncaptured, 5u * 300'000) << "what was made while the backlog was handed over counts too";
  EXPECT_LT(uncaptured, 7u * 300'000);
  EXPECT_GT(since, 0);
  EXPECT_LE(since, worker_now().nanoseconds);
  EXPECT_GT(since, made_at - 1'000'000'000) << "of the last commits, not of the first";
}

// Somebody empties the WAL by hand while a commit is handed over. No lock can keep him from it. The commit before it lies in the WAL alone:
// of one that is in the file too the next source could prove that nothing is missing.
TEST_F(Scripted, AWalEmptiedUnderACommitIsLostContinuityToTheNextSource) {
  ScriptedEngine engine(database);
  std::vector<ScriptedEngine::Step> steps(steps_max, [](ScriptedEngine&) {});
  steps[0] = [&](ScriptedEngine&) { sql({no_checkpoint, "INSERT INTO t(body) VALUES(randomblob(100))"}); };
  steps[1] = [&](ScriptedEngine&) { sql({no_checkpoint, insert_long}); };
  steps[2] = [&](ScriptedEngine&) { std::filesystem::resize_file(database + "-wal", 0); };
  engine.run(steps);
  EXPECT_NE(engine.error.find("was reset under a commit"), std::string::npos) << engine.error;
  ASSERT_TRUE(engine.cursor.has_value());
  EXPECT_EQ(engine.commit_images.size(), 2u);

  run_and_read("rm -f " + database + "-wal " + database + "-shm");  // what its owner has to do as well: the index speaks of frames that are gone
  ScriptedEngine again(database, engine.cursor);
  again.run({[](ScriptedEngine& self) { self.stop(); }});
  EXPECT_EQ(again.error, "");
  ASSERT_FALSE(again.standings.empty());
  EXPECT_EQ(again.standings.front(), "wal_gap");
}

}  // namespace
}  // namespace ccr::storage::test
