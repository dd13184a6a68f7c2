// The state file: its bytes, its two slots, and what crashes leave of them.
#include "storage/state_file.h"
#include "tests/pages_fixture.h"

namespace ccr::storage {
namespace {

using Keep = PageMemoryDisk::Keep;

const std::string directory = "/state";
const std::string slots[] = {"/state/state.0", "/state/state.1"};

Position at(std::uint64_t generation, std::uint64_t offset) { return {Generation{generation}, offset}; }

// Every field set, to a value of its own.
CopyState full_state() {
  CopyState state;
  state.signature.bytes.fill(std::byte{0xa5});
  state.epoch = 3;
  state.active = "gamma";
  state.forced = state.promote_due = true;
  state.deposed = Deposed::asked;
  state.received_ages = {{at(7, 4096), std::chrono::seconds(90)}, {at(8, 4096), std::chrono::seconds(30)}};
  state.replayed_ages = {{at(6, 4096), std::chrono::seconds(120)}};
  state.prepared = 4;
  state.prepared_whole = true;
  state.page_size = 4096;
  state.durable = at(9, 8192);
  state.durable_commit = 900;
  state.min_required = at(7, 4096);
  state.max_required = at(8, 12288);
  state.replayed_commit = 700;
  state.seeded = true;
  state.suspended = true;
  state.failed = true;
  state.comment = "moving racks";
  state.suspended_by = "root";
  state.cause = "page 7 differs";
  state.since = {1'700'000'000'000'000'000};
  state.seed = {"alpha", at(5, 4096), 2, at(6, 4096), 600, true, true, 10, 11, 12, 13, 14, 15};
  state.tip = at(10, 4096);
  state.tip_commit = 1000;
  state.tip_heard = {-1};
  state.root_equal_at = at(7, 4096);
  state.root_equal = 0xfedcba9876543210;
  state.disk_verified_at = {5};
  state.damaged_pages = 16;
  state.pages_at_rest = {4096, 17, -18};
  state.scrub = {19, {20}, {-21}, 22, 23};
  state.access = {"app", "users", 0640, "system_u:object_r:app_t:s0"};
  state.backup = {at(6, 8192), 3, {24}};
  state.log_given_up = at(5, 4096);
  state.pins = {{Pin::Kind::copy, "beta", at(4, 4096), false}, {Pin::Kind::seed, "gamma", at(3, 4096), true}};
  state.cut = at(9, 8256);
  return state;
}

CopyState numbered(CommitNumber number) {
  CopyState state = full_state();
  state.durable_commit = number;
  return state;
}

TEST(StateBytes, EveryFieldComesBack) {
  const Bytes slot = encode_state(full_state(), 77);
  const Result<std::pair<CopyState, std::uint64_t>> decoded = decode_state(slot);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->first, full_state());
  EXPECT_EQ(decoded->second, 77u);
  EXPECT_EQ(slot.size(), 4096u);
}

TEST(StateBytes, AFreshStateComesBack) {
  const Result<std::pair<CopyState, std::uint64_t>> decoded = decode_state(encode_state(CopyState(), 1));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->first, CopyState());
}

TEST(StateBytes, TheLargestStateFitsAndComesBack) {
  CopyState state = full_state();
  state.comment.assign(CopyState::comment_bytes_max, 'c');
  state.cause.assign(CopyState::cause_bytes_max, 'd');
  state.seed.source.assign(CopyState::name_bytes_max, 's');
  state.suspended_by.assign(CopyState::name_bytes_max, 'b');
  const Pin longest{Pin::Kind::seed, std::string(CopyState::name_bytes_max, 'p'), at(1, 4096), true};
  state.pins.assign(CopyState::pins_max, longest);
  const Bytes slot = encode_state(state, ~std::uint64_t(0));
  EXPECT_LE(slot.size(), StateFile::state_bytes_max);
  const Result<std::pair<CopyState, std::uint64_t>> decoded = decode_state(slot);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->first, state);
}

TEST(StateBytes, TextsThatAreTooLongAreCutBetweenCharacters) {
  CopyState state;
  state.comment = std::string(CopyState::comment_bytes_max - 1, 'x') + "ä!";
  state.cause = std::string(CopyState::cause_bytes_max + 10, 'y');
  const Result<std::pair<CopyState, std::uint64_t>> decoded = decode_state(encode_state(state, 1));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->first.comment, std::string(CopyState::comment_bytes_max - 1, 'x'));
  EXPECT_EQ(decoded->first.cause, std::string(CopyState::cause_bytes_max, 'y'));
}

TEST(StateBytes, EveryFlippedBitIsFound) {
  Bytes slot = encode_state(full_state(), 5);
  for (std::size_t bit = 0; bit < slot.size() * 8; ++bit) {
    slot[bit / 8] ^= std::byte(1u << (bit % 8));
    ASSERT_FALSE(decode_state(slot).ok()) << "bit " << bit;
    slot[bit / 8] ^= std::byte(1u << (bit % 8));
  }
}

TEST(StateBytes, EveryOtherLengthIsRefused) {
  const Bytes slot = encode_state(full_state(), 5);
  for (std::size_t size = 0; size < slot.size(); ++size)
    ASSERT_EQ(kind_of(decode_state(ByteView(slot).first(size))), ErrorKind::corrupt);
  for (const std::size_t more : {std::size_t(1), std::size_t(4096), StateFile::state_bytes_max}) {
    Bytes longer = slot;
    longer.resize(slot.size() + more);
    EXPECT_EQ(kind_of(decode_state(longer)), ErrorKind::corrupt);
    if (longer.size() > StateFile::state_bytes_max) continue;
    seal_state(longer);
    EXPECT_EQ(kind_of(decode_state(longer)), ErrorKind::corrupt) << "zeros behind a slot with a good checksum";
  }
}

TEST(StateBytes, BytesBehindThePayloadAreRefusedAlsoWithAGoodChecksum) {
  Bytes slot = encode_state(full_state(), 5);
  slot.back() = std::byte{1};
  seal_state(slot);
  EXPECT_EQ(kind_of(decode_state(slot)), ErrorKind::corrupt);
}

TEST(StateBytes, ANewerVersionIsUnsupported) {
  Bytes slot = encode_state(full_state(), 5);
  slot[8] = static_cast<std::byte>(static_cast<int>(slot[8]) + 1);
  seal_state(slot);
  EXPECT_EQ(kind_of(decode_state(slot)), ErrorKind::unsupported);
}

// Nodes are brought to a newer version one after another.
TEST(StateBytes, TheTwoVersionsBeforeAreReadToo) {
  constexpr std::size_t version_at = 8, length_at = 12, header_bytes = 32;
  constexpr std::size_t access_bytes = 3 * 2 + 4, kept_bytes = 16 + 8 + 8 + 16, cut_bytes = 16, since_7 = access_bytes + kept_bytes + cut_bytes, since_8 = 1;
  CopyState state = full_state();
  state.prepared_whole = false;
  const auto read_as = [&state](int version, std::size_t newer_bytes) {
    Bytes slot = encode_state(state, 5);
    const std::uint32_t length = Decoder(ByteView(slot).subspan(length_at)).u32();
    std::fill_n(slot.begin() + static_cast<std::ptrdiff_t>(header_bytes + length - newer_bytes), newer_bytes, std::byte{0});
    Encoder(ByteSpan(slot).subspan(length_at)).u32(static_cast<std::uint32_t>(length - newer_bytes));
    slot[version_at] = static_cast<std::byte>(version);
    seal_state(slot);
    return decode_state(slot);
  };
  const Result<std::pair<CopyState, std::uint64_t>> seven = read_as(7, since_8);
  ASSERT_TRUE(seven.ok()) << seven.error().message;
  EXPECT_TRUE(seven->first == state);
  state.access = {};
  state.backup = {};
  state.log_given_up = state.cut = Position{};
  const Result<std::pair<CopyState, std::uint64_t>> six = read_as(6, since_7 + since_8);
  ASSERT_TRUE(six.ok()) << six.error().message;
  EXPECT_TRUE(six->first == state);
  EXPECT_EQ(kind_of(read_as(5, since_7 + since_8)), ErrorKind::unsupported);
}

// With the checksum repaired each byte of the payload is set to each value: what decodes encodes to the same bytes again.
TEST(StateBytes, WhatDecodesBehindAGoodChecksumIsCanonical) {
  const Bytes good = encode_state(full_state(), 5);
  std::size_t refused = 0;
  for (std::size_t byte = 12; byte < 600; ++byte) {
    for (const unsigned value : {0u, 1u, 2u, 3u, 0x7fu, 0x80u, 0xffu}) {
      Bytes slot = good;
      slot[byte] = std::byte(value);
      seal_state(slot);
      const Result<std::pair<CopyState, std::uint64_t>> decoded = decode_state(slot);
      if (decoded.ok()) {
        ASSERT_EQ(encode_state(decoded->first, decoded->second), slot) << byte;
      } else {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(StateFile, NothingThereIsNotFound) {
  PageMemoryDisk disk;
  StateFile file(disk, directory);
  EXPECT_EQ(kind_of(finish(file.load())), ErrorKind::not_found);
}

TEST(StateFile, TheLastSavedStateIsLoadedAfterThePowerCut) {
  PageMemoryDisk disk;
  Random random(1);
  for (CommitNumber number = 1; number <= 5; ++number) {
    StateFile file(disk, directory);
    ASSERT_TRUE(finish(file.save(numbered(number))).ok());
    disk.crash(Keep::synced, random);
    StateFile again(disk, directory);
    const Result<CopyState> loaded = finish(again.load());
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(*loaded, numbered(number));
  }
}

TEST(StateFile, TheSlotsAreWrittenInTurnAndInPlace) {
  PageMemoryDisk disk;
  StateFile file(disk, directory);
  ASSERT_TRUE(finish(file.save(numbered(1))).ok());
  ASSERT_TRUE(finish(file.save(numbered(2))).ok());
  disk.reset_counts();
  const Bytes before = disk.content(slots[1]);
  ASSERT_TRUE(finish(file.save(numbered(3))).ok());
  EXPECT_EQ(disk.content(slots[1]), before);
  EXPECT_EQ(disk.counts().syncs, 1u);
  EXPECT_EQ(disk.counts().directory_syncs, 0u);
  EXPECT_EQ(disk.counts().writes, 1u);
}

TEST(StateFile, AShorterStateOverALongerOneIsWhole) {
  PageMemoryDisk disk;
  StateFile file(disk, directory);
  CopyState longer = numbered(1);
  longer.pins.assign(CopyState::pins_max, {Pin::Kind::copy, std::string(200, 'b'), at(1, 4096), false});
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(finish(file.save(longer)).ok());
  ASSERT_GT(disk.content(slots[0]).size(), 4096u);
  for (CommitNumber number = 2; number <= 3; ++number) {
    ASSERT_TRUE(finish(file.save(numbered(number))).ok());
    StateFile again(disk, directory);
    const Result<CopyState> loaded = finish(again.load());
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(*loaded, numbered(number));
  }
  EXPECT_EQ(disk.content(slots[0]).size(), 4096u);
}

TEST(StateFile, OneBadSlotLeavesTheOther) {
  for (const int bad : {0, 1}) {
    PageMemoryDisk disk;
    StateFile file(disk, directory);
    ASSERT_TRUE(finish(file.save(numbered(1))).ok());  // state.0
    ASSERT_TRUE(finish(file.save(numbered(2))).ok());  // state.1
    disk.flip(slots[bad], 1000);
    StateFile again(disk, directory);
    const Result<CopyState> loaded = finish(again.load());
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded->durable_commit, bad == 0 ? 2u : 1u);
    ASSERT_TRUE(finish(again.save(numbered(3))).ok());
    StateFile last(disk, directory);
    EXPECT_EQ(finish(last.load()).value().durable_commit, 3u);
  }
}

CopyState in_role(Epoch epoch, const char* active) {
  CopyState state = full_state();
  state.epoch = epoch;
  state.active = active;
  return state;
}

TEST(StateFile, ANewRoleIsInBothSlotsOnceItIsSaved) {
  for (const std::string& bad : slots) {
    PageMemoryDisk disk;
    StateFile file(disk, directory);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(finish(file.save(in_role(3, "alpha"))).ok());
    ASSERT_TRUE(finish(file.save(in_role(4, "beta"))).ok());
    disk.flip(bad, 1000);
    StateFile again(disk, directory);
    EXPECT_EQ(finish(again.load()).value(), in_role(4, "beta"));
  }
}

TEST(StateFile, ANewRoleThatACrashLeftInOneSlotIsInBothOnceItIsLoaded) {
  for (const std::string& bad : slots) {
    PageMemoryDisk disk;
    Random random(1);
    StateFile file(disk, directory);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(finish(file.save(in_role(3, "alpha"))).ok());
    disk.fail_sync(1);  // of the second slot
    ASSERT_FALSE(finish(file.save(in_role(4, "beta"))).ok());
    disk.repair();
    disk.crash(Keep::synced, random);
    StateFile again(disk, directory);
    EXPECT_EQ(finish(again.load()).value(), in_role(4, "beta"));
    disk.flip(bad, 1000);
    StateFile last(disk, directory);
    EXPECT_EQ(finish(last.load()).value(), in_role(4, "beta"));
  }
}

TEST(StateFile, BothSlotsBadIsCorruptAndCanBeReplaced) {
  PageMemoryDisk disk;
  StateFile file(disk, directory);
  ASSERT_TRUE(finish(file.save(numbered(1))).ok());
  ASSERT_TRUE(finish(file.save(numbered(2))).ok());
  disk.flip(slots[0], 1000);
  disk.flip(slots[1], 1000);
  StateFile again(disk, directory);
  EXPECT_EQ(kind_of(finish(again.load())), ErrorKind::corrupt);
  ASSERT_TRUE(finish(again.save(numbered(3))).ok());
  StateFile last(disk, directory);
  EXPECT_EQ(finish(last.load()).value().durable_commit, 3u);
}

TEST(StateFile, ASlotThatCannotBeReadIsNoReasonToBelieveTheOlderOne) {
  PageMemoryDisk disk;
  StateFile file(disk, directory);
  ASSERT_TRUE(finish(file.save(numbered(1))).ok());
  ASSERT_TRUE(finish(file.save(numbered(2))).ok());
  disk.fail_reads_of(slots[1], 0, 4096);
  StateFile again(disk, directory);
  EXPECT_EQ(kind_of(finish(again.load())), ErrorKind::io);
  StateFile saving(disk, directory);
  EXPECT_EQ(kind_of(finish(saving.save(numbered(3)))), ErrorKind::io);
}

TEST(StateFile, SavingWithoutLoadingWinsOverWhatIsThere) {
  PageMemoryDisk disk;
  StateFile file(disk, directory);
  for (CommitNumber number = 1; number <= 4; ++number) ASSERT_TRUE(finish(file.save(numbered(number))).ok());
  StateFile next(disk, directory);
  ASSERT_TRUE(finish(next.save(numbered(5))).ok());
  StateFile last(disk, directory);
  EXPECT_EQ(finish(last.load()).value().durable_commit, 5u);
}

// Saves `saves` states, with the power going at operation `operation` of the last one.
void crash_in_last_save(std::uint64_t saves, std::uint64_t operation, Keep keep, bool& saved) {
  PageMemoryDisk disk;
  Random random(saves * 1000 + operation);
  StateFile file(disk, directory);
  for (CommitNumber number = 1; number < saves; ++number) ASSERT_TRUE(finish(file.save(numbered(number))).ok());
  disk.fail_from(operation);
  saved = finish(file.save(numbered(saves))).ok();
  disk.crash(keep, random);
  StateFile again(disk, directory);
  const Result<CopyState> loaded = finish(again.load());
  if (saves == 1 && !saved && !loaded.ok()) {
    ASSERT_EQ(loaded.error().kind, ErrorKind::not_found);
    return;
  }
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  ASSERT_TRUE(*loaded == numbered(saves) || (!saved && *loaded == numbered(saves - 1)));
}

TEST(StateFile, ACrashAtEveryOperationOfASaveLeavesTheOldStateOrTheNew) {
  for (const Keep keep : every_keep) {
    for (std::uint64_t saves = 1; saves <= 40; ++saves) {
      bool saved = false;
      for (std::uint64_t operation = 0; !saved; ++operation) crash_in_last_save(saves, operation, keep, saved);
    }
  }
}

// A process dies in a save before its sync. The next one believes what it reads, saves, and the power goes inside that save.
TEST(StateFile, AStateThatAnEarlierProcessDidNotSyncIsDurableOnceItIsLoaded) {
  for (const bool sync_failed : {false, true}) {
    for (std::uint64_t operation = 0; operation < 12; ++operation) {
      PageMemoryDisk disk;
      Random random(operation);
      StateFile first(disk, directory);
      for (CommitNumber number = 1; number <= 2; ++number) ASSERT_TRUE(finish(first.save(numbered(number))).ok());
      if (sync_failed) {
        disk.fail_sync(0);
      } else {
        disk.fail_from(2);  // open, write; then dead
      }
      ASSERT_FALSE(finish(first.save(numbered(3))).ok());
      disk.repair();
      StateFile second(disk, directory);
      ASSERT_EQ(finish(second.load()).value().durable_commit, 3u);
      disk.fail_from(operation);
      const bool saved = finish(second.save(numbered(4))).ok();
      disk.crash(Keep::some, random);
      StateFile third(disk, directory);
      const Result<CopyState> loaded = finish(third.load());
      ASSERT_TRUE(loaded.ok());
      EXPECT_TRUE(loaded->durable_commit == 4 || (!saved && loaded->durable_commit == 3)) << operation;
    }
  }
}

TEST(StateFile, AfterAFailedSyncTheNextSaveTakesAnotherInode) {
  PageMemoryDisk disk;
  Random random(1);
  StateFile file(disk, directory);
  for (CommitNumber number = 1; number <= 2; ++number) ASSERT_TRUE(finish(file.save(numbered(number))).ok());
  disk.fail_sync(0);
  ASSERT_EQ(kind_of(finish(file.save(numbered(3)))), ErrorKind::io);
  disk.repair();
  disk.reset_counts();
  ASSERT_TRUE(finish(file.save(numbered(4))).ok());
  EXPECT_EQ(disk.counts().directory_syncs, 1u) << "it was written in place";
  disk.crash(Keep::synced, random);
  StateFile again(disk, directory);
  EXPECT_EQ(finish(again.load()).value().durable_commit, 4u);
}

}  // namespace
}  // namespace ccr::storage
