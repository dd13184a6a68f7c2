// LyingDisk is a disk for real processes that keeps only what they synced: a DiskState, with the simulator's own rules of what a power cut
// may leave, behind the calls of FUSE (tests/lying_disk/mount.cc), and told what to do by words (tests/lying_disk/disk_words.h).
//
// Completion: every call is done when it returns, 0 or more, or a negative errno. An operation counts when it is a system call on a file or a
// directory that stands for one of SimDisk's; looking at names counts as nothing.
// A cut at operation N, or at the Nth of one kind: the process is killed first, then N is performed or not, then what was not synced is settled, so nothing that the
// process does later is seen. Until remount() every operation fails with EIO, and handles of before fail for ever.
// Recording: every change since record() can be done again, so any moment since then can be opened, crashed in any style: open_recorded().
// Failure: a planned write wrote any part, a planned sync lost any part, as on SimDisk. Sockets are names only and gone with a cut.
// Threads: one. Bounds: capacity_bytes; a recording ends at recorded_bytes_max.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/sim_disk.h"

namespace ccr::lying {

using sim::CrashStyle;
using sim::DiskAction;
using sim::DiskState;
using sim::Mark;
using sim::NodeId;

struct Handle {
  std::uint64_t life = 0;
  NodeId node = 0;
  std::string path;  // of a directory
};

struct Cut {
  std::uint64_t after_operations = 0;  // 1: at the next one; 0: now
  DiskAction action = DiskAction::any;  // of those that count here
  pid_t process = 0;                   // 0: nobody is killed
  CrashStyle style;
  std::uint64_t seed = 0;
};

struct Failing {
  DiskAction action = DiskAction::any;
  int number = 0;  // errno
  std::uint64_t skip = 0, times = 1;
};

struct Seen {  // of a name
  NodeId node = 0;
  bool directory = false, socket = false;
  std::uint64_t bytes = 0;
  Mark modified = 0;
};

class LyingDisk {
 public:
  static constexpr std::uint64_t capacity_bytes = 2 * GiB;
  static constexpr std::uint64_t recorded_bytes_max = GiB;

  // --- what processes do ---
  std::optional<Seen> look(const std::string& path) const;
  std::optional<Seen> look(const Handle& handle) const;
  int open(const std::string& path, int flags, Handle& handle);  // O_CREAT, O_EXCL and O_TRUNC of the flags
  void close(const Handle& handle);
  int read(const Handle& handle, std::uint64_t offset, ByteSpan into);
  int write(const Handle& handle, std::uint64_t offset, ByteView from);
  int sync(const Handle& handle);
  int resize(const Handle& handle, std::uint64_t size);
  int allocate(const Handle& handle, std::uint64_t size);
  int open_directory(const std::string& path, Handle& handle);
  int list(const Handle& handle, std::vector<storage::DirectoryEntry>& entries);
  int sync_directory(const Handle& handle);
  int make_directory(const std::string& path);
  int make_socket(const std::string& path);
  int rename(const std::string& from, const std::string& to, bool replaces);
  int remove(const std::string& path);
  std::uint64_t free_bytes() const { return capacity_bytes - std::min(capacity_bytes, state_.used_bytes()); }

  // --- what a test does ---
  void cut(Cut cut);  // at once where after_operations is 0
  void fail(Failing failing) { failing_.push_back(failing); }
  void calm();  // no cut, no failure any more
  void remount();
  void erase();  // an empty disk
  void record();
  void note(std::uint64_t number) { notes_.push_back({changes_.size(), number}); }  // something that was true when so much was recorded
  bool open_recorded(std::uint64_t changes, CrashStyle style, std::uint64_t seed);  // false: there are not so many
  std::string facts() const;  // KEY=NUMBER words; the notes as MOMENT:NUMBER

 private:
  using Change = std::function<void(DiskState&)>;
  struct Note {
    std::uint64_t moment = 0, number = 0;
  };

  int pass(DiskAction action, std::uint64_t life, const std::function<int()>& perform, const std::function<void()>& fail = {});
  int planned(DiskAction action);
  void change(Change change, std::uint64_t bytes = 0);
  void power_off(const std::function<int()>& perform);
  bool comes_to_the_cut(DiskAction action);
  bool fits(NodeId node, std::uint64_t size) const;
  int errno_of_open(const std::string& path, int flags) const;
  int errno_of_remove(const std::string& path) const;

  DiskState state_;
  std::set<std::string> sockets_;
  std::uint64_t life_ = 1;
  bool off_ = false;
  std::uint64_t operations_ = 0, cuts_ = 0, failures_ = 0;
  std::optional<Cut> cut_;
  std::vector<Failing> failing_;
  Random random_{1};  // of failures

  bool recording_ = false;
  std::uint64_t recorded_bytes_ = 0;
  DiskState begun_;
  std::vector<Change> changes_;
  std::vector<Note> notes_;
};

}  // namespace ccr::lying
