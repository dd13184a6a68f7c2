// What a power cut may leave: for small scripts the set of all allowed states is written down; over 2,000 seeds nothing else is
// seen, and the states that make trouble are.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/sim/disk_state.h"

namespace ccr::sim {
namespace {

using storage::OpenMode;
using States = std::set<std::string>;
using Script = std::function<void(DiskState&)>;

constexpr std::uint64_t seeds = 2'000;

NodeId open(DiskState& disk, const std::string& path) {
  const Result<NodeId> file = disk.open(path, OpenMode::create);
  CCR_ASSERT(file.ok());
  return *file;
}
void write(DiskState& disk, const std::string& path, std::uint64_t offset, const std::string& text) {
  disk.write(open(disk, path), offset, as_bytes(text));
}
void sync(DiskState& disk, const std::string& path) { disk.sync(open(disk, path), disk.mark()); }
void sync_directory(DiskState& disk, const std::string& path) { CCR_ASSERT(disk.sync_directory(path, disk.mark()).ok()); }
void rename(DiskState& disk, const std::string& from, const std::string& to) { CCR_ASSERT(disk.rename(from, to).ok()); }
void remove(DiskState& disk, const std::string& path) { CCR_ASSERT(disk.remove(path).ok()); }

// "a=text b=", zeros as 0, runs of one character counted: 'x' 512 times is x*512.
std::string shown(const Bytes& bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t end = i;
    while (end < bytes.size() && bytes[end] == bytes[i]) ++end;
    const char letter = bytes[i] == std::byte{0} ? '0' : static_cast<char>(bytes[i]);
    text += letter + (end - i > 1 ? "*" + std::to_string(end - i) + "," : std::string());
    i = end;
  }
  return text;
}

std::string describe(const DiskState& disk, const std::string& directory = "") {
  std::string text;
  const Result<std::vector<storage::DirectoryEntry>> entries = disk.list(directory);
  CCR_ASSERT(entries.ok());
  for (const storage::DirectoryEntry& entry : *entries) {
    const std::string path = directory + "/" + entry.name;
    if (entry.directory) {
      text += describe(disk, path);
    } else {
      text += (text.empty() ? "" : " ") + path.substr(1) + "=" + shown(disk.cached(*disk.find(path)).all());
    }
  }
  return text;
}

States states_after(const Script& script, Damage damage, Ordering ordering) {
  DiskState begun;
  script(begun);
  States seen;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    DiskState disk = begun;
    Random random(seed);
    disk.crash({damage, ordering}, random);
    EXPECT_EQ(disk.unsynced() > 0, damage == Damage::process_only && begun.unsynced() > 0);
    seen.insert(describe(disk));
  }
  return seen;
}

States states_after_any(const Script& script, Ordering ordering) {
  States all;
  for (const Damage damage :
       {Damage::lose_unsynced, Damage::keep_all, Damage::random_subset, Damage::torn, Damage::metadata_only}) {
    all.merge(states_after(script, damage, ordering));
  }
  return all;
}

void overwrite(DiskState& disk) {
  write(disk, "/f", 0, "aa");
  sync(disk, "/f");
  sync_directory(disk, "/");
  write(disk, "/f", 0, "bb");
}

TEST(Crash, AnUnsyncedOverwriteIsThereOrNot) {
  EXPECT_EQ(states_after(overwrite, Damage::lose_unsynced, Ordering::adversarial), States({"f=a*2,"}));
  EXPECT_EQ(states_after(overwrite, Damage::keep_all, Ordering::adversarial), States({"f=b*2,"}));
  EXPECT_EQ(states_after(overwrite, Damage::process_only, Ordering::adversarial), States({"f=b*2,"}));
  EXPECT_EQ(states_after_any(overwrite, Ordering::adversarial), States({"f=a*2,", "f=b*2,"}));
  EXPECT_EQ(states_after_any(overwrite, Ordering::ordered), States({"f=a*2,", "f=b*2,"}));
}

TEST(Crash, WhatWasSyncedWithItsNameHasOneState) {
  const Script script = [](DiskState& disk) {
    overwrite(disk);
    sync(disk, "/f");
  };
  EXPECT_EQ(states_after_any(script, Ordering::adversarial), States({"f=b*2,"}));
  EXPECT_EQ(states_after_any(script, Ordering::ordered), States({"f=b*2,"}));
}

void append_twice(DiskState& disk) {
  write(disk, "/f", 0, "a");
  sync(disk, "/f");
  sync_directory(disk, "/");
  write(disk, "/f", 1, "b");
  write(disk, "/f", 2, "c");
}

TEST(Crash, AnAdversarialDiskKeepsTheLaterAppendWithoutTheEarlier) {
  const States all = states_after_any(append_twice, Ordering::adversarial);
  EXPECT_EQ(all, States({"f=a", "f=ab", "f=abc", "f=a0c", "f=a0", "f=ab0", "f=a0*2,"}));
}

TEST(Crash, AnOrderedFileSystemKeepsABeginningOfTheAppends) {
  States all;
  for (const Damage damage : {Damage::lose_unsynced, Damage::keep_all, Damage::random_subset, Damage::torn}) {
    all.merge(states_after(append_twice, damage, Ordering::ordered));
  }
  EXPECT_EQ(all, States({"f=a", "f=ab", "f=abc"}));
  EXPECT_EQ(states_after(append_twice, Damage::metadata_only, Ordering::ordered), States({"f=a", "f=a0", "f=a0*2,"}));
}

TEST(Crash, AFileWithoutADirectorySyncMayBeMissingAndWithoutAFileSyncEmpty) {
  const Script synced_name = [](DiskState& disk) {
    write(disk, "/f", 0, "a");
    sync_directory(disk, "/");
  };
  EXPECT_EQ(states_after_any(synced_name, Ordering::adversarial), States({"f=", "f=a", "f=0"}));
  const Script synced_content = [](DiskState& disk) {
    write(disk, "/f", 0, "a");
    sync(disk, "/f");
  };
  EXPECT_EQ(states_after_any(synced_content, Ordering::adversarial), States({"", "f=a"}));
  EXPECT_EQ(states_after_any(synced_content, Ordering::ordered), States({"f=a"}));  // the journal committed the name with it
}

// The way a file is replaced: each step's states, so that leaving one out is seen.
void replace(DiskState& disk, int steps) {
  write(disk, "/f", 0, "old");
  sync(disk, "/f");
  sync_directory(disk, "/");
  if (steps > 0) write(disk, "/n", 0, "new");
  if (steps > 1) sync(disk, "/n");
  if (steps > 2) rename(disk, "/n", "/f");
  if (steps > 3) sync_directory(disk, "/");
}

TEST(Crash, AReplacementIsOldOrNewAtEveryStepAndNewAtItsEnd) {
  auto states = [](int steps) {
    return states_after_any([steps](DiskState& disk) { replace(disk, steps); }, Ordering::adversarial);
  };
  EXPECT_EQ(states(0), States({"f=old"}));
  EXPECT_EQ(states(1), States({"f=old", "f=old n=", "f=old n=new", "f=old n=0*3,"}));
  EXPECT_EQ(states(2), States({"f=old", "f=old n=new"}));
  EXPECT_EQ(states(3), States({"f=old", "f=old n=new", "f=new"}));
  EXPECT_EQ(states(4), States({"f=new"}));
}

TEST(Crash, ARenameMaySurviveWithoutTheDataOfAFileThatWasNotSynced) {
  const Script script = [](DiskState& disk) {
    write(disk, "/f", 0, "old");
    sync(disk, "/f");
    sync_directory(disk, "/");
    write(disk, "/n", 0, "new");
    rename(disk, "/n", "/f");
    sync_directory(disk, "/");
  };
  EXPECT_EQ(states_after_any(script, Ordering::adversarial), States({"f=", "f=new", "f=0*3,"}));
}

TEST(Crash, ARenameAcrossDirectoriesLeavesOneNameOrBothAndNeverNone) {
  const Script script = [](DiskState& disk) {
    CCR_ASSERT(disk.make_directories("/p").ok());
    CCR_ASSERT(disk.make_directories("/q").ok());
    sync_directory(disk, "/");
    write(disk, "/p/f", 0, "a");
    sync(disk, "/p/f");
    sync_directory(disk, "/p");
    rename(disk, "/p/f", "/q/f");
  };
  EXPECT_EQ(states_after_any(script, Ordering::adversarial), States({"p/f=a", "q/f=a", "p/f=aq/f=a"}));
  EXPECT_EQ(states_after_any(script, Ordering::ordered), States({"p/f=a", "q/f=a"}));
  const Script target_synced = [script](DiskState& disk) {
    script(disk);
    sync_directory(disk, "/q");
  };
  EXPECT_EQ(states_after_any(target_synced, Ordering::adversarial), States({"q/f=a", "p/f=aq/f=a"}));
  const Script source_synced = [script](DiskState& disk) {
    script(disk);
    sync_directory(disk, "/p");
  };
  EXPECT_EQ(states_after_any(source_synced, Ordering::adversarial), States({"q/f=a"}));
}

TEST(Crash, ARemovedNameMayComeBackUntilItsDirectoryIsSynced) {
  const Script script = [](DiskState& disk) {
    write(disk, "/f", 0, "a");
    sync(disk, "/f");
    sync_directory(disk, "/");
    remove(disk, "/f");
    write(disk, "/f", 0, "b");
    sync(disk, "/f");
  };
  EXPECT_EQ(states_after_any(script, Ordering::adversarial), States({"", "f=a", "f=b"}));
  EXPECT_EQ(states_after_any(script, Ordering::ordered), States({"f=b"}));
}

TEST(Crash, ATornWriteKeepsWholeSectorsAndAnyOfThem) {
  const std::string before(2048, 'a'), after(2048, 'b');
  const Script script = [&](DiskState& disk) {
    write(disk, "/f", 0, before);
    sync(disk, "/f");
    sync_directory(disk, "/");
    write(disk, "/f", 0, after);
  };
  DiskState begun;
  script(begun);
  States seen;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    DiskState disk = begun;
    Random random(seed);
    disk.crash({Damage::torn, Ordering::adversarial}, random);
    const Bytes content = disk.cached(*disk.find("/f")).all();
    ASSERT_EQ(content.size(), 2048u);
    std::string sectors;
    for (std::size_t i = 0; i < content.size(); i += 512) {
      for (std::size_t j = 1; j < 512; ++j) ASSERT_EQ(content[i + j], content[i]);
      sectors += static_cast<char>(content[i]);
    }
    seen.insert(sectors);
  }
  EXPECT_EQ(seen.size(), 16u);  // all of them: first torn, last torn, holes, nothing, everything
}

TEST(Crash, ATornAppendMayBeShortOrHaveZerosInside) {
  const std::string added(1536, 'b');
  const Script script = [&](DiskState& disk) {
    write(disk, "/f", 0, "");
    sync_directory(disk, "/");
    write(disk, "/f", 0, added);
  };
  const States seen = states_after(script, Damage::torn, Ordering::adversarial);
  for (const char* state : {"f=", "f=b*512,", "f=b*1024,", "f=b*1536,", "f=0*512,b*512,", "f=0*1024,b*512,", "f=b*512,0*1024,"}) {
    EXPECT_EQ(seen.count(state), 1u) << state;
  }
  for (const std::string& state : seen) EXPECT_EQ(state.find('a'), std::string::npos) << state;
}

TEST(Crash, AnOverwriteInPlaceIsFreeOnAnOrderedFileSystemToo) {
  const Script script = [](DiskState& disk) {
    write(disk, "/f", 0, "aa");
    sync(disk, "/f");
    sync_directory(disk, "/");
    write(disk, "/f", 0, "b");
    write(disk, "/f", 1, "c");
  };
  EXPECT_EQ(states_after_any(script, Ordering::ordered), States({"f=a*2,", "f=ba", "f=ac", "f=bc"}));
}

TEST(Crash, MetadataOnlyKeepsLengthsAndNamesWithoutData) {
  const Script script = [](DiskState& disk) {
    write(disk, "/f", 0, "aa");
    sync(disk, "/f");
    sync_directory(disk, "/");
    write(disk, "/f", 1, "bb");
    write(disk, "/g", 0, "c");
  };
  EXPECT_EQ(states_after(script, Damage::metadata_only, Ordering::adversarial), States({"f=a*2,0 g=0"}));
}

TEST(Crash, AKilledProcessLosesNothing) {
  const Script script = [](DiskState& disk) { replace(disk, 3); };
  DiskState disk;
  script(disk);
  const std::string before = describe(disk);
  Random random(1);
  disk.crash({Damage::process_only, Ordering::adversarial}, random);
  EXPECT_EQ(describe(disk), before);
  EXPECT_GT(disk.unsynced(), 0u);
}

TEST(Crash, DataOfAFailedSyncIsLostEvenWhenALaterSyncSucceeds) {
  States seen;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    DiskState disk;
    overwrite(disk);
    Random random(seed);
    disk.fail_sync(*disk.find("/f"), disk.mark(), false, random);
    EXPECT_EQ(describe(disk), "f=b*2,");
    sync(disk, "/f");
    disk.crash({Damage::keep_all, Ordering::adversarial}, random);
    seen.insert(describe(disk));
  }
  EXPECT_EQ(seen, States({"f=a*2,", "f=b*2,"}));
}

TEST(Crash, TheCacheOfAFailedSyncRevertsAtOnceWhereTheFileSystemDoesSo) {
  States seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    DiskState disk;
    overwrite(disk);
    Random random(seed);
    disk.fail_sync(*disk.find("/f"), disk.mark(), true, random);
    seen.insert(describe(disk));
  }
  EXPECT_EQ(seen, States({"f=a*2,", "f=b*2,"}));
}

TEST(Crash, NothingIsKeptThatNoNameCanReach) {
  DiskState disk;
  write(disk, "/f", 0, std::string(8192, 'a'));
  EXPECT_EQ(disk.used_bytes(), 8192u);
  remove(disk, "/f");
  sync_directory(disk, "/");
  EXPECT_EQ(disk.used_bytes(), 0u);
}

TEST(Crash, StylesAreAllDrawn) {
  std::set<std::pair<Damage, Ordering>> drawn;
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const CrashStyle style = draw_power_cut(random);
    EXPECT_NE(style.damage, Damage::process_only);
    drawn.insert({style.damage, style.ordering});
  }
  EXPECT_EQ(drawn.size(), 10u);
}

}  // namespace
}  // namespace ccr::sim
