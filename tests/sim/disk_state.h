// DiskState is what a simulated disk holds, without time: what processes see ('cached') and what would be left after power loss
// ('durable' plus any subset of what was not synced). All functions are immediate; SimDisk adds latency, faults and lives.
//
// Every change gets the next number of one sequence. A sync covers the changes below the mark taken when it began; it moves them,
// in order, from the un-synced list into the durable image. Copying a DiskState is cheap (file content is shared) and gives a disk
// of its own: a backup to restore, or a disk to crash in every way while the original runs on. Directories: '/' is the root and
// always there. A name is durable when its own directory was synced, and so on up to the root. A rename may leave both names, also across
// directories, never none: every file system with a journal makes it one change of that, and ccr asks for one.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/disk.h"
#include "tests/sim/sim_content.h"

namespace ccr::sim {

// What a crash does to the changes that were not synced.
enum class Damage {
  process_only,   // kill -9: the machine and its page cache live on, nothing is lost but what was in flight
  lose_unsynced,  // only what was synced is left
  keep_all,       // the disk had written everything
  random_subset,  // each change, or not
  torn,           // each change, or not, or some 512-byte sectors of it
  metadata_only,  // names and lengths, without the data: zeros where it was never written
};

// How much the file system orders. ordered: a journal, as ext4 with data=ordered: names and lengths survive up to one moment and
// none after it, any sync commits everything before it, and data behind a new length is there; only overwrites are free.
// adversarial: whatever POSIX allows; each name and each write on its own.
enum class Ordering { ordered, adversarial };

struct CrashStyle {
  Damage damage = Damage::random_subset;
  Ordering ordering = Ordering::adversarial;
};
CrashStyle draw_power_cut(Random& random);  // any but process_only

using NodeId = std::uint64_t;
using Mark = std::uint64_t;

class DiskState {
 public:
  static constexpr std::uint64_t sector_bytes = 512;  // what a disk writes as a whole or not at all

  DiskState();

  Result<NodeId> open(const std::string& path, storage::OpenMode mode);
  Result<std::vector<std::string>> make_directories(const std::string& path);  // the directories in which it made one
  Result<void> rename(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& path);
  Result<std::vector<storage::DirectoryEntry>> list(const std::string& path) const;
  Result<NodeId> find(const std::string& path) const;  // a file
  Result<NodeId> directory(const std::string& path) const;

  const Content& cached(NodeId file) const { return at(file).cached; }
  const Content& durable(NodeId file) const { return at(file).durable; }
  Mark modified(NodeId file) const { return at(file).modified; }
  void write(NodeId file, std::uint64_t offset, ByteView bytes);
  void resize(NodeId file, std::uint64_t size);
  void flip(NodeId file, std::uint64_t offset, unsigned bit);  // at rest: cached and durable

  Mark mark() const noexcept { return sequence_; }
  void sync(NodeId file, Mark mark);
  Result<void> sync_directory(const std::string& path, Mark mark);
  // The changes below the mark count as clean although only some of them, chosen by chance, reached the disk. The cache shows them
  // until evict() or a crash (ext4), or no longer (when `reverts`, as Btrfs).
  void fail_sync(NodeId file, Mark mark, bool reverts, Random& random);
  void evict(NodeId file);  // the cache is read from the disk again, for a file whose sync failed

  void crash(CrashStyle style, Random& random);

  void hold(NodeId file) { ++at(file).holders; }  // an open handle keeps an unlinked file
  void drop(NodeId file);
  std::uint64_t used_bytes() const;  // in whole 4 KiB blocks
  std::uint64_t unsynced() const;    // changes that a crash may lose
  bool unsynced(NodeId file, Mark mark) const;  // some of them are below the mark
  bool unsynced(const std::string& directory, Mark mark) const;

 private:
  struct Change {
    Mark sequence = 0;
    bool resizes = false;  // else it writes
    bool extends = false;
    std::uint64_t offset = 0;  // or the new size
    Bytes bytes;
    std::uint64_t end() const noexcept { return offset + bytes.size(); }
  };
  struct FileState {
    Content cached, durable;
    std::vector<Change> unsynced;
    Mark modified = 0;  // the last change
    bool stale_cache = false;  // shows what a failed sync lost
    int holders = 0;
  };
  struct NameChange {
    Mark sequence = 0;
    std::string removed;  // "" for none
    std::string added;    // "" for none
    NodeId node = 0;
    NodeId moved_to = 0;  // the directory that has the other half of a rename across two, of the same sequence; of what removes
  };
  using Names = std::map<std::string, NodeId>;
  struct DirectoryState {
    Names cached, durable;
    std::vector<NameChange> unsynced;
  };
  struct Place {  // a path whose directory exists
    NodeId directory = 0;
    std::string name;
    NodeId node = 0;  // 0: no such name
  };
  struct CrashRule;

  FileState& at(NodeId file);
  const FileState& at(NodeId file) const;
  Result<Place> place(const std::string& path) const;
  void change_names(NodeId directory, NameChange change);
  static void apply(Names& names, const NameChange& change);
  static void apply(Content& content, const Change& change);
  void apply_torn(Content& content, const Change& change, Random& random) const;
  void crash_file(FileState& file, const CrashRule& rule, Random& random) const;
  void crash_directories(const CrashRule& rule, Random& random);
  void settle_names(DirectoryState& directory, Mark mark);
  std::set<NodeId> reachable() const;
  void collect();

  static constexpr NodeId root = 1;
  std::map<NodeId, FileState> files_;
  std::map<NodeId, DirectoryState> directories_;
  NodeId next_node_ = root + 1;
  Mark sequence_ = 1;
  Mark journaled_ = 1;  // changes below are committed on an ordered file system
};

}  // namespace ccr::sim
