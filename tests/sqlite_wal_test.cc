// The pure part of the capture: WAL bytes that real SQLite wrote, whole, cut, damaged and stale; the wal-index; cursors.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "storage/sqlite/sqlite_cursor.h"
#include "storage/sqlite/wal_decoder.h"

namespace ccr::storage::sqlite {
namespace {

// A database whose WAL is kept: every statement below is one commit.
class WalMaker {
 public:
  explicit WalMaker(int page_size) {
    char name[] = "/tmp/ccr-wal-XXXXXX";
    directory_ = ::mkdtemp(name);
    sqlite3_open((directory_ + "/a.db").c_str(), &database_);
    run("PRAGMA page_size=" + std::to_string(page_size));
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA wal_autocheckpoint=0");
    run("PRAGMA synchronous=OFF");
    run("PRAGMA cache_size=10");
  }
  ~WalMaker() {
    sqlite3_close(database_);
    std::filesystem::remove_all(directory_);
  }
  void run(const std::string& sql) { EXPECT_EQ(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql; }
  Bytes bytes(const std::string& suffix) const {
    std::ifstream in(directory_ + "/a.db" + suffix, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const ByteView view = as_bytes(text);
    return Bytes(view.begin(), view.end());
  }

 private:
  std::string directory_;
  sqlite3* database_ = nullptr;
};

struct Decoded {
  std::vector<WalCommit> commits;
  WalDecoder::Outcome end = WalDecoder::Outcome::more;
};

constexpr std::uint32_t no_limit = 0xfffffffe;

WalShape shape_of(const WalHeader& header) { return {header.page_size, header.big_endian, header.salts}; }

// Fed in pieces of whole frames, as windows of a reader are.
Decoded decode(ByteView wal, std::uint32_t limit = no_limit, std::size_t frames_at_once = 1000) {
  Decoded decoded;
  const std::optional<WalHeader> header = decode_wal_header(wal);
  if (!header) {
    decoded.end = WalDecoder::Outcome::invalid;
    return decoded;
  }
  WalDecoder decoder(shape_of(*header), 0, header->checksum);
  const std::size_t stride = frame_bytes(header->page_size);
  for (;;) {
    const std::uint64_t offset = frame_offset(decoder.next_frame(), header->page_size);
    const ByteView rest = offset < wal.size() ? wal.subspan(offset) : ByteView();
    decoded.end = decoder.feed(rest.first(std::min(rest.size(), frames_at_once * stride)), limit);
    if (decoded.end == WalDecoder::Outcome::commit) {
      decoded.commits.push_back(decoder.take_commit());
    } else if (decoded.end != WalDecoder::Outcome::more || rest.size() < stride) {
      return decoded;
    }
  }
}

void fill(WalMaker& maker) {
  maker.run("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
  maker.run("INSERT INTO t(body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT randomblob(3000) FROM n");
  maker.run("UPDATE t SET body = randomblob(100) WHERE id = 7");
  maker.run("DELETE FROM t WHERE id > 20");
  maker.run("VACUUM");
}

class WalOfPageSize : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, WalOfPageSize, testing::Values(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536));

TEST_P(WalOfPageSize, CommitsPlayedOverTheFileGiveTheDatabase) {
  WalMaker maker(GetParam());
  fill(maker);
  const Bytes wal = maker.bytes("-wal");
  const auto page_size = static_cast<std::size_t>(GetParam());
  const Decoded decoded = decode(wal, no_limit, 3);
  ASSERT_GE(decoded.commits.size(), 5u);
  Bytes mirror = maker.bytes("");
  for (const WalCommit& commit : decoded.commits) {
    mirror.resize(commit.page_count * page_size);
    for (const PageFrame& each : commit.pages) {
      const auto* from = wal.data() + frame_offset(each.frame, GetParam()) + frame_header_bytes;
      std::copy(from, from + page_size, mirror.begin() + static_cast<std::ptrdiff_t>((each.page - 1) * page_size));
    }
  }
  maker.run("PRAGMA wal_checkpoint(TRUNCATE)");
  EXPECT_EQ(mirror, maker.bytes(""));
}

TEST_P(WalOfPageSize, CutAnywhereOnlyWholeCommitsAreLeft) {
  WalMaker maker(GetParam());
  maker.run("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
  for (int i = 0; i < 4; ++i) maker.run("INSERT INTO t(body) VALUES(randomblob(2500))");
  const Bytes wal = maker.bytes("-wal");
  const Decoded whole = decode(wal);
  const std::size_t stride = frame_bytes(GetParam());
  std::set<std::size_t> cuts;
  for (std::size_t at = 0; at <= wal.size(); at += stride) {
    for (const std::size_t odd : {0UL, 1UL, 23UL, 24UL, 31UL, 32UL, 33UL, stride - 1}) cuts.insert(std::min(wal.size(), at + odd));
  }
  for (const std::size_t cut : cuts) {
    const Decoded part = decode(ByteView(wal).first(cut));
    std::size_t expected = 0;
    while (expected < whole.commits.size() && frame_offset(whole.commits[expected].last_frame + 1, GetParam()) <= cut) ++expected;
    ASSERT_EQ(part.commits.size(), expected) << "cut at " << cut;
  }
}

TEST_P(WalOfPageSize, AFlippedBitEndsTheCommitsBeforeIt) {
  WalMaker maker(GetParam());
  fill(maker);
  Bytes wal = maker.bytes("-wal");
  const Decoded whole = decode(wal);
  const std::size_t step = wal.size() / 150 + 1;
  for (std::size_t at = 0; at < wal.size(); at += step) {
    wal[at] ^= std::byte{0x10};
    const Decoded part = decode(wal);
    const auto frame = at < wal_header_bytes ? 0 : static_cast<std::uint32_t>((at - wal_header_bytes) / frame_bytes(GetParam())) + 1;
    std::size_t expected = 0;
    while (expected < whole.commits.size() && whole.commits[expected].last_frame < frame) ++expected;
    EXPECT_EQ(part.end, WalDecoder::Outcome::invalid);
    ASSERT_EQ(part.commits.size(), expected) << "bit at " << at;
    wal[at] ^= std::byte{0x10};
  }
}

TEST(WalDecoder, NeverTakesAFrameBeyondTheLimit) {
  WalMaker maker(1024);
  fill(maker);
  const Bytes wal = maker.bytes("-wal");
  const Decoded whole = decode(wal);
  for (std::uint32_t limit = 0; limit <= whole.commits.back().last_frame; ++limit) {
    const Decoded part = decode(wal, limit);
    std::size_t expected = 0;
    while (expected < whole.commits.size() && whole.commits[expected].last_frame <= limit) ++expected;
    EXPECT_EQ(part.commits.size(), expected);
    EXPECT_EQ(part.end, WalDecoder::Outcome::limit);
  }
}

TEST(WalDecoder, FramesOfAnOlderFillingAreNotOurs) {
  WalMaker maker(4096);
  fill(maker);
  const Bytes before = maker.bytes("-wal");
  const Decoded old = decode(before);
  maker.run("PRAGMA wal_checkpoint(RESTART)");
  maker.run("INSERT INTO t(body) VALUES(randomblob(10))");
  const Bytes after = maker.bytes("-wal");
  ASSERT_EQ(after.size(), before.size());
  const Decoded now = decode(after);
  EXPECT_EQ(now.commits.size(), 1u);
  EXPECT_EQ(now.end, WalDecoder::Outcome::invalid);
  // …but whoever stood behind an old commit that was not overwritten can go on there.
  const WalHeader header = *decode_wal_header(before);
  const WalCommit& place = old.commits[1];
  ASSERT_GT(place.last_frame, now.commits[0].last_frame);
  WalDecoder decoder(shape_of(header), place.last_frame, place.checksum);
  ASSERT_EQ(decoder.feed(ByteView(after).subspan(frame_offset(place.last_frame + 1, 4096)), no_limit), WalDecoder::Outcome::commit);
  EXPECT_EQ(decoder.take_commit().checksum, old.commits[2].checksum);
}

TEST(WalDecoder, ASpilledTransactionCountsOnceAndARolledBackOneNever) {
  WalMaker maker(1024);
  maker.run("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
  const std::string many = "INSERT INTO t(body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
                           "SELECT randomblob(900) FROM n";
  maker.run("BEGIN");
  maker.run(many);
  maker.run("UPDATE t SET body = randomblob(800)");
  maker.run("ROLLBACK");
  EXPECT_EQ(decode(maker.bytes("-wal")).commits.size(), 1u);
  maker.run("BEGIN");
  maker.run(many);
  maker.run("UPDATE t SET body = randomblob(900)");
  maker.run("COMMIT");
  const Decoded decoded = decode(maker.bytes("-wal"));
  ASSERT_EQ(decoded.commits.size(), 2u);
  std::set<PageNumber> pages;
  for (const PageFrame& each : decoded.commits[1].pages) EXPECT_TRUE(pages.insert(each.page).second) << "page twice";
}

// A WAL written by hand in the byte order that this machine does not use.
Bytes foreign_wal(bool big_endian, std::uint32_t page_size, const std::vector<std::pair<PageNumber, PageNumber>>& frames) {
  Bytes wal(wal_header_bytes + frames.size() * frame_bytes(page_size));
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) wal[at + i] = static_cast<std::byte>(value >> (24 - 8 * i));
  };
  const std::uint32_t words[] = {0x377f0682u | (big_endian ? 1u : 0u), 3007000, page_size, 0, 0x1234, 0x5678};
  for (std::size_t i = 0; i < 6; ++i) put(i * 4, words[i]);
  WalChecksum sum = wal_checksum(big_endian, {}, ByteView(wal).first(24));
  put(24, sum.first);
  put(28, sum.second);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::size_t at = frame_offset(static_cast<std::uint32_t>(i + 1), page_size);
    put(at, frames[i].first);
    put(at + 4, frames[i].second);
    put(at + 8, 0x1234);
    put(at + 12, 0x5678);
    for (std::size_t b = 0; b < page_size; ++b) wal[at + frame_header_bytes + b] = static_cast<std::byte>(b * 7 + i);
    sum = wal_checksum(big_endian, sum, ByteView(wal).subspan(at, 8));
    sum = wal_checksum(big_endian, sum, ByteView(wal).subspan(at + frame_header_bytes, page_size));
    put(at + 16, sum.first);
    put(at + 20, sum.second);
  }
  return wal;
}

TEST(WalDecoder, BothByteOrdersOfTheChecksumAreRead) {
  for (const bool big_endian : {false, true}) {
    const Decoded decoded = decode(foreign_wal(big_endian, 512, {{1, 0}, {2, 2}, {1, 2}}));
    ASSERT_EQ(decoded.commits.size(), 2u);
    EXPECT_EQ(decoded.commits[0].pages, (std::vector<PageFrame>{{1, 1}, {2, 2}}));
    EXPECT_EQ(decoded.commits[1].pages, (std::vector<PageFrame>{{1, 3}}));
  }
}

TEST(WalDecoder, TheLastFrameOfAPageWinsAndPagesAboveTheEndStandApart) {
  const Decoded decoded = decode(foreign_wal(false, 512, {{3, 0}, {9, 0}, {3, 0}, {1, 0}, {2, 4}}));
  ASSERT_EQ(decoded.commits.size(), 1u);
  EXPECT_EQ(decoded.commits[0].pages, (std::vector<PageFrame>{{3, 3}, {1, 4}, {2, 5}}));
  EXPECT_EQ(decoded.commits[0].beyond, (std::vector<PageFrame>{{9, 2}}));
  EXPECT_EQ(decoded.commits[0].page_count, 4u);
}

TEST(WalDecoder, PageZeroIsNoPage) { EXPECT_EQ(decode(foreign_wal(false, 512, {{0, 1}})).end, WalDecoder::Outcome::invalid); }

TEST(WalIndex, IsDecodedAndTornOrDamagedOnesAreNot) {
  WalMaker maker(4096);
  fill(maker);
  const Bytes shm = maker.bytes("-shm");
  const std::optional<WalIndex> index = decode_wal_index(shm);
  ASSERT_TRUE(index.has_value());
  const Decoded decoded = decode(maker.bytes("-wal"));
  EXPECT_EQ(index->last_frame, decoded.commits.back().last_frame);
  EXPECT_EQ(index->page_count, decoded.commits.back().page_count);
  EXPECT_EQ(index->frame_checksum, decoded.commits.back().checksum);
  EXPECT_EQ(index->change, decoded.commits.size());
  EXPECT_EQ(index->salts, decode_wal_header(maker.bytes("-wal"))->salts);
  EXPECT_EQ(index->page_size, 4096u);
  EXPECT_FALSE(index->fully_backfilled());
  for (std::size_t at = 0; at < 96; ++at) {
    Bytes damaged(shm.begin(), shm.begin() + wal_index_head_bytes);
    damaged[at] ^= std::byte{1};
    EXPECT_FALSE(decode_wal_index(damaged).has_value()) << "byte " << at;
  }
  EXPECT_FALSE(decode_wal_index(ByteView(shm).first(100)).has_value());
}

TEST(SqliteCursor, SurvivesTheLogAndNothingElsePasses) {
  SqliteCursor cursor;
  cursor.shape = {65536, true, {7, 8}};
  cursor.frame = 12;
  cursor.checksum = {3, 4};
  cursor.change = 99;
  cursor.page_count = 1000;
  cursor.change_counter = 5;
  cursor.file = {123456789012345, 777, -5};
  cursor.file_complete = true;
  const SourceCursor bytes = encode_cursor(cursor);
  EXPECT_EQ(decode_cursor(bytes), cursor);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    SourceCursor damaged = bytes;
    damaged[at] ^= std::byte{4};
    EXPECT_FALSE(decode_cursor(damaged).has_value()) << "byte " << at;
  }
  EXPECT_FALSE(decode_cursor(SourceCursor{}).has_value());
}

struct Resume : testing::Test {
  Resume() {
    cursor.shape = {4096, false, {100, 55}};
    cursor.frame = 40;
    cursor.change = 10;
    cursor.change_counter = 6;
    cursor.file = {1, 4096 * 20, 1000};
    facts.file = {1, 4096 * 30, 2000};
    facts.page_size = 4096;
    facts.change_counter = 6;
    facts.salts = {101, 77};
    facts.change = 15;
    facts.frame_left = true;
    facts.tail_commits = 2;
    facts.current_commits = 3;
  }
  ResumeVerdict::How how() const { return judge_resume(cursor, facts).how; }
  std::string reason() const { return judge_resume(cursor, facts).reason; }
  SqliteCursor cursor;
  ResumeFacts facts;
};
using How = ResumeVerdict::How;

TEST_F(Resume, OneResetWithTheWholeTailLeftIsProven) { EXPECT_EQ(how(), How::after_reset); }
TEST_F(Resume, AMissingCommitIsAGap) {
  facts.change = 16;
  EXPECT_EQ(reason(), "wal_gap");
}
TEST_F(Resume, ASurplusCommitIsAGapToo) {
  facts.tail_commits = 3;  // one of them was never published, or the index counts anew: nobody can say
  EXPECT_EQ(reason(), "wal_gap");
}
TEST_F(Resume, TwoResetsProveNothing) {
  facts.salts.first = 102;
  EXPECT_EQ(reason(), "wal_gap");
}
TEST_F(Resume, AnOverwrittenPlaceProvesNothing) {
  facts.frame_left = false;
  EXPECT_EQ(reason(), "wal_gap");
}
TEST_F(Resume, ThePlaceInTheSameWalIsEnough) {
  facts.place_found = true;
  facts.change = 0;
  EXPECT_EQ(how(), How::same_wal);
}
TEST_F(Resume, AFileThatHeldEverythingAndWasNotWrittenMeansTheWalHasAllSince) {
  facts.salts = {9, 9};
  facts.file = cursor.file;
  EXPECT_EQ(reason(), "wal_gap");
  cursor.file_complete = true;
  EXPECT_EQ(how(), How::whole_wal);
  facts.file.modified_nanoseconds += 1;
  EXPECT_EQ(reason(), "wal_gap");
}
TEST_F(Resume, AnotherInodeIsAnotherFileWhateverTheWalSays) {
  facts.place_found = true;
  facts.file.inode = 2;
  EXPECT_EQ(reason(), "file_replaced");
}
TEST_F(Resume, ASmallerChangeCounterIsAnOlderFile) {
  facts.frame_left = false;
  facts.change_counter = 5;
  EXPECT_EQ(reason(), "file_replaced");
}
TEST_F(Resume, WithoutACursorItIsTheFirstStart) { EXPECT_EQ(judge_resume(std::nullopt, facts).reason, "first_start"); }

TEST(TailCommits, GrowthSaysHowManyAreReal) {
  EXPECT_EQ(tail_commits_proven(5, 3, 2), 2u);
  EXPECT_EQ(tail_commits_proven(5, 3, 4), 2u);  // what a killed writer left behind its last published commit
  EXPECT_EQ(tail_commits_proven(3, 3, 1), 0u);
  EXPECT_EQ(tail_commits_proven(5, 3, 1), std::nullopt);
  EXPECT_EQ(tail_commits_proven(2, 3, 1), std::nullopt);  // the index counts anew
}

TEST(LockPage, LiesAtOneGibibyte) {
  EXPECT_EQ(lock_page(4096), 262145u);
  EXPECT_EQ(lock_page(65536), 16385u);
  EXPECT_EQ(lock_page(512), 2097153u);
}

}  // namespace
}  // namespace ccr::storage::sqlite
