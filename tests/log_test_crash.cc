// Crashes of the writer: whatever operation the process died in, and whatever the disk kept of what was not synced, everything that
// was acknowledged is there afterwards, and the log goes on.
#include "tests/log_support.h"
#include "tests/sweep.h"

namespace ccr::storage {
namespace {

using namespace test;

// What the owner of the log believes at the moment of death.
struct Acknowledged {
  CommitNumber commit = 0;
  Position durable;
};

// Commits of many sizes, groups, rolls, a record over several generations. Ends at the first error.
Acknowledged script(Active& active) {
  Acknowledged done;
  if (!active.create().ok()) return done;
  for (std::uint32_t i = 0; i < 26; ++i) {
    const std::uint32_t images = i == 13 ? 1300 : i * 7 % 40;  // 1300 images of 512 bytes go through three generations
    if (!active.write(images).ok()) return done;
    if (i == 4 && !run(active.log->prepare()).ok()) return done;
    if (i % 3 == 2) continue;  // joins the next group
    if (i % 8 == 7 ? !run(active.log->roll()).ok() : !active.sync().ok()) return done;
    done.commit = active.log->durable_commit();
    done.durable = active.log->durable();
  }
  return done;
}

std::uint64_t operations_of_script() {
  MemoryDisk disk;
  Active active(disk);
  disk.stop_at(MemoryDisk::never);
  EXPECT_EQ(script(active).commit, 26u);
  return disk.operations();
}

class Crash : public testing::TestWithParam<Survives> {};

void expect_whole(Active& active, const Acknowledged& done, const std::string& where) {
  const Position end = active.log->durable();
  EXPECT_GE(end, done.durable) << where;
  EXPECT_GE(active.log->durable_commit(), done.commit) << where;
  const ReadLog read = read_all(active.disk, active.directory(), Position::start_of({1}), end);
  ASSERT_FALSE(read.error) << where << ": " << read.error->message;
  ASSERT_EQ(read.records.size(), active.log->durable_commit()) << where;
  for (const ReadRecord& record : read.records) EXPECT_TRUE(record.pages_right) << where;
  EXPECT_EQ(read.position, end) << where;
}

TEST_P(Crash, AtEveryOperationKeepsEverythingAcknowledgedAndGoesOn) {
  const std::uint64_t operations = operations_of_script();
  ASSERT_GT(operations, 80u);
  for (std::uint64_t operation = 1; operation <= operations; ++operation) {
    if (!swept(operation)) continue;
    const std::string where = "died in operation " + std::to_string(operation);
    SCOPED_TRACE(where);
    MemoryDisk disk;
    Active active(disk);
    disk.stop_at(operation);
    const Acknowledged done = script(active);
    active.log.reset();
    disk.crash(GetParam());
    const Result<void> opened = active.open(done.durable);
    if (!opened.ok() && opened.error().kind == ErrorKind::not_found) {
      EXPECT_FALSE(done.durable.known()) << where;
      ASSERT_OK(active.create());
    } else {
      ASSERT_TRUE(opened.ok()) << where << ": " << opened.error().message;
    }
    expect_whole(active, done, where);
    ASSERT_OK(active.commit(3));
    ASSERT_OK(run(active.log->roll()));
    ASSERT_OK(active.commit(900));
    expect_whole(active, {done.commit + 2, active.log->durable()}, where);
    const Result<std::vector<ChainLink>> chain = run(verify_chain(disk, directory_a));
    ASSERT_TRUE(chain.ok()) << where << ": " << chain.error().message;
    for (const auto& [name, content] : disk.all()) {
      const std::string base = name.substr(name.rfind('/') + 1);
      EXPECT_TRUE(base == "current.log" || generation_of_name(base)) << where << " left " << name;
    }
  }
}

// Recovery itself may be cut, at each of its operations, and cut again.
TEST_P(Crash, InsideRecoveryAtEveryOperationIsRecoveredFrom) {
  const std::uint64_t operations = operations_of_script();
  for (std::uint64_t operation = 7; operation <= operations; operation += 11) {
    for (std::uint64_t second = 1;; ++second) {
      if (!swept(operation + second)) continue;
      const std::string where = "died in operation " + std::to_string(operation) + ", then in " + std::to_string(second) + " of the recovery";
      MemoryDisk disk;
      Active active(disk);
      disk.stop_at(operation);
      const Acknowledged done = script(active);
      active.log.reset();
      disk.crash(Survives::everything);
      disk.stop_at(second);
      const Result<void> first = active.open(done.durable);
      const bool ended = !disk.died_already();
      active.log.reset();
      disk.crash(GetParam());
      if (!first.ok() && first.error().kind == ErrorKind::not_found) break;
      const Result<void> opened = active.open(done.durable);
      if (!opened.ok() && opened.error().kind == ErrorKind::not_found && !done.durable.known()) break;
      ASSERT_TRUE(opened.ok()) << where << ": " << opened.error().message;
      expect_whole(active, done, where);
      if (ended) break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Disks, Crash, any_part, survives_name);

// A log with one sealed generation and three commits in the open one, the last two of one block each.
struct Torn : testing::Test {
  void SetUp() override {
    ASSERT_OK(active.create());
    ASSERT_OK(active.commit(1));
    ASSERT_OK(run(active.log->roll()));
    for (int i = 0; i < 3; ++i) ASSERT_OK(active.commit(1));
    end = active.log->durable();
    active.log.reset();
  }
  sim::Content& open_file() { return disk.file(directory_a + "/current.log"); }
  bool holds(Generation generation) {
    const auto files = disk.all();
    return std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.first == directory_a + "/" + sealed_name(generation); });
  }
  void flip(std::uint64_t block) { open_file().flip(block * block_bytes + 100, 0); }
  ErrorKind refused(Position proven) {
    const auto before = disk.all();
    const Result<void> opened = active.open(proven);
    EXPECT_FALSE(opened.ok());
    EXPECT_EQ(disk.all(), before) << "a refused open changed a file";
    return opened.ok() ? ErrorKind::busy : opened.error().kind;
  }
  MemoryDisk disk;
  Active active{disk};
  Position end;
};

TEST_F(Torn, ATornLastBlockIsCutAndSaid) {
  flip(3);
  ASSERT_OK(active.open());
  EXPECT_EQ(active.log->durable(), (Position{{2}, 3 * 4096}));
  EXPECT_EQ(active.log->last_commit(), 3u);
  EXPECT_EQ(active.log->recovered().cut_bytes, 4096u);
  EXPECT_EQ(active.log->recovered().last_record, header_of(3, 1));
  const Bytes file = open_file().all();
  EXPECT_TRUE(std::all_of(file.begin() + 3 * 4096, file.end(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_F(Torn, ATornLastBlockThatIsProvenIsDamage) {
  flip(3);
  EXPECT_EQ(refused(end), ErrorKind::corrupt);
}

TEST_F(Torn, DamageBeforeALaterBlocksProofIsRefused) {
  flip(1);  // block 3 states that blocks 1 and 2 were durable
  EXPECT_EQ(refused({}), ErrorKind::corrupt);
}

TEST_F(Torn, AnEndBeforeTheProvenPositionIsAGap) {
  open_file().write(3 * 4096, Bytes(open_file().size() - 3 * 4096));
  EXPECT_EQ(refused(end), ErrorKind::gap);
  EXPECT_EQ(refused(Position::start_of({3})), ErrorKind::gap);
}

TEST_F(Torn, DamageInASealedGenerationIsRefused) {
  disk.file(directory_a + "/" + sealed_name({1})).flip(4096 + 200, 0);
  EXPECT_EQ(refused({}), ErrorKind::corrupt);
}

TEST_F(Torn, ADamagedHeaderOfTheOpenGenerationIsRefused) {
  flip(0);
  EXPECT_EQ(refused({}), ErrorKind::corrupt);
}

TEST_F(Torn, AForeignSignatureIsRefused) {
  Signature other = signature_a;
  other.bytes[3] ^= std::byte{1};
  const Result<std::unique_ptr<LogStream>> opened = run(LogStream::open(disk, active.clock, active.options, other, Position{}));
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::identity);
}

TEST_F(Torn, WhatIsLeftOfALowerGenerationIsTheEndOfTheFile) {
  // Block 1 of generation 2 would be a valid block of generation 3, were it not for its place in the checksum.
  const Bytes old = open_file().all();
  ASSERT_OK(active.open());
  ASSERT_OK(run(active.log->roll()));
  active.log.reset();
  open_file().write(4096, ByteView(old).subspan(4096, 4096));
  ASSERT_OK(active.open());
  EXPECT_EQ(active.log->durable(), Position::start_of({3}));
  EXPECT_EQ(active.log->recovered().cut_bytes, 0u) << "it is no torn tail either";
}

TEST_F(Torn, ABlockOfAnotherLogOrOfAHigherGenerationIsATornTail) {
  const Bytes payload(500, std::byte{7});
  Block stray;
  stray.number = 5;
  stray.payload = payload;
  Signature other = signature_a;
  other.bytes[0] ^= std::byte{1};
  for (const auto& [signature, generation, cut] : {std::tuple(signature_a, 9, 2u), std::tuple(other, 1, 2u), std::tuple(signature_a, 1, 0u)}) {
    Bytes block(block_bytes);
    encode_block(signature, {std::uint64_t(generation)}, stray, block);
    EXPECT_EQ(is_left_over(signature_a, {2}, 5, block), cut == 0);
    EXPECT_FALSE(is_left_over(signature_a, {2}, 4, block));
    open_file().write(5 * block_bytes, block);
    ASSERT_OK(active.open());
    EXPECT_EQ(active.log->durable(), end);
    EXPECT_EQ(active.log->recovered().cut_bytes, cut * block_bytes) << generation;
    active.log.reset();
  }
}

TEST_F(Torn, ALowerEpochIsRefusedAndAHigherOneBeginsAGeneration) {
  active.options.epoch = 5;
  ASSERT_OK(active.open());
  EXPECT_EQ(active.log->open_generation().number, 3u);
  EXPECT_EQ(active.log->epoch(), 5u);
  EXPECT_EQ(active.log->recovered().end, end);
  ASSERT_OK(active.commit(1));
  active.log.reset();
  active.options.epoch = 4;
  EXPECT_EQ(refused({}), ErrorKind::refused);
  active.options.epoch = 6;
  ASSERT_OK(active.open());
  const Result<std::vector<ChainLink>> chain = run(verify_chain(disk, directory_a));
  ASSERT_OK(chain);
  ASSERT_EQ(chain->size(), 4u);
  EXPECT_EQ(chain->at(2).epoch, 5u);
  EXPECT_EQ(chain->at(3).epoch, 6u);
}

TEST_F(Torn, ASealAfterARestartNamesTheRootOnlyOnceItIsTold) {
  ASSERT_OK(active.open());
  ASSERT_OK(run(active.log->roll()));
  Result<GenerationFacts> silent = run(inspect_generation(disk, directory_a + "/" + sealed_name({2}), std::nullopt));
  ASSERT_OK(silent);
  EXPECT_EQ(silent->seal->last_commit, 0u);
  active.log->know_root(77);
  ASSERT_OK(active.commit(2));
  active.log.reset();
  ASSERT_OK(active.open());
  active.log->know_root(78);
  ASSERT_OK(run(active.log->roll()));
  Result<GenerationFacts> told = run(inspect_generation(disk, directory_a + "/" + sealed_name({3}), std::nullopt));
  ASSERT_OK(told);
  EXPECT_EQ(told->seal->last_commit, 5u);
  EXPECT_EQ(told->seal->root, 78u);
}

// A disk may make a rename as two steps; a crash between them leaves both names.
TEST_F(Torn, ASecondNameOfASealedGenerationIsDropped) {
  const std::string sealed = directory_a + "/" + sealed_name({1});
  disk.put(directory_a + "/current.log", disk.content(sealed));
  ASSERT_OK(active.open(Position::start_of({2})));
  EXPECT_EQ(active.log->durable(), Position::start_of({2}));
  ASSERT_OK(active.commit(1));
  EXPECT_OK(run(verify_chain(disk, directory_a)));
}

// Such a log ends where the record begins that goes on behind the seal, and not at the seal.
TEST_F(Torn, AProvenPositionBeforeASealBehindWhichNothingIsLeftIsAGap) {
  ASSERT_OK(active.open(end));
  ASSERT_OK(active.write(1800));
  ASSERT_OK(active.sync());
  ASSERT_EQ(active.log->open_generation(), Generation{5});
  active.log.reset();
  const std::string sealed = directory_a + "/" + sealed_name({2}), current = directory_a + "/current.log";
  for (const Generation gone : {Generation{3}, Generation{4}}) disk.drop(directory_a + "/" + sealed_name(gone));
  disk.put(current, disk.content(sealed));
  const Position inside{{2}, 60 * block_bytes};
  ASSERT_GT(inside, end);
  EXPECT_EQ(refused(inside), ErrorKind::gap) << "both names are there";
  disk.drop(sealed);
  EXPECT_EQ(refused(inside), ErrorKind::gap) << "the final name is missing";
  ASSERT_OK(active.open(end));
  EXPECT_EQ(active.log->durable(), end);
}

TEST_F(Torn, AnotherFileUnderTheNumberOfASealedGenerationIsDiverged) {
  MemoryDisk other_disk;
  Active other(other_disk);
  ASSERT_OK(other.create());
  ASSERT_OK(other.commit(2));
  disk.put(directory_a + "/current.log", other_disk.content(directory_a + "/current.log"));
  EXPECT_EQ(refused({}), ErrorKind::diverged);
}

// The process died before the sync of a group that had filled generations.
TEST_F(Torn, SealedGenerationsBehindTheOpenOneNeverCounted) {
  ASSERT_OK(active.open(end));
  const CommitNumber counted = active.log->last_commit();
  ASSERT_OK(active.write(1800));
  ASSERT_EQ(active.log->open_generation(), Generation{5});
  active.log.reset();
  ASSERT_TRUE(holds({4}));
  disk.crash(Survives::everything);
  ASSERT_OK(active.open(end));
  EXPECT_EQ(active.log->last_commit(), counted);
  EXPECT_EQ(active.log->open_generation(), Generation{3}) << "what was sealed as current.log is whole, and stays";
  EXPECT_FALSE(holds({3}) || holds({4}));
  ASSERT_OK(active.commit(1));
  EXPECT_OK(run(verify_chain(disk, directory_a)));
}

class TornBySomebody : public Torn {
 protected:
  // Generation 2 lies there as current.log, before 3 and 4.
  void put_an_older_file_as_current() {
    ASSERT_OK(active.open(end));
    for (int i = 0; i < 3; ++i) {
      ASSERT_OK(active.commit(1));
      ASSERT_OK(active.commit(1));
      ASSERT_OK(run(active.log->roll()));
    }
    active.log.reset();
    disk.put(directory_a + "/current.log", disk.content(directory_a + "/" + sealed_name({2})));
    disk.drop(directory_a + "/" + sealed_name({2}));
  }
};

TEST_F(TornBySomebody, AnOlderFileAsCurrentLogRemovesNothing) {
  put_an_older_file_as_current();
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_EQ(refused({}), ErrorKind::corrupt) << "later blocks state what lies behind it durable";
}

// What cannot be opened now may state durable what nobody else does.
TEST_F(TornBySomebody, GenerationsThatNoDescriptorIsLeftForAreNotRemovedUnread) {
  put_an_older_file_as_current();
  ASSERT_FALSE(HasFatalFailure());
  disk.have_no_descriptor_for({directory_a + "/" + sealed_name({3}), directory_a + "/" + sealed_name({4})});
  EXPECT_EQ(refused({}), ErrorKind::busy);
  EXPECT_TRUE(holds({3}) && holds({4}));
}

TEST_F(Torn, AHoleInFrontOfTheNewestRowIsLeftToThoseWhoNeedIt) {
  ASSERT_OK(active.open());
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(active.commit(1));
    ASSERT_OK(run(active.log->roll()));
  }
  end = active.log->durable();
  active.log.reset();
  disk.drop(directory_a + "/" + sealed_name({2}));
  ASSERT_OK(active.open(end));
  EXPECT_EQ(active.log->durable(), end);
  EXPECT_EQ(read_all(disk, active.directory(), Position::start_of({1}), end).error->kind, ErrorKind::gap);
  EXPECT_EQ(run(verify_chain(disk, directory_a)).error().kind, ErrorKind::gap);
}

// A record that goes through seals and never ends: its sealed part stays, counts for nothing, and its number is used again.
TEST(Abandoned, ARecordCutInsideSealedGenerationsNeverCountsAnywhere) {
  MemoryDisk disk;
  Active active(disk);
  ASSERT_OK(active.create());
  ASSERT_OK(active.commit(4));
  const Position before = active.log->durable();
  const RecordHeader header = header_of(2, 2000);
  ASSERT_OK(run(active.log->begin(header)));
  for (PageNumber page = 1; page < 1500; ++page) {
    const Bytes image = image_of(2, page, 512);
    const Page one{page, image};
    ASSERT_OK(run(active.log->pages(std::span(&one, 1))));
  }
  ASSERT_GT(active.log->open_generation().number, 3u);
  EXPECT_EQ(active.log->durable(), before);
  active.log.reset();
  disk.crash(Survives::everything);
  ASSERT_OK(active.open(before));
  EXPECT_EQ(active.log->durable(), before) << "one position, one byte: nothing was gained";
  EXPECT_EQ(active.log->last_commit(), 1u);

  Passive passive(active);
  ASSERT_OK(passive.open());
  ASSERT_OK(passive.ship(active, before, 7));
  ASSERT_OK(run(passive.log->sync()));
  EXPECT_EQ(passive.log->durable(), before);

  ASSERT_OK(active.commit(6));
  const Position after = active.log->durable();
  EXPECT_EQ(after, (Position{active.log->open_generation(), 2 * 4096}));
  ASSERT_OK(passive.ship(active, after, 7));
  ASSERT_OK(run(passive.log->sync()));
  EXPECT_EQ(passive.log->durable(), after);
  for (const LogDirectory& directory : {active.directory(), passive.directory}) {
    for (const Position from : {Position::start_of({1}), before}) {
      const ReadLog read = read_all(disk, directory, from, after);
      ASSERT_FALSE(read.error) << read.error->message;
      ASSERT_EQ(read.records.size(), from == before ? 1u : 2u);
      EXPECT_EQ(read.records.back().header, header_of(2, 6));
      EXPECT_TRUE(read.records.back().pages_right);
      EXPECT_EQ(read.position, after);
    }
  }
  EXPECT_OK(run(verify_chain(disk, directory_a)));
}

}  // namespace
}  // namespace ccr::storage
